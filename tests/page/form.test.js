import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiError, ask, startSession } from "../../web/page/net/api.js";
import { countFiles } from "../../web/page/state/count.js";
import * as patterns from "../../web/page/state/patterns.js";
import { say } from "../../web/page/strings.js";
import { fakeFetch } from "./fakes.js";

test("no pattern is every pattern", () => {
  assert.equal(patterns.joined(patterns.EVERY), "*");
  assert.equal(patterns.has(patterns.EVERY, "all"), true);
});

test("a set that is pressed twice is gone again, and what was typed stays", () => {
  const typed = patterns.withTyped(patterns.EVERY, "*.raw");
  const pressed = patterns.toggled(patterns.toggled(typed, "images"), "images");
  assert.deepEqual(pressed, ["*.raw"]);
});

test("what is typed may hold several patterns, in any of the usual ways to part them", () => {
  assert.equal(patterns.joined(patterns.withTyped([], " *.a, *.b|*.c *.a ")), "*.a|*.b|*.c");
});

test("a set is lit only while all of it is chosen", () => {
  const images = patterns.toggled(patterns.EVERY, "images");
  assert.equal(patterns.has(images, "images"), true);
  assert.equal(patterns.has(patterns.without(images, "*.png"), "images"), false);
});

const tree = { ".": ["a", "b"], a: ["a/x"], b: [], "a/x": [] };
const files = { a: 1, b: 2, "a/x": 4 };
const list = async (path) => ({ path, directories: tree[path].map((p) => ({ name: p, path: p, files: files[p] })) });

test("the number of files is that of the whole tree, or of the one folder", async () => {
  assert.deepEqual(await countFiles(await list("."), 8, true, list), { files: 15, whole: true });
  assert.deepEqual(await countFiles(await list("."), 8, false, list), { files: 8, whole: true });
});

test("each folder inside is told of with all that is below it", async () => {
  const told = [];
  await countFiles(await list("."), 8, true, list, (...what) => told.push(what));
  assert.deepEqual(told.sort(), [
    ["a", 5, true],
    ["b", 2, true],
  ]);
});

test("a folder whose own number is not known has at least what is below it", async () => {
  assert.deepEqual(await countFiles(await list("."), null, true, list), { files: 7, whole: false });
});

test("a tree that takes too many questions has at least what was found", async () => {
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

test("a folder that cannot be asked for leaves the number open", async () => {
  const broken = async (path) => (path === "a/x" ? Promise.reject(new ApiError(0)) : list(path));
  assert.deepEqual(await countFiles(await list("."), 8, true, broken), { files: 15, whole: false });
});

test("the line beside the button says what is taken, and promises no number that is not known", () => {
  const from = say.from("photos", true);
  assert.equal(say.takes(from, true, { files: 9, whole: true }), "From “photos” and the folders inside.");
  assert.match(say.takes(from, true, { files: 9000, whole: false }), /^At least 9,000 files/);
  assert.match(say.takes(from, false, { files: 9, whole: true }), /^Those of 9 files that match/);
  assert.match(say.takes(say.from(null, false), false, null), /^The files that match, from the top folder alone/);
});

test("a problem document names the fields; its detail is the message", async () => {
  const { fetch, calls } = fakeFetch();
  const answer = startSession(fetch, { directory: "x" }, "key");
  assert.equal(calls[0].options.headers["Idempotency-Key"], "key");
  calls[0].answer(422, { detail: "max_files: below 1", errors: [{ field: "max_files", message: "below 1" }] });
  await assert.rejects(
    answer,
    (error) => error.status === 422 && error.fields[0].field === "max_files" && /below 1/.test(error.message),
  );
});

test("one who is signed out reads what to do, not what the server tells programs", () => {
  assert.match(new ApiError(401, { detail: "a token is needed: Authorization: Bearer" }).message, /Sign in again/);
});

test("no answer, and an answer that is no JSON, are errors with words for people", async () => {
  const { fetch, calls } = fakeFetch();
  const lost = ask(fetch, "x");
  calls[0].fail();
  await assert.rejects(lost, (error) => error instanceof ApiError && error.status === 0 && error.message.length > 10);
  const html = ask(async () => new Response("<h1>Bad gateway</h1>", { status: 502 }), "x");
  await assert.rejects(html, /502/);
});
