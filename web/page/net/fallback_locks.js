/**
 * Locks between tabs over BroadcastChannel, for pages without Web Locks (plain http is not a secure context).
 *
 * States of a request: asking, waiting for the holder, holding. It asks with a random number; a holder
 * objects, and of several that ask at the same time the one with the lowest number gets the lock. Two
 * holders for a moment are possible and harmless: they cost a second stream.
 */

/** Milliseconds that a holder has to object. */
export const OBJECTION = 250;
/** Milliseconds after which waiting tabs ask again, because a holder that crashed sends no "free". */
export const RECHECK = 10_000;

/**
 * Return an object with `request(name, {signal}, hold)` of the Web Locks API, or undefined without BroadcastChannel.
 *
 * `env` has BroadcastChannel, setTimeout, clearTimeout and random.
 */
export function fallbackLocks(env) {
  if (!env.BroadcastChannel) return undefined;
  return { request: (name, { signal }, hold) => new FallbackLock(name, env, signal).run(hold) };
}

class FallbackLock {
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
    this.#channel.onmessage = ({ data }) => this.#onMessage(data);
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
    this.#schedule(OBJECTION, () => this.#granted());
  }

  #onMessage({ type, ticket }) {
    if (type === "ask" && (this.#holding || this.#ticket < ticket)) {
      this.#channel.postMessage({ type: "held" });
      // This request has the lower number, so it asks now.
      if (!this.#holding) this.#ask();
    } else if (type === "held" && !this.#holding) {
      this.#schedule(RECHECK, () => this.#ask());
    } else if (type === "free" && !this.#holding) {
      this.#ask();
    }
  }

  #schedule(ms, run) {
    this.#env.clearTimeout(this.#timer);
    this.#timer = this.#env.setTimeout(run, ms);
  }
}
