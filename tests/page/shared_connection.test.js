import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { ANSWER, QUIET, SharedConnection } from "../../web/page/net/shared_connection.js";
import { OBJECTION, RECHECK, fallbackLocks } from "../../web/page/net/fallback_locks.js";
import { FakeClock, fakeChannels, fakeLocks, settle, snapshot } from "./fakes.js";

let clock, channels, locks, open;

class Tab {
  seen = [];
  links = [];
  constructor(env = {}) {
    const base = {
      locks,
      BroadcastChannel: channels.BroadcastChannel,
      setTimeout: clock.setTimeout,
      clearTimeout: clock.clearTimeout,
    };
    const on = { snapshot: (s) => this.seen.push(s.processed_files), link: (word) => this.links.push(word) };
    const connect = (upward) => {
      const connection = {
        ...upward,
        checks: 0,
        close: () => open.delete(connection),
        check: () => connection.checks++,
      };
      open.add(connection);
      this.connection = connection;
      return connection;
    };
    this.shared = new SharedConnection("session s1", { ...base, ...env }, connect, on);
  }
}

beforeEach(() => {
  clock = new FakeClock();
  channels = fakeChannels();
  locks = fakeLocks();
  open = new Set();
});

test("eight tabs share one connection and each gets every snapshot", async () => {
  const tabs = Array.from({ length: 8 }, () => new Tab());
  await settle();
  assert.equal(open.size, 1);
  tabs[0].connection.snapshot(snapshot({ done: 3 }), true);
  tabs[0].connection.link("live");
  await settle();
  for (const tab of tabs) {
    assert.deepEqual(tab.seen, [3]);
    assert.deepEqual(tab.links, ["live"]);
  }
});

test("a tab that opens later gets the newest snapshot at once", async () => {
  const first = new Tab();
  await settle();
  first.connection.snapshot(snapshot({ done: 5 }), true);
  first.connection.link("live");
  const second = new Tab();
  await settle();
  assert.deepEqual(second.seen, [5]);
  assert.deepEqual(second.links, ["live"]);
});

test("when the leader closes the next tab takes over", async () => {
  const first = new Tab();
  const second = new Tab();
  await settle();
  first.shared.close();
  await settle();
  assert.equal(second.shared.leading, true);
  assert.equal(open.size, 1);
  second.connection.snapshot(snapshot({ done: 6 }), true);
  assert.deepEqual(second.seen, [6]);
});

test("a follower that closes does not affect the leader or the order of the others", async () => {
  const [first, second, third] = [new Tab(), new Tab(), new Tab()];
  await settle();
  second.shared.close();
  first.shared.close();
  await settle();
  assert.equal(third.shared.leading, true);
  assert.equal(open.size, 1);
});

test("a tab connects by itself while its leader does not respond", async () => {
  const first = new Tab();
  await settle();
  const [deaf] = channels.all;
  deaf.deaf = true;
  const second = new Tab();
  await clock.advance(ANSWER);
  assert.equal(open.size, 2);
  second.connection.snapshot(snapshot({ done: 2 }), true);
  assert.deepEqual(second.seen, [2]);
  first.connection.snapshot(snapshot({ done: 3 }), true);
  await settle();
  assert.equal(open.size, 1);
  assert.deepEqual(second.seen, [2, 3]);
});

test("a response to hello keeps the follower from connecting", async () => {
  const first = new Tab();
  new Tab();
  await settle();
  first.connection.link("live");
  await clock.advance(QUIET + ANSWER + 1);
  assert.equal(open.size, 1);
});

test("after the end no tab sends hello", async () => {
  const first = new Tab();
  new Tab();
  await settle();
  first.connection.link("finished");
  await settle();
  assert.equal(clock.pending, 0);
});

test("check() checks the connection of the leading tab", async () => {
  const first = new Tab();
  await settle();
  first.shared.check();
  assert.equal(first.connection.checks, 1);
});

test("without locks or channels each tab has its own connection", async () => {
  new Tab({ locks: undefined });
  new Tab({ BroadcastChannel: undefined });
  await settle();
  assert.equal(open.size, 2);
});

// Locks without Web Locks

const fallback = (random) =>
  fallbackLocks({
    BroadcastChannel: channels.BroadcastChannel,
    setTimeout: clock.setTimeout,
    clearTimeout: clock.clearTimeout,
    random: () => random,
  });

function want(random) {
  const taker = { held: false, controller: new AbortController() };
  taker.over = fallback(random)
    .request("x", { signal: taker.controller.signal }, () => {
      taker.held = true;
      return new Promise((release) => (taker.release = release));
    })
    .catch((error) => (taker.error = error.name));
  return taker;
}

test("of several simultaneous requests one gets the fallback lock", async () => {
  const takers = [0.5, 0.2, 0.9, 0.3].map(want);
  await clock.advance(OBJECTION * 4);
  assert.deepEqual(
    takers.map((t) => t.held),
    [false, true, false, false],
  );
});

test("a fallback lock is exclusive, and released to the next request", async () => {
  const first = want(0.9);
  await clock.advance(OBJECTION);
  const second = want(0.1);
  await clock.advance(RECHECK * 3);
  assert.equal(second.held, false);
  first.release();
  await clock.advance(OBJECTION);
  assert.equal(second.held, true);
});

test("the fallback lock of a crashed tab becomes free", async () => {
  const first = want(0.1);
  await clock.advance(OBJECTION);
  const second = want(0.9);
  await settle();
  for (const channel of [...channels.all].slice(0, 1)) channel.close();
  assert.equal(first.held, true);
  await clock.advance(RECHECK + OBJECTION);
  assert.equal(second.held, true);
});

test("an aborted request ends its timers and channels", async () => {
  const taker = want(0.1);
  taker.controller.abort();
  await taker.over;
  assert.equal(taker.error, "AbortError");
  assert.equal(clock.pending, 0);
  assert.equal(channels.all.size, 0);
});

test("tabs share a connection with fallback locks", async () => {
  new Tab({ locks: fallback(0.4) });
  new Tab({ locks: fallback(0.6) });
  await clock.advance(OBJECTION * 3);
  assert.equal(open.size, 1);
});
