/**
 * One connection to a session for all tabs of a browser, because browsers allow six per host.
 *
 * States: leading (the tab holds the lock and the connection, and broadcasts what it receives); following
 * (the tab listens, and waits for the lock); alone (no lock, no channel, or a leader that does not respond).
 *
 * Caller: app.js, once per watched session. Guarantees: `on` is called alike in every tab; when the leader
 * closes or crashes, another tab takes over; a frozen leader is replaced within QUIET + ANSWER.
 */

/** Milliseconds that the leader has to respond to "hello" before a tab connects by itself. */
export const ANSWER = 3000;
/** Milliseconds without a message after which a follower sends "hello". */
export const QUIET = 25_000;

/**
 * Follows a session together with the other tabs that use the same `name`.
 *
 * `connect(on)` opens the connection ({close, check}). `env` has locks ({request}), BroadcastChannel,
 * setTimeout and clearTimeout; without locks or BroadcastChannel each tab has its own connection. `on`
 * has the functions that Connection calls.
 */
export class SharedConnection {
  #env;
  #connect;
  #on;
  #channel = null;
  #connection = null;
  #leading = false;
  #waiting = new AbortController();
  /** @type {(value?: unknown) => void} */
  #release = () => {};
  #timer = 0;
  #snapshot = null;
  #link = null;
  #ended = false;

  constructor(name, env, connect, on) {
    this.#env = env;
    this.#connect = connect;
    this.#on = on;
    if (!env.locks || !env.BroadcastChannel) {
      this.#open();
      return;
    }
    this.#channel = new env.BroadcastChannel(name);
    this.#channel.onmessage = ({ data }) => this.#onMessage(data);
    this.#waitForLock(name);
    this.#sendHello();
  }

  get leading() {
    return this.#leading;
  }

  close() {
    this.#ended = true;
    this.#env.clearTimeout(this.#timer);
    this.#waiting.abort();
    this.#connection?.close();
    this.#connection = null;
    this.#release();
    this.#channel?.close();
    this.#channel = null;
  }

  /** Check the connection now, in whichever tab it is. */
  check() {
    if (this.#ended) return;
    if (this.#connection !== null) this.#connection.check();
    else this.#sendHello();
  }

  // Leading

  async #waitForLock(name) {
    const lead = () =>
      new Promise((release) => {
        this.#release = release;
        if (this.#ended) release();
        else this.#lead();
      });
    try {
      await this.#env.locks.request(name, { signal: this.#waiting.signal }, lead);
    } catch {
      // Aborted by close(), or locks are not allowed here: then this tab connects by itself.
      if (!this.#ended) this.#open();
    }
  }

  #lead() {
    this.#leading = true;
    this.#env.clearTimeout(this.#timer);
    this.#open();
  }

  #open() {
    this.#connection ??= this.#connect({
      snapshot: (snapshot, fresh) => {
        this.#broadcast({ type: "snapshot", snapshot, fresh });
        this.#onSnapshot(snapshot, fresh);
      },
      link: (link) => {
        this.#broadcast({ type: "link", link });
        this.#onLink(link);
      },
    });
  }

  #broadcast(message) {
    if (this.#leading) this.#channel?.postMessage(message);
  }

  // Following

  #sendHello() {
    if (this.#leading || this.#ended || this.#channel === null) return;
    this.#channel.postMessage({ type: "hello" });
    this.#env.clearTimeout(this.#timer);
    this.#timer = this.#env.setTimeout(() => this.#open(), ANSWER);
  }

  #onMessage(message) {
    if (message.type === "hello") {
      if (this.#leading) this.#sendState();
      return;
    }
    if (this.#leading) return;
    this.#connection?.close();
    this.#connection = null;
    this.#env.clearTimeout(this.#timer);
    if (message.type === "snapshot") this.#onSnapshot(message.snapshot, message.fresh);
    if (message.type === "link") this.#onLink(message.link);
    if (!ENDS.has(this.#link)) this.#timer = this.#env.setTimeout(() => this.#sendHello(), QUIET);
  }

  #sendState() {
    if (this.#snapshot !== null) this.#broadcast({ type: "snapshot", snapshot: this.#snapshot, fresh: false });
    this.#broadcast({ type: "link", link: this.#link });
  }

  #onSnapshot(snapshot, fresh) {
    this.#snapshot = snapshot;
    this.#on.snapshot(snapshot, fresh);
  }

  #onLink(link) {
    this.#link = link;
    if (link !== null) this.#on.link(link);
  }
}

const ENDS = new Set(["finished", "gone", "denied"]);
