import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { ErrorFeed, ErrorLog, KEPT } from "../../web/page/state/error_log.js";
import { FakeClock, settle } from "./fakes.js";

const error = (n) => ({ n, file: `f${n}`, message: "bad", time: "2026-01-01T00:00:00Z" });
const range = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => error(from + i));

let clock, log, asked;

/** A server with `total` errors, which answers as `errors_after` does. */
const server = (total) => async (after) => {
  asked.push(after);
  return { errors: range(after + 1, Math.min(total, after + 1000)), total };
};

const feedOf = (load) => new ErrorFeed(log, load, clock, () => {});

beforeEach(() => {
  clock = new FakeClock();
  log = new ErrorLog();
  asked = [];
});

test("an error that comes with several snapshots is there once", () => {
  log.add(range(1, 3), 3);
  log.add(range(2, 4), 4);
  assert.equal(log.total, 4);
  assert.equal(log.gap(1, 4), null);
});

test("a gap is known by its numbers", () => {
  log.add(range(1, 3), 3);
  log.add(range(8, 10), 10);
  assert.equal(log.gap(1, 10), 3);
});

test("a count without the errors themselves is a gap, too", () => {
  log.add([], 5);
  assert.equal(log.gap(1, 5), 0);
});

test("one question covers as much of a large gap as an answer holds", () => {
  log.add(range(4991, 5000), 5000);
  assert.equal(log.gap(4980, 5000), 3990);
});

test("what is out of view is not asked for", async () => {
  log.add(range(4991, 5000), 5000);
  feedOf(server(5000)).want(4991, 5000);
  await settle();
  assert.deepEqual(asked, []);
});

test("scrolling through 5,000 errors shows every one of them", async () => {
  log.add(range(4991, 5000), 5000);
  const feed = feedOf(server(5000));
  for (let last = 5000; last > 0; last -= 20) {
    feed.want(last - 19, last);
    await settle();
    assert.equal(log.gap(last - 19, last), null);
  }
  assert.ok(asked.length <= 6, `${asked.length} questions`);
});

test("an answer that does not come is asked for again", async () => {
  log.add([], 3);
  let failures = 1;
  const good = server(3);
  const feed = feedOf(async (after) => {
    if (failures-- > 0) throw new TypeError("network");
    return good(after);
  });
  feed.want(1, 3);
  await clock.advance(2000);
  assert.equal(log.gap(1, 3), null);
});

test("a server that refuses to tell (410) is not asked again", async () => {
  log.add([], 3);
  let calls = 0;
  const feed = feedOf(async () => {
    calls += 1;
    throw Object.assign(new Error("sunset"), { status: 410 });
  });
  feed.want(1, 3);
  await clock.advance(60_000);
  feed.want(1, 3);
  assert.equal(calls, 1);
  assert.equal(feed.unavailable, true);
});

test("a bounded number of errors is kept, the newest of them for sure", () => {
  for (let n = 1; n <= KEPT + 500; n++) log.add([error(n)], n);
  assert.equal(log.get(500), undefined);
  assert.equal(log.get(KEPT + 500).n, KEPT + 500);
});

test("a feed that is closed asks no more", async () => {
  log.add([], 3);
  const feed = feedOf(async () => {
    throw new TypeError("network");
  });
  feed.want(1, 3);
  await settle();
  feed.close();
  assert.equal(clock.pending, 0);
});
