/** The lag of snapshots, corrected for the difference between the two clocks. */

const WINDOW = 300_000; // clocks drift, so the least difference is forgotten after five to ten minutes
const SAMPLES = 9;
// A `Date` header has whole seconds, servers renew it once per second, and a busy server is late.
const DATE_ERROR = 3000;

// The clock of a page has whole milliseconds, rounded down, and may differ a little from the clock of its
// computer: a lag this far below zero does not prove that the server has another clock.
const GRAIN = 2;

/**
 * Lag is time of receipt minus `changed_at`, minus the skew: how far this clock is ahead of the server's.
 *
 * Only bounds of the skew are known. A lag cannot be negative, so the skew is at most the least difference
 * seen; and the `Date` header of each response, set between request and receipt, limits it to about three
 * seconds. If a skew of zero is within the bounds, it is used. Otherwise the least difference is used as
 * the skew, and the lag is marked as `about`.
 */
export class LagMeter {
  #low = -Infinity;
  #high = Infinity;
  #least = Infinity;
  #lastLeast = Infinity;
  #windowStart = -Infinity;
  #recent = [];

  /** Use the `Date` header of a response; times are Unix milliseconds of this computer. */
  date(sent, received, header) {
    const date = Date.parse(header ?? "");
    if (Number.isNaN(date)) return;
    const low = sent - (date + DATE_ERROR);
    const high = received - date;
    const fits = low <= this.#high && high >= this.#low;
    this.#low = fits ? Math.max(low, this.#low) : low; // without an overlap a clock was set
    this.#high = fits ? Math.min(high, this.#high) : high;
  }

  /** The estimate of how far this clock is ahead of the server's, in milliseconds. */
  get skew() {
    const high = Math.min(this.#high, this.#least, this.#lastLeast);
    if (this.#low <= 0 && high >= -GRAIN) return 0;
    return Number.isFinite(high) ? high : 0;
  }

  /** Add a frame and return the median lag of the last few frames: {ms, about}. */
  sample(changedAt, received) {
    const raw = received - changedAt;
    if (received - this.#windowStart > WINDOW) {
      this.#windowStart = received;
      this.#lastLeast = this.#least;
      this.#least = Infinity;
    }
    this.#least = Math.min(this.#least, raw);
    this.#recent.push(raw);
    if (this.#recent.length > SAMPLES) this.#recent.shift();
    const sorted = [...this.#recent].sort((a, b) => a - b);
    const { skew } = this;
    return { ms: Math.max(0, Math.round(sorted[sorted.length >> 1] - skew)), about: skew !== 0 };
  }
}
