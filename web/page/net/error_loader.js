/** Loads the errors that are in view and not yet known. */

const RETRY = 2000;

/**
 * Loads the errors that are in view and not yet known, one request at a time.
 *
 * `load(after)` returns {errors, total}; `env` has setTimeout and clearTimeout. `changed()` is called
 * after each response.
 */
export class ErrorLoader {
  #log;
  #load;
  #env;
  #changed;
  #first = 1;
  #last = 0;
  #busy = false;
  #timer = 0;
  #closed = false;
  /** True after the server has refused to return single errors. */
  unavailable = false;

  constructor(log, load, env, changed) {
    this.#log = log;
    this.#load = load;
    this.#env = env;
    this.#changed = changed;
  }

  /** Load errors `first` to `last`, which are in view, as far as they are unknown. */
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
