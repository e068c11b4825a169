import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError, requestJson, startSession } from "../../web/page/net/api.js";
import { countFiles } from "../../web/page/state/count.js";
import * as patterns from "../../web/page/state/patterns.js";
import { say } from "../../web/page/strings.js";
import { fakeFetch } from "./fakes.js";

test("without a pattern every file matches", () => {
  assert.equal(patterns.joined(patterns.EVERY), "*");
  assert.equal(patterns.has(patterns.EVERY, "all"), true);
});

test("a second press removes a set and keeps typed patterns", () => {
  const typed = patterns.withTyped(patterns.EVERY, "*.raw");
  const pressed = patterns.toggled(patterns.toggled(typed, "images"), "images");
  assert.deepEqual(pressed, ["*.raw"]);
});

test("typed patterns may be separated by bars, commas or spaces", () => {
  assert.equal(patterns.joined(patterns.withTyped([], " *.a, *.b|*.c *.a ")), "*.a|*.b|*.c");
});

test("a set is pressed only while all its patterns are chosen", () => {
  const images = patterns.toggled(patterns.EVERY, "images");
  assert.equal(patterns.has(images, "images"), true);
  assert.equal(patterns.has(patterns.without(images, "*.png"), "images"), false);
});

const tree = { ".": ["a", "b"], a: ["a/x"], b: [], "a/x": [] };
const files = { a: 1, b: 2, "a/x": 4 };
const list = async (path) => ({ path, directories: tree[path].map((p) => ({ name: p, path: p, files: files[p] })) });

test("the count includes subfolders only if recursive", async () => {
  assert.deepEqual(await countFiles(await list("."), 8, true, list), { files: 15, whole: true });
  assert.deepEqual(await countFiles(await list("."), 8, false, list), { files: 8, whole: true });
});

test("each folder inside is reported with the count of all its subfolders", async () => {
  const told = [];
  await countFiles(await list("."), 8, true, list, (...what) => told.push(what));
  assert.deepEqual(told.sort(), [
    ["a", 5, true],
    ["b", 2, true],
  ]);
});

test("a folder without a count of its own has at least the files below it", async () => {
  assert.deepEqual(await countFiles(await list("."), null, true, list), { files: 7, whole: false });
});

test("counting stops at the limit of requests with a lower bound", async () => {
  let asked = 0;
  const told = [];
  const endless = async (path) => {
    asked += 1;
    return { path, directories: [{ name: "x", path: `${path}/x`, files: 1 }] };
  };
  const { files: found, whole } = await countFiles(await endless("."), 1, true, endless, (...what) => told.push(what));
  assert.equal(whole, false);
  assert.ok(asked < 300);
  assert.deepEqual(told, [["./x", found - 1, false]]);
});

test("a folder that cannot be listed makes the count a lower bound", async () => {
  const broken = async (path) => (path === "a/x" ? Promise.reject(new ApiError(0)) : list(path));
  assert.deepEqual(await countFiles(await list("."), 8, true, broken), { files: 15, whole: false });
});

test("the line beside the button describes the files without an unknown number", () => {
  const from = say.from("photos", true);
  assert.equal(say.takes(from, true, { files: 9, whole: true }), "From “photos” and the folders inside.");
  assert.match(say.takes(from, true, { files: 9000, whole: false }), /^At least 9,000 files/);
  assert.match(say.takes(from, false, { files: 9, whole: true }), /^The matching files among 9 files/);
  assert.match(say.takes(say.from(null, false), false, null), /^All matching files from the top folder only/);
});

test("the fields and the detail of a problem document become an ApiError", async () => {
  const { fetch, calls } = fakeFetch();
  const answer = startSession(fetch, { directory: "x" }, "key");
  assert.equal(calls[0].options.headers["Idempotency-Key"], "key");
  calls[0].answer(422, { detail: "max_files: below 1", errors: [{ field: "max_files", message: "below 1" }] });
  await assert.rejects(
    answer,
    (error) => error.status === 422 && error.fields[0].field === "max_files" && /below 1/.test(error.message),
  );
});

test("a 401 shows the page's own text instead of the detail", () => {
  assert.match(new ApiError(401, { detail: "a token is needed: Authorization: Bearer" }).message, /Sign in again/);
});

test("a missing response and a response without JSON have a readable message", async () => {
  const { fetch, calls } = fakeFetch();
  const lost = requestJson(fetch, "x");
  calls[0].fail();
  await assert.rejects(lost, (error) => error instanceof ApiError && error.status === 0 && error.message.length > 10);
  const html = requestJson(async () => new Response("<h1>Bad gateway</h1>", { status: 502 }), "x");
  await assert.rejects(html, /502/);
});
