/** The numbered errors of a session: none twice, none missing, and a bounded number kept. */

/** How many are kept in the page; others are asked for again when they come into view. */
export const KEPT = 20_000;
const PER_ANSWER = 1000;
const RETRY = 2000;

/** What is known of errors 1 to `total`. */
export class ErrorLog {
  #errors = new Map();
  total = 0;

  /** Takes errors as a snapshot or an answer holds them, and how many there are by now. */
  add(errors, total) {
    for (const error of errors) {
      if (!this.#errors.has(error.n)) this.#errors.set(error.n, error);
      this.total = Math.max(this.total, error.n);
    }
    this.total = Math.max(this.total, total);
    this.#evict();
  }

  #evict() {
    for (const n of this.#errors.keys()) {
      if (this.#errors.size <= KEPT) return;
      this.#errors.delete(n);
    }
  }

  get(n) {
    return this.#errors.get(n);
  }

  /** The `after` to ask with for the highest gap in first..last; null if there is none. */
  gap(first, last) {
    for (let n = Math.min(last, this.total); n >= Math.max(first, 1); n--) {
      if (!this.#errors.has(n)) return this.#start(n) - 1;
    }
    return null;
  }

  /** Where the gap below `n` begins, or as far down as one answer reaches. */
  #start(n) {
    let start = n;
    while (start > 1 && n - start + 1 < PER_ANSWER && !this.#errors.has(start - 1)) start--;
    return start;
  }
}

/**
 * Fetches the errors that are in view and not known, one answer at a time.
 *
 * `load(after)` gives {errors, total}; `env` holds setTimeout and clearTimeout.
 */
export class ErrorFeed {
  #log;
  #load;
  #env;
  #changed;
  #first = 1;
  #last = 0;
  #busy = false;
  #timer = 0;
  #closed = false;
  /** True once the server no longer hands out single errors. */
  unavailable = false;

  constructor(log, load, env, changed) {
    this.#log = log;
    this.#load = load;
    this.#env = env;
    this.#changed = changed;
  }

  /** Errors `first` to `last` are in view. */
  want(first, last) {
    this.#first = first;
    this.#last = last;
    if (!this.#busy) this.#next();
  }

  close() {
    this.#closed = true;
    this.#env.clearTimeout(this.#timer);
  }

  async #next() {
    const after = this.#log.gap(this.#first, this.#last);
    if (after === null || this.#closed || this.unavailable) return;
    this.#busy = true;
    try {
      const { errors, total } = await this.#load(after);
      if (errors.length === 0) return this.#pause();
      this.#log.add(errors, total);
    } catch (error) {
      this.unavailable = error.status >= 400 && error.status < 500;
      if (!this.unavailable) return this.#pause();
    }
    this.#done();
    return undefined;
  }

  #pause() {
    this.#timer = this.#env.setTimeout(() => this.#done(), RETRY);
  }

  #done() {
    this.#busy = false;
    if (this.#closed) return;
    this.#changed();
    this.#next();
  }
}
