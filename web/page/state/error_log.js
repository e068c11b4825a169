/** The numbered errors of a session, each kept once, up to a limit. */

/** Errors kept in the page; others are loaded again when they come into view. */
export const KEPT = 20_000;
const PER_ANSWER = 1000;

/** The known errors among errors 1 to `total`. */
export class ErrorLog {
  #errors = new Map();
  total = 0;

  /** Add the errors of a snapshot or response, and the total that it names. */
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

  /** Return the value of `errors_after` that loads the highest gap in first..last, or null without a gap. */
  gap(first, last) {
    for (let n = Math.min(last, this.total); n >= Math.max(first, 1); n--) {
      if (!this.#errors.has(n)) return this.#start(n) - 1;
    }
    return null;
  }

  /** Return the first error of the gap that ends at `n`, or the lowest one that a single response can hold. */
  #start(n) {
    let start = n;
    while (start > 1 && n - start + 1 < PER_ANSWER && !this.#errors.has(start - 1)) start--;
    return start;
  }
}
