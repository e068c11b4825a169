/** One connection to a session for all tabs of a browser: browsers allow six to a host. */

/** So long the leader has for an answer to "hello" before a tab helps itself. */
export const ANSWER = 3000;
/** A follower that hears nothing for so long asks whether its leader is still there. */
export const QUIET = 25_000;

/**
 * Follows session `id` together with the other tabs.
 *
 * Whoever holds the lock leads: it has the connection, and passes on what it hears. The
 * others listen, and wait for the lock: when the leader closes, the next one has it. A
 * leader that is silent (a tab that the browser froze) is asked, and if it does not answer
 * the tab connects by itself until it hears from the leader again.
 *
 * `connect(on)` opens the connection ({close, check}); `env` holds locks ({request}),
 * BroadcastChannel, setTimeout and clearTimeout. Without locks or BroadcastChannel each
 * tab is on its own. `on` is what Connection takes, and is called in every tab alike.
 */
export class Shared {
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
    this.#channel.onmessage = ({ data }) => this.#hear(data);
    this.#seek(name);
    this.#ask();
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

  /** Looks after the connection at once, whoever has it. */
  check() {
    if (this.#ended) return;
    if (this.#connection !== null) this.#connection.check();
    else this.#ask();
  }

  // Leading

  async #seek(name) {
    const lead = () =>
      new Promise((release) => {
        this.#release = release;
        if (this.#ended) release();
        else this.#lead();
      });
    try {
      await this.#env.locks.request(name, { signal: this.#waiting.signal }, lead);
    } catch {
      // Aborted by close(), or locks are forbidden here: then this tab is on its own.
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
        this.#tell({ type: "snapshot", snapshot, fresh });
        this.#onSnapshot(snapshot, fresh);
      },
      link: (link) => {
        this.#tell({ type: "link", link });
        this.#onLink(link);
      },
    });
  }

  #tell(message) {
    if (this.#leading) this.#channel?.postMessage(message);
  }

  // Following

  #ask() {
    if (this.#leading || this.#ended || this.#channel === null) return;
    this.#channel.postMessage({ type: "hello" });
    this.#env.clearTimeout(this.#timer);
    this.#timer = this.#env.setTimeout(() => this.#open(), ANSWER);
  }

  #hear(message) {
    if (message.type === "hello") {
      if (this.#leading) this.#answer();
      return;
    }
    if (this.#leading) return;
    this.#connection?.close();
    this.#connection = null;
    this.#env.clearTimeout(this.#timer);
    if (message.type === "snapshot") this.#onSnapshot(message.snapshot, message.fresh);
    if (message.type === "link") this.#onLink(message.link);
    if (!ENDS.has(this.#link)) this.#timer = this.#env.setTimeout(() => this.#ask(), QUIET);
  }

  #answer() {
    if (this.#snapshot !== null) this.#tell({ type: "snapshot", snapshot: this.#snapshot, fresh: false });
    this.#tell({ type: "link", link: this.#link });
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
