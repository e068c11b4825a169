/** Locks among tabs where Web Locks are missing: over plain http a page is no secure context. */

/** So long a holder has to object. Two holders for a moment do no harm here: two streams. */
export const OBJECTION = 250;
/** A holder that crashed says no farewell: the others ask anew this often. */
export const RECHECK = 10_000;

/**
 * `request` as in the Web Locks API, as far as the tabs need it, over BroadcastChannel.
 *
 * Who wants the lock asks, with a random number; a holder objects, and of several that ask
 * at once the one with the least number wins. `env` holds BroadcastChannel, setTimeout,
 * clearTimeout and random; it is undefined-safe: without BroadcastChannel there are no locks.
 */
export function softLocks(env) {
  if (!env.BroadcastChannel) return undefined;
  return { request: (name, { signal }, hold) => new SoftLock(name, env, signal).run(hold) };
}

class SoftLock {
  #env;
  #channel;
  #signal;
  #ticket;
  #holding = false;
  #timer = 0;
  /** @type {(value?: unknown) => void} */
  #granted = () => {};

  constructor(name, env, signal) {
    this.#env = env;
    this.#signal = signal;
    this.#ticket = env.random();
    this.#channel = new env.BroadcastChannel(`${name} lock`);
    this.#channel.onmessage = ({ data }) => this.#hear(data);
  }

  async run(hold) {
    try {
      await this.#acquired();
      this.#holding = true;
      return await hold();
    } finally {
      this.#env.clearTimeout(this.#timer);
      if (this.#holding) this.#channel.postMessage({ type: "free" });
      this.#channel.close();
    }
  }

  #acquired() {
    return new Promise((resolve, reject) => {
      this.#granted = resolve;
      const abort = () => reject(new DOMException("The request was aborted.", "AbortError"));
      if (this.#signal.aborted) return abort();
      this.#signal.addEventListener("abort", abort, { once: true });
      return this.#ask();
    });
  }

  #ask() {
    this.#channel.postMessage({ type: "ask", ticket: this.#ticket });
    this.#again(OBJECTION, () => this.#granted());
  }

  #hear({ type, ticket }) {
    if (type === "ask" && (this.#holding || this.#ticket < ticket)) {
      this.#channel.postMessage({ type: "held" });
      // The loser may have lost to one that waits as well: that one asks now.
      if (!this.#holding) this.#ask();
    } else if (type === "held" && !this.#holding) {
      this.#again(RECHECK, () => this.#ask());
    } else if (type === "free" && !this.#holding) {
      this.#ask();
    }
  }

  #again(ms, what) {
    this.#env.clearTimeout(this.#timer);
    this.#timer = this.#env.setTimeout(what, ms);
  }
}
