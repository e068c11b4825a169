import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { CHECK_TIME, Connection, SILENCE, ATTEMPTS } from "../../web/page/net/connection.js";
import { FIRST_FRAME } from "../../web/page/net/stream.js";
import { FakeClock, fakeEventSource, fakeFetch, settle, snapshot } from "./fakes.js";

let clock, source, net, links, seen, fresh;

function follow({ EventSource = source.EventSource } = {}) {
  const env = {
    EventSource,
    fetch: net.fetch,
    now: clock.now,
    setTimeout: clock.setTimeout,
    clearTimeout: clock.clearTimeout,
  };
  return new Connection("s1", env, {
    snapshot: (s, isFresh) => {
      seen.push(s.processed_files);
      fresh.push(isFresh);
    },
    link: (word) => links.push(word),
  });
}

const END = { done: 10, status: "completed", progress: 100 };

beforeEach(() => {
  clock = new FakeClock();
  source = fakeEventSource();
  net = fakeFetch();
  [links, seen, fresh] = [[], [], []];
});

test("frames make the link live, without a status request", async () => {
  follow();
  source.last().frame(snapshot({ done: 1 }));
  source.last().frame(snapshot({ done: 2 }));
  await settle();
  assert.deepEqual(seen, [1, 2]);
  assert.deepEqual(links, ["live"]);
  assert.equal(net.calls.length, 0);
});

test("the first frame after a connect is not fresh, because it may be old", () => {
  follow();
  source.last().frame(snapshot({ done: 1 }));
  source.last().frame(snapshot({ done: 2 }));
  source.last().lost();
  source.last().frame(snapshot({ done: 3 }));
  source.last().frame(snapshot({ done: 4 }));
  assert.deepEqual(fresh, [false, true, false, true]);
});

test("the last frame closes the stream, so the browser does not reconnect", async () => {
  follow();
  source.last().frame(snapshot(END));
  assert.equal(source.last().closed, true);
  assert.deepEqual(links, ["live", "finished"]);
  await clock.advance(120_000);
  assert.equal(net.calls.length, 0);
  assert.equal(clock.pending, 0);
});

test("without a frame in three seconds the page polls", async () => {
  follow();
  source.last().opens();
  await clock.advance(FIRST_FRAME);
  assert.equal(source.last().closed, true);
  assert.equal(net.calls[0].url, "api/ingest/status/s1?wait=25");
  net.calls[0].answer(200, snapshot({ done: 4 }), { ETag: '"4"' });
  await clock.advance(250);
  assert.deepEqual(links, ["polling"]);
  assert.deepEqual(seen, [4]);
  assert.equal(net.calls[1].options.headers["If-None-Match"], '"4"');
});

test("without EventSource the page polls at once", () => {
  follow({ EventSource: null });
  assert.equal(net.calls.length, 1);
});

test("after one loss the browser reconnects, and the link is live when the stream opens", () => {
  follow();
  source.last().frame(snapshot({ done: 1 }));
  source.last().lost();
  source.last().opens();
  assert.deepEqual(links, ["live", "reconnecting", "live"]);
  assert.equal(source.made.length, 1);
});

test("three losses in ten seconds start polling", async () => {
  follow();
  source.last().frame(snapshot({ done: 1 }));
  for (let i = 0; i < 3; i++) source.last().lost();
  await settle();
  assert.equal(net.calls.length, 1);
});

test("three losses in an hour do not start polling", async () => {
  follow();
  for (let i = 0; i < 3; i++) {
    source.last().frame(snapshot({ done: 1 + i }));
    source.last().lost();
    await clock.advance(11_000);
    source.last().opens();
  }
  assert.equal(source.made.length, 1);
});

test("polling ends when an attempt to stream succeeds", async () => {
  follow();
  await clock.advance(FIRST_FRAME);
  net.calls[0].answer(200, snapshot({ done: 4 }), { ETag: '"4"' });
  await clock.advance(ATTEMPTS[0]);
  assert.equal(source.made.length, 2);
  source.last().frame(snapshot({ done: 5 }));
  await settle();
  assert.deepEqual(links, ["polling", "live"]);
  assert.equal(net.waiting().length, 0);
});

test("the pauses between failed attempts grow", async () => {
  follow();
  await clock.advance(FIRST_FRAME);
  await clock.advance(ATTEMPTS[0] + FIRST_FRAME);
  assert.equal(source.made.length, 2);
  await clock.advance(ATTEMPTS[1] - 1);
  assert.equal(source.made.length, 2);
  await clock.advance(1);
  assert.equal(source.made.length, 3);
});

test("when a restarted server responds, the page streams again at once", async () => {
  follow();
  source.last().frame(snapshot({ done: 1 }));
  source.last().refused();
  await settle();
  for (let i = 0; i < 3; i++) {
    net.waiting().at(-1).fail();
    await clock.advance(1000);
  }
  assert.deepEqual(links, ["live", "reconnecting"]);
  net
    .waiting()
    .at(-1)
    .answer(200, snapshot({ done: 2 }), { ETag: '"2"' });
  await settle();
  assert.equal(source.open().length, 1);
  source.last().frame(snapshot(END));
  assert.deepEqual(links, ["live", "reconnecting", "polling", "live", "finished"]);
  assert.deepEqual(seen, [1, 2, 10]);
});

test("a refused stream and a 404 set the link to gone and end all requests", async () => {
  follow();
  source.last().refused();
  net.calls[0].answer(404, { title: "No such session" });
  await clock.advance(120_000);
  assert.deepEqual(links, ["gone"]);
  assert.equal(net.calls.length, 1);
  assert.equal(clock.pending, 0);
});

test("a 401 during a session sets the link to denied", async () => {
  follow();
  source.last().frame(snapshot({ done: 1 }));
  source.last().refused();
  await settle();
  net.calls[0].answer(401, {});
  await settle();
  assert.deepEqual(links, ["live", "reconnecting", "denied"]);
});

test("a stream that is refused with 204 is finished once status confirms it", async () => {
  follow();
  source.last().refused();
  net.calls[0].answer(200, snapshot(END));
  await settle();
  assert.equal(links.at(-1), "finished");
});

test("with polling disabled (410) the response of the stream decides", async () => {
  follow();
  source.last().refused();
  net.calls[0].answer(410, {});
  await settle();
  assert.equal(net.calls[1].options.method, "HEAD");
  net.calls[1].answer(404);
  await settle();
  assert.equal(links.at(-1), "gone");
});

test("a silent stream stays open if status has nothing newer", async () => {
  follow();
  source.last().frame(snapshot({ done: 1 }));
  await clock.advance(SILENCE);
  net.calls[0].answer(200, snapshot({ done: 1 }));
  await clock.advance(SILENCE - 1);
  assert.equal(net.calls.length, 1);
  assert.equal(source.last().closed, false);
  await clock.advance(1);
  assert.equal(net.calls.length, 2);
});

test("a silent stream is closed if status has a newer snapshot, which is used", async () => {
  follow();
  source.last().frame(snapshot({ done: 1 }));
  await clock.advance(SILENCE);
  net.calls[0].answer(200, snapshot({ done: 7 }));
  await settle();
  assert.deepEqual(seen, [1, 7]);
  await clock.advance(1000);
  assert.equal(source.made[0].closed, true);
  assert.equal(net.waiting().length, 1);
});

test("a status request without a response closes the stream", async () => {
  follow();
  source.last().frame(snapshot({ done: 1 }));
  await clock.advance(SILENCE + CHECK_TIME);
  assert.equal(net.calls[0].aborted, true);
  assert.equal(source.made[0].closed, true);
  assert.deepEqual(links, ["live", "reconnecting"]);
  assert.equal(net.waiting().length, 1);
});

test("a frame right after the check keeps the stream open", async () => {
  follow();
  source.last().frame(snapshot({ done: 1 }));
  await clock.advance(SILENCE);
  net.calls[0].answer(200, snapshot({ done: 2 }));
  await settle();
  source.last().frame(snapshot({ done: 2 }));
  await clock.advance(1000);
  assert.equal(source.last().closed, false);
});

test("status ends a session whose stream was silent about the end", async () => {
  follow();
  source.last().frame(snapshot({ done: 1 }));
  await clock.advance(SILENCE);
  net.calls[0].answer(200, snapshot(END));
  await settle();
  assert.equal(links.at(-1), "finished");
  assert.equal(clock.pending, 0);
});

test("each failed poll makes the next wait shorter", async () => {
  follow({ EventSource: null });
  const waits = [];
  for (let i = 0; i < 4; i++) {
    const call = net.waiting().at(-1);
    waits.push(new URL(call.url, "http://x/").searchParams.get("wait"));
    call.fail();
    await clock.advance(6000);
  }
  assert.deepEqual(waits, ["25", "5", "1", "0"]);
});

test("after an unchanged response that was not held the next poll waits", async () => {
  follow({ EventSource: null });
  net.calls[0].answer(304);
  await clock.advance(900);
  assert.equal(net.calls.length, 1);
  await clock.advance(100);
  assert.equal(net.calls.length, 2);
});

test("the next poll waits for Retry-After", async () => {
  follow({ EventSource: null });
  net.calls[0].answer(503, {}, { "Retry-After": "7" });
  await clock.advance(6999);
  assert.equal(net.calls.length, 1);
  await clock.advance(1);
  assert.equal(net.calls.length, 2);
});

test("check() polls at once and opens the stream", async () => {
  const connection = follow();
  await clock.advance(FIRST_FRAME);
  connection.check();
  await settle();
  assert.equal(source.open().length, 1);
  assert.equal(net.waiting().length, 1);
});

test("close() ends all timers, streams and requests", async () => {
  const connection = follow();
  await clock.advance(FIRST_FRAME);
  connection.close();
  await settle();
  assert.equal(source.open().length, 0);
  assert.equal(net.waiting().length, 0);
  assert.equal(clock.pending, 0);
});
