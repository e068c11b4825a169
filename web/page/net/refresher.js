/** Loads something again while it changes: one request at a time, with a pause between two. */

/**
 * Calls `load(signal)` after `want()`, at most once every `gap` milliseconds, while `visible()` is true.
 *
 * `env` has setTimeout, clearTimeout and now. A request that fails is made again when it is wanted.
 */
export class Refresher {
  #load;
  #gap;
  #env;
  #visible;
  #wanted = false;
  #busy = false;
  #last = -Infinity;
  #timer = 0;
  #abort = new AbortController();

  constructor(load, gap, env, visible) {
    this.#load = load;
    this.#gap = gap;
    this.#env = env;
    this.#visible = visible;
  }

  want() {
    this.#wanted = true;
    this.#plan();
  }

  close() {
    this.#abort.abort();
    this.#env.clearTimeout(this.#timer);
    this.#timer = 0;
  }

  #plan() {
    if (!this.#wanted || this.#busy || this.#timer || this.#abort.signal.aborted || !this.#visible()) return;
    const pause = Math.max(0, this.#last + this.#gap - this.#env.now());
    this.#timer = this.#env.setTimeout(() => this.#run(), pause);
  }

  async #run() {
    this.#timer = 0;
    [this.#wanted, this.#busy, this.#last] = [false, true, this.#env.now()];
    try {
      await this.#load(this.#abort.signal);
    } catch {
      // The next change asks again.
    }
    this.#busy = false;
    this.#plan();
  }
}
