/** The rate over a whole session in a limited number of points. */

/**
 * Files finished in each of at most `limit` equal spans of time.
 *
 * When all spans are used, neighbours are merged and each span becomes twice as long, so an hour has as
 * many points as a minute and memory does not grow.
 */
export class RateHistory {
  #limit;
  #width = 250;
  #start = null;
  #last = null;
  #first = null;
  #bins = [];
  #seen = 0;

  constructor(limit = 120) {
    this.#limit = limit;
  }

  /**
   * Add that `processed` files were finished at `at` (milliseconds of the server's clock).
   *
   * The files since the previous call are spread evenly over the time between. A page that was opened
   * later passes `since`, the start of the session: the rate until `at` is then an average.
   */
  add(at, processed, since = at) {
    if (this.#last === null) {
      this.#start = Math.min(since, at);
      if (at > this.#start) this.#spread(this.#start, at, processed);
      this.#last = { at, processed };
      this.#first = at;
      return;
    }
    if (at <= this.#last.at || processed < this.#last.processed) return;
    this.#spread(this.#last.at, at, processed - this.#last.processed);
    this.#last = { at, processed };
    this.#seen += 1;
  }

  #spread(from, to, files) {
    while (to - this.#start > this.#width * this.#limit) this.#merge();
    const each = files / (to - from);
    for (let t = from; t < to;) {
      const bin = Math.floor((t - this.#start) / this.#width);
      const end = Math.min(to, this.#start + (bin + 1) * this.#width);
      while (this.#bins.length <= bin) this.#bins.push(0);
      this.#bins[bin] += each * (end - t);
      t = end;
    }
  }

  #merge() {
    const halves = this.#bins;
    this.#bins = [];
    for (let i = 0; i < halves.length; i += 2) this.#bins.push(halves[i] + (halves[i + 1] ?? 0));
    this.#width *= 2;
  }

  /** Files per second of each span; the rate of the last one is taken over its elapsed part. */
  get points() {
    const rates = this.#bins.map((files) => (files * 1000) / this.#width);
    const rest = this.#last === null ? 0 : (this.#last.at - this.#start) % this.#width;
    if (rates.length > 1 && rest > 0) rates[rates.length - 1] *= this.#width / rest;
    // The rate of a very short part would vary too much.
    return rest > 0 && rest < this.#width / 2 ? rates.slice(0, -1) : rates;
  }

  /** Number of points, from the first, that lie before the first call of `add`. */
  get unseen() {
    return this.#first === null ? 0 : Math.floor((this.#first - this.#start) / this.#width);
  }

  get peak() {
    return Math.max(0, ...this.points);
  }

  /** Whether there are enough points that this page has measured itself. */
  get drawable() {
    return this.#seen > 1 && this.points.length > 2;
  }
}
