import assert from "node:assert/strict";
import { test } from "node:test";
import { Refresher } from "../../web/page/net/refresher.js";
import { NAMED, causeOf, groupByCause } from "../../web/page/state/causes.js";
import { extensionOf, fieldsOf, hasPreview, sizeOf } from "../../web/page/state/fields.js";
import { fileQuery, takesAll } from "../../web/page/state/file_query.js";

test("the query of a page has what is filled in, and the cursor", () => {
  const filter = { q: " a b&c ", status: "error", type: "", sort: "-size" };
  assert.equal(fileQuery(filter), "q=a+b%26c&status=error&sort=-size&limit=50");
  assert.equal(
    fileQuery({ q: "", status: "", type: "image/*", sort: "n" }, "7"),
    "type=image%2F*&sort=n&limit=50&after=7",
  );
});

test("an order alone takes every file", () => {
  assert.equal(takesAll({ q: " ", status: "", type: "", sort: "-size" }), true);
  assert.equal(takesAll({ q: "", status: "done", type: "" }), false);
});

test("errors that differ in numbers and quoted names have one cause", () => {
  const same = [
    "image file is truncated (24 bytes not processed)",
    "image file is truncated (1,048 bytes not processed)",
  ];
  assert.equal(causeOf(same[0]), "image file is truncated");
  assert.equal(causeOf(same[1]), causeOf(same[0]));
  assert.equal(causeOf("no codec 'a.b'"), causeOf('no codec "x"'));
  assert.notEqual(causeOf("timed out after 5 s"), causeOf("permission denied"));
});

test("the most frequent cause is first, and an error without others keeps its message", () => {
  const record = (error, n) => ({ error, n });
  const many = Array.from({ length: NAMED + 5 }, (_, n) => record(`timed out after ${n} s`, n));
  const [first, second] = groupByCause([record("exit code 7", 99), ...many]);
  assert.deepEqual([first.cause, first.count, first.files.length], ["timed out after … s", NAMED + 5, NAMED]);
  assert.deepEqual([second.cause, second.count], ["exit code 7", 1]);
});

test("metadata is listed with labels, and without what is empty", () => {
  const metadata = { format: "JPEG", keywords: ["a", "b"], exif: { taken_at: "2019", lens: null }, none: [] };
  assert.deepEqual(fieldsOf(metadata), [
    ["Format", "JPEG"],
    ["Keywords", "a, b"],
    ["Exif · taken at", "2019"],
  ]);
  assert.deepEqual(fieldsOf(null), []);
});

test("only numbers are a size, and only pictures that are no errors have a preview", () => {
  assert.equal(sizeOf({ display_width: 4, display_height: 3 }), "4 × 3");
  assert.equal(sizeOf({ display_width: "4", display_height: 3 }), null);
  assert.equal(sizeOf(undefined), null);
  assert.equal(hasPreview({ status: "done", media_type: "image/png" }), true);
  assert.equal(hasPreview({ status: "error", media_type: "image/png" }), false);
  assert.equal(hasPreview({ status: "skipped", media_type: null }), false);
});

test("a name that begins with a dot has no extension", () => {
  assert.deepEqual(["a/b.jpeg", "a.b/c", ".bashrc", "x.markdown"].map(extensionOf), ["JPEG", "", "", "MARK"]);
});

function refreshed(visible = () => true) {
  const timers = [];
  const loads = [];
  let now = 1000;
  const env = {
    now: () => now,
    setTimeout: (run, ms) => timers.push({ run, ms }),
    clearTimeout: () => timers.splice(0),
  };
  const load = () => new Promise((resolve, reject) => loads.push({ resolve, reject }));
  const refresher = new Refresher(load, 500, env, visible);
  const settle = async () => {
    for (let n = 0; n < 5; n++) await null;
  };
  return { refresher, timers, loads, settle, pass: (ms) => (now += ms) };
}

test("many changes during a request are one more request, after the pause", async () => {
  const { refresher, timers, loads, settle, pass } = refreshed();
  refresher.want();
  assert.equal(timers[0].ms, 0);
  timers.shift().run();
  for (let n = 0; n < 9; n++) refresher.want();
  assert.deepEqual([timers.length, loads.length], [0, 1]);
  pass(200);
  loads[0].resolve();
  await settle();
  assert.deepEqual([timers.length, timers[0].ms], [1, 300]);
});

test("a request that fails is made again at the next change", async () => {
  const { refresher, timers, loads, settle } = refreshed();
  refresher.want();
  timers.shift().run();
  loads[0].reject(new Error("gone"));
  await settle();
  assert.equal(timers.length, 0);
  refresher.want();
  assert.equal(timers.length, 1);
});

test("nothing is asked for while the page is hidden, nor after the end", () => {
  let visible = false;
  const { refresher, timers } = refreshed(() => visible);
  refresher.want();
  assert.equal(timers.length, 0);
  visible = true;
  refresher.want();
  assert.equal(timers.length, 1);
  refresher.close();
  refresher.want();
  assert.equal(timers.length, 0);
});
