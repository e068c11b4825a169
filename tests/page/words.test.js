import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { LiveRegion } from "../../web/page/state/live_region.js";
import { paths, randomKey } from "../../web/page/net/api.js";
import { split, visible } from "../../web/page/state/names.js";
import { say, text, units } from "../../web/page/strings.js";
import { initialState, reduce, view } from "../../web/page/state/session_state.js";
import { nameOf } from "../../web/page/state/session_name.js";
import { snapshot } from "./fakes.js";

const folder = new URL("../../web/page/", import.meta.url);
const read = (name) => readFileSync(new URL(name, folder), "utf8");
const page = read("index.html");
const scripts = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith(".js"));

test("every text that index.html names is in strings.js", () => {
  const named = [...page.matchAll(/data-(?:text|label|placeholder)="(\w+)"/g)].map(([, key]) => key);
  assert.ok(named.length > 50);
  assert.deepEqual(
    named.filter((key) => typeof text[key] !== "string"),
    [],
  );
});

test("every text in strings.js is used", () => {
  const sources =
    page +
    scripts
      .filter((name) => name !== "strings.js")
      .map(read)
      .join("");
  assert.deepEqual(
    Object.keys(text).filter((key) => !new RegExp(`(text\\.|")${key}\\b`).test(sources)),
    [],
  );
  assert.deepEqual(
    Object.keys(say).filter((key) => !sources.includes(`say.${key}`)),
    [],
  );
});

test("index.html has English text only where no script can insert it", () => {
  const body = page
    .replace(/<(noscript|title)>.*?<\/\1>|<p [^>]*data-unstarted>.*?<\/p>/gs, "")
    .replace(/<[^>]*>/g, "");
  assert.equal(body.trim(), "");
});

test("no script parses markup, and the page has no inline script", () => {
  for (const name of scripts)
    assert.doesNotMatch(
      read(name),
      /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function/,
      name,
    );
  assert.doesNotMatch(page, /<script(?![^>]*src=)|\son\w+=|\sstyle=/);
});

test("every URL is relative, so the page works below any prefix", () => {
  for (const [, url] of page.matchAll(/(?:href|src)="([^"]*)"/g)) assert.match(url, /^(static\/|#|\.\/)/, url);
  for (const url of [paths.process, paths.status("a"), paths.directories("/x")]) assert.match(url, /^api\//);
});

test("an id in a URL is encoded", () => {
  assert.equal(paths.status("../x?y#z"), "api/ingest/status/..%2Fx%3Fy%23z");
});

test("invisible characters in a name become visible", () => {
  assert.equal(visible("a\nb\tc"), "a␊b␉c");
  assert.equal(visible("gpj\u202egnp.exe"), "gpj‹U+202E›gnp.exe");
  assert.equal(visible("<img src=x onerror=alert(1)>"), "<img src=x onerror=alert(1)>");
  assert.equal(visible("日本 é ✓"), "日本 é ✓");
});

test("a joiner stays invisible only in emoji and in scripts that use it", () => {
  for (const name of ["👩‍👩‍👧 é", "❤️‍🔥", "👩🏽‍🚀", "می\u200cخواهم", "क्\u200dष"]) assert.equal(visible(name), name);
  assert.equal(visible("a\u200db"), "a‹U+200D›b");
  assert.equal(visible("\u061cx\u00ad\u{e0041}"), "‹U+061C›x‹U+00AD›‹U+E0041›");
});

test("a path is split before its file name", () => {
  assert.deepEqual(split("a/b/c.png"), ["a/b/", "c.png"]);
  assert.deepEqual(split("c.png"), ["", "c.png"]);
});

test("sizes and durations are rounded to a readable precision", () => {
  assert.deepEqual([0, 999, 1000, 48_213, 999_600, 5e9].map(units.bytes), [
    "0 B",
    "999 B",
    "1.0 kB",
    "48.2 kB",
    "1.0 MB",
    "5.0 GB",
  ]);
  assert.deepEqual([0.2, 59.4, 61, 3700, 200_000].map(units.duration), [
    "under 1 s",
    "59 s",
    "1 min 1 s",
    "1 h 1 min",
    "2 d 7 h",
  ]);
});

test("estimates are rounded according to their size", () => {
  const said = [9.4, 61, 599, 601, 3700, 40_000, 93_784, 400_000].map(units.estimate);
  assert.deepEqual(said, ["9 s", "1 min 0 s", "9 min 50 s", "10 min", "1 h 0 min", "11 h", "26 h", "5 days"]);
});

test("the summary describes the end and the next step", () => {
  const v = { done: 0, skipped: 0, failed: 0, processed: 0, total: 0, left: 0 };
  assert.match(say.completed(v, "1 s"), /No file matched/);
  assert.match(say.completed({ ...v, skipped: 5, total: 5 }, "1 s"), /Every file was skipped/);
  assert.match(say.completed({ ...v, failed: 1, total: 5 }, "1 s"), /can be retried/);
  assert.match(say.cancelled(v, "1 s"), /before any file was found/);
  assert.match(say.stopped("disk full"), /disk full\n.*start again/);
  assert.equal(say.listCounts(v), "no files");
  assert.equal(say.listCounts({ ...v, skipped: 5, total: 5 }), "5 skipped");
});

test("the name of a retry of a retry has the prefix once", () => {
  assert.equal(say.retryName(say.retryName("photos")), "Retry of photos");
});

test("keys for a repeated POST differ", () => {
  assert.notEqual(randomKey(), randomKey());
  assert.match(randomKey(), /^[0-9a-f]{32}$/);
});

const shown = (changes) => view(reduce(initialState("s1"), { type: "snapshot", snapshot: snapshot(changes) }), 0);

test("the live region announces the start, each 10 % at most every ten seconds, and the end", () => {
  const liveRegion = new LiveRegion();
  const heard = [];
  const hear = (changes, now) => {
    const words = liveRegion.next(shown(changes), now);
    if (words !== null) heard.push(words.split(/[:.]/)[0]);
  };
  for (let done = 1; done <= 9; done++) hear({ done }, done * 3000);
  hear({ done: 10, status: "completed", progress: 100 }, 27_001);
  assert.deepEqual(heard, ["10 percent", "50 percent", "90 percent", "Completed"]);
});

test("the live region announces a lost connection and its return once each", () => {
  const liveRegion = new LiveRegion();
  const play = (link) =>
    reduce(reduce(initialState("s1"), { type: "snapshot", snapshot: snapshot({ done: 1 }) }), { type: "link", link });
  const hear = (link, now) => liveRegion.next(view(play(link), 0), now);
  hear("live", 0);
  const heard = [
    ["reconnecting", 1000],
    ["live", 2000],
    ["reconnecting", 3000],
    ["reconnecting", 5900],
    ["reconnecting", 6000],
    ["reconnecting", 7000],
    ["live", 8000],
    ["live", 11_000],
    ["live", 12_000],
  ].map(([link, now]) => hear(link, now)?.split(".")[0]);
  assert.deepEqual(heard.filter(Boolean), ["Reconnecting", "Live"]);
});

test("a session is called by its name, else by what was asked for, else by its id", () => {
  const request = { directory: "holiday", pattern: "*.jpg", retry_of: null };
  assert.equal(nameOf("abcdefghij", { name: "Lisbon", request }), "Lisbon");
  assert.equal(nameOf("abcdefghij", { name: null, request }), "holiday · *.jpg");
  assert.equal(
    nameOf("abcdefghij", { name: null, request: { ...request, directory: ".", pattern: "*" } }),
    "All folders",
  );
  assert.equal(
    nameOf("abcdefghij", { name: null, request: { ...request, retry_of: "123456789" } }),
    "Retry of 12345678",
  );
  assert.equal(nameOf("abcdefghij", null), "Session abcdefgh");
  assert.equal(nameOf("abcdefghij", {}), "Session abcdefgh");
});
