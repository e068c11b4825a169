/** A clock, EventSource, fetch, channels and locks that tests control. */

/** Wait until everything that waits only for promises has run. */
export const settle = async () => {
  for (let i = 0; i < 30; i++) await Promise.resolve();
};

export class FakeClock {
  time = 1_000_000;
  #timers = new Map();
  #next = 1;

  now = () => this.time;

  setTimeout = (run, ms = 0) => {
    this.#timers.set(this.#next, { at: this.time + ms, run });
    return this.#next++;
  };

  clearTimeout = (id) => this.#timers.delete(id);

  get pending() {
    return this.#timers.size;
  }

  /** Moves time on, running what falls due in its order. */
  async advance(ms) {
    const end = this.time + ms;
    await settle();
    for (;;) {
      const due = [...this.#timers].filter(([, t]) => t.at <= end).sort((a, b) => a[1].at - b[1].at)[0];
      if (!due) break;
      this.#timers.delete(due[0]);
      this.time = Math.max(this.time, due[1].at);
      due[1].run();
      await settle();
    }
    this.time = end;
  }
}

export function fakeEventSource() {
  const made = [];
  class FakeEventSource {
    readyState = 0;
    closed = false;
    constructor(url) {
      this.url = url;
      made.push(this);
    }
    close() {
      this.closed = true;
      this.readyState = 2;
    }
    opens() {
      this.readyState = 1;
      this.onopen?.({});
    }
    frame(snapshot) {
      this.readyState = 1;
      this.onmessage?.({ data: JSON.stringify(snapshot) });
    }
    lost() {
      this.readyState = 0;
      this.onerror?.({});
    }
    refused() {
      this.readyState = 2;
      this.onerror?.({});
    }
  }
  return { EventSource: FakeEventSource, made, last: () => made.at(-1), open: () => made.filter((s) => !s.closed) };
}

/** A fetch whose responses the test sends; `calls` has {url, options, answer(), fail()}. */
export function fakeFetch() {
  const calls = [];
  const fetch = (url, options = {}) =>
    new Promise((resolve, reject) => {
      const abort = () => reject(new DOMException("aborted", "AbortError"));
      options.signal?.addEventListener("abort", () => {
        call.aborted = true;
        abort();
      });
      const call = {
        url,
        options,
        answered: false,
        aborted: false,
        answer(status, body = null, headers = {}) {
          call.answered = true;
          const bare = status === 304 || status === 204;
          resolve(new Response(bare || body === null ? null : JSON.stringify(body), { status, headers }));
        },
        fail() {
          call.answered = true;
          reject(new TypeError("network"));
        },
      };
      calls.push(call);
    });
  return { fetch, calls, waiting: () => calls.filter((c) => !c.answered && !c.aborted) };
}

/** BroadcastChannels of tabs in one browser; messages arrive in a later microtask. */
export function fakeChannels() {
  const all = new Set();
  class FakeChannel {
    deaf = false;
    constructor(name) {
      this.name = name;
      all.add(this);
    }
    postMessage(message) {
      const data = structuredClone(message);
      const others = [...all].filter((c) => c !== this && c.name === this.name);
      for (const other of others) {
        queueMicrotask(() => all.has(other) && !other.deaf && other.onmessage?.({ data }));
      }
    }
    close() {
      all.delete(this);
    }
  }
  return { BroadcastChannel: FakeChannel, all };
}

/** Web Locks as far as the page uses them: exclusive, in order, and abortable while waiting. */
export function fakeLocks() {
  const queues = new Map();
  return {
    request(name, { signal }, hold) {
      const turn = queues.get(name) ?? Promise.resolve();
      const mine = turn.then(() => {
        if (signal.aborted) throw new DOMException("aborted", "AbortError");
        return hold();
      });
      queues.set(
        name,
        mine.catch(() => {}),
      );
      return mine;
    },
  };
}

export function snapshot(changes = {}) {
  const { done = 0, skipped = 0, failed = 0, ...rest } = changes;
  return {
    session_id: "s1",
    status: "processing",
    progress: Math.floor(((done + skipped + failed) * 100) / (rest.total_files ?? 10)),
    total_files: 10,
    processed_files: done + skipped + failed,
    current_file: "a/b.png",
    stats: { done, skipped_existing: skipped, errors: failed, bytes: 100, metadata_extracted: 0, keywords_added: 0 },
    errors: [],
    error: null,
    files_per_second: 5,
    eta_seconds: 2,
    start_time: "2026-01-01T00:00:00Z",
    end_time: null,
    changed_at: 1_000_000 + done + skipped + failed,
    ...rest,
  };
}
