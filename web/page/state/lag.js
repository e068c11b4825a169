/** How long a change takes to reach this page, though the two clocks may differ. */

const WINDOW = 300_000; // clocks drift: what was least is forgotten after five to ten minutes
const SAMPLES = 9;
// A `Date` header counts whole seconds, servers renew it but once a second, and a busy one is late.
const DATE_ERROR = 3000;

// A page's clock counts whole milliseconds, rounded down, and runs by itself between two looks at
// the machine's: a lag of that much below nothing is no other clock.
const GRAIN = 2;

/**
 * Lag is receipt minus `changed_at`, less how far this clock is ahead of the server's.
 *
 * The skew is not known, only bounded: a lag cannot be negative, so the skew is at most the
 * least difference seen; and each answer's `Date` header, set between asking and receiving,
 * confines it to about three seconds. Where "no skew" is within the bounds it is believed;
 * where it is not, the least difference is taken for the skew, and the lag is marked as `about`.
 */
export class LagMeter {
  #low = -Infinity;
  #high = Infinity;
  #least = Infinity;
  #lastLeast = Infinity;
  #windowStart = -Infinity;
  #recent = [];

  /** Notes one answer's `Date` header; times are Unix milliseconds of this machine. */
  date(sent, received, header) {
    const stamp = Date.parse(header ?? "");
    if (Number.isNaN(stamp)) return;
    const low = sent - (stamp + DATE_ERROR);
    const high = received - stamp;
    const fits = low <= this.#high && high >= this.#low;
    this.#low = fits ? Math.max(low, this.#low) : low; // no overlap: a clock was set
    this.#high = fits ? Math.min(high, this.#high) : high;
  }

  /** How far this machine's clock is believed to be ahead of the server's, in milliseconds. */
  get skew() {
    const high = Math.min(this.#high, this.#least, this.#lastLeast);
    if (this.#low <= 0 && high >= -GRAIN) return 0;
    return Number.isFinite(high) ? high : 0;
  }

  /** The median lag of the last few frames, with one more: {ms, about}. */
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
