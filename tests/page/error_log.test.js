import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { ErrorLoader } from "../../web/page/net/error_loader.js";
import { ErrorLog, KEPT } from "../../web/page/state/error_log.js";
import { FakeClock, settle } from "./fakes.js";

const error = (n) => ({ n, file: `f${n}`, message: "bad", time: "2026-01-01T00:00:00Z" });
const range = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => error(from + i));

let clock, log, asked;

/** A server with `total` errors, which responds as the route does to `errors_after`. */
const server = (total) => async (after) => {
  asked.push(after);
  return { errors: range(after + 1, Math.min(total, after + 1000)), total };
};

const loaderOf = (load) => new ErrorLoader(log, load, clock, () => {});

beforeEach(() => {
  clock = new FakeClock();
  log = new ErrorLog();
  asked = [];
});

test("an error in several snapshots is kept once", () => {
  log.add(range(1, 3), 3);
  log.add(range(2, 4), 4);
  assert.equal(log.total, 4);
  assert.equal(log.gap(1, 4), null);
});

test("a gap in the numbers is found", () => {
  log.add(range(1, 3), 3);
  log.add(range(8, 10), 10);
  assert.equal(log.gap(1, 10), 3);
});

test("a total without errors is a gap", () => {
  log.add([], 5);
  assert.equal(log.gap(1, 5), 0);
});

test("one request covers as much of a large gap as one response can hold", () => {
  log.add(range(4991, 5000), 5000);
  assert.equal(log.gap(4980, 5000), 3990);
});

test("errors out of view are not loaded", async () => {
  log.add(range(4991, 5000), 5000);
  loaderOf(server(5000)).want(4991, 5000);
  await settle();
  assert.deepEqual(asked, []);
});

test("scrolling through 5,000 errors shows every one of them", async () => {
  log.add(range(4991, 5000), 5000);
  const loader = loaderOf(server(5000));
  for (let last = 5000; last > 0; last -= 20) {
    loader.want(last - 19, last);
    await settle();
    assert.equal(log.gap(last - 19, last), null);
  }
  assert.ok(asked.length <= 6, `${asked.length} questions`);
});

test("a failed request is repeated", async () => {
  log.add([], 3);
  let failures = 1;
  const good = server(3);
  const loader = loaderOf(async (after) => {
    if (failures-- > 0) throw new TypeError("network");
    return good(after);
  });
  loader.want(1, 3);
  await clock.advance(2000);
  assert.equal(log.gap(1, 3), null);
});

test("after a 410 no more requests are sent", async () => {
  log.add([], 3);
  let calls = 0;
  const loader = loaderOf(async () => {
    calls += 1;
    throw Object.assign(new Error("sunset"), { status: 410 });
  });
  loader.want(1, 3);
  await clock.advance(60_000);
  loader.want(1, 3);
  assert.equal(calls, 1);
  assert.equal(loader.unavailable, true);
});

test("at most KEPT errors are kept, and the newest is among them", () => {
  for (let n = 1; n <= KEPT + 500; n++) log.add([error(n)], n);
  assert.equal(log.get(500), undefined);
  assert.equal(log.get(KEPT + 500).n, KEPT + 500);
});

test("a closed loader sends no more requests", async () => {
  log.add([], 3);
  const loader = loaderOf(async () => {
    throw new TypeError("network");
  });
  loader.want(1, 3);
  await settle();
  loader.close();
  assert.equal(clock.pending, 0);
});
