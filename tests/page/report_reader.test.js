import assert from "node:assert/strict";
import { test } from "node:test";
import { KEPT, matcher, readReport, typeOf } from "../../web/page/net/report_reader.js";

const record = (changes = {}) => ({
  file: "a.png",
  status: "done",
  error: null,
  size: 1,
  media_type: "image/png",
  ...changes,
});
const lines = (records) => records.map((r) => `${JSON.stringify(r)}\n`).join("");

function stream(text, size = 7) {
  const bytes = new TextEncoder().encode(text);
  let at = 0;
  const body = {
    cancelled: false,
    getReader: () => ({
      read: async () => (at >= bytes.length ? { done: true } : { done: false, value: bytes.slice(at, (at += size)) }),
      cancel: async () => {
        body.cancelled = true;
      },
    }),
    get read() {
      return at;
    },
  };
  return body;
}

const any = matcher({});
const run = (body, matches = any, extra = {}) =>
  readReport(body, matches, { now: () => 0, yieldToBrowser: async () => {}, onRecords: () => {}, ...extra });

test("records are complete wherever the bytes are split", async () => {
  const names = ["é.png", "日本.jpg", "<b>x</b>", "a\nb"];
  for (const size of [1, 2, 3, 5, 1000]) {
    const { kept, incomplete } = await run(stream(lines(names.map((file) => record({ file }))), size));
    assert.deepEqual(
      kept.map((r) => r.file),
      names,
    );
    assert.equal(incomplete, false);
  }
});

test("an empty report has no records", async () => {
  assert.deepEqual(await run(stream("")), { kept: [], read: 0, more: false, incomplete: false });
});

test("reading stops at the match after the first thousand", async () => {
  const body = stream(lines(Array.from({ length: KEPT * 3 }, () => record())), 4096);
  const result = await run(body);
  assert.equal(result.kept.length, KEPT);
  assert.equal(result.more, true);
  assert.equal(body.cancelled, true);
  assert.ok(result.read <= KEPT + 1);
});

test("with exactly KEPT matches there are no more", async () => {
  const result = await run(stream(lines(Array.from({ length: KEPT }, () => record())), 65_536));
  assert.equal(result.more, false);
});

test("a single match in the last record is found", async () => {
  const all = [...Array.from({ length: 5000 }, () => record()), record({ file: "needle", status: "error" })];
  const { kept, read } = await run(stream(lines(all), 65_536), matcher({ status: "error" }));
  assert.equal(kept.length, 1);
  assert.equal(read, 5001);
});

test("a long report yields to the browser every few milliseconds", async () => {
  let time = 0;
  let pauses = 0;
  const body = stream(lines(Array.from({ length: 100 }, () => record())), 65_536);
  await run(body, any, { now: () => time++, yieldToBrowser: async () => pauses++ });
  assert.ok(pauses >= 10, `${pauses}`);
});

test("each record is passed to onRecords once", async () => {
  let time = 0;
  const got = [];
  const body = stream(lines(Array.from({ length: 50 }, (_, i) => record({ size: i }))), 100);
  await run(body, any, { now: () => time++, onRecords: (batch) => got.push(...batch) });
  assert.deepEqual(
    got.map((r) => r.size),
    Array.from({ length: 50 }, (_, i) => i),
  );
});

test("a report that ends within a line is incomplete, and its records are kept", async () => {
  const { kept, incomplete } = await run(stream(lines([record(), record()]) + '{"file": "c'));
  assert.equal(kept.length, 2);
  assert.equal(incomplete, true);
});

test("the search compares names and messages without regard to case", () => {
  const finds = matcher({ text: " PERMISSION " });
  assert.equal(finds(record({ error: "permission denied" })), true);
  assert.equal(finds(record({ file: "permission.txt" })), true);
  assert.equal(finds(record()), false);
});

test("outcome, type and text must all match", () => {
  const finds = matcher({ text: "a", status: "done", type: "image" });
  assert.equal(finds(record()), true);
  assert.equal(finds(record({ status: "skipped" })), false);
  assert.equal(finds(record({ media_type: "video/mp4" })), false);
});

test("an unknown media type has the type other", () => {
  const types = ["image/png", "video/mp4", "audio/ogg", "text/plain", "application/pdf", "application/zip", null].map(
    (media_type) => typeOf({ media_type }),
  );
  assert.deepEqual(types, ["image", "video", "audio", "document", "document", "other", "other"]);
});
