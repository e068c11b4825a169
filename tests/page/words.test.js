import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { Announcer } from "../../web/page/announcer.js";
import { paths, randomKey } from "../../web/page/api.js";
import { split, visible } from "../../web/page/names.js";
import { say, text, units } from "../../web/page/strings.js";
import { initialState, reduce, view } from "../../web/page/state.js";
import { snapshot } from "./fakes.js";

const folder = new URL("../../web/page/", import.meta.url);
const read = (name) => readFileSync(new URL(name, folder), "utf8");
const page = read("index.html");
const scripts = readdirSync(folder).filter((name) => name.endsWith(".js"));

test("every word that index.html names stands in strings.js", () => {
  const named = [...page.matchAll(/data-(?:text|label|placeholder)="(\w+)"/g)].map(([, key]) => key);
  assert.ok(named.length > 50);
  assert.deepEqual(named.filter((key) => typeof text[key] !== "string"), []);
});

test("no word in strings.js is left over", () => {
  const sources = page + scripts.filter((name) => name !== "strings.js").map(read).join("");
  assert.deepEqual(Object.keys(text).filter((key) => !new RegExp(`(text\\.|")${key}\\b`).test(sources)), []);
  assert.deepEqual(Object.keys(say).filter((key) => !sources.includes(`say.${key}`)), []);
});

test("index.html holds no English of its own but for the title and the noscript line", () => {
  const body = page.replace(/<(noscript|title)>.*?<\/\1>/gs, "").replace(/<[^>]*>/g, "");
  assert.equal(body.trim(), "");
});

test("no script turns text into markup, and none stands in the page", () => {
  for (const name of scripts) assert.doesNotMatch(read(name), /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function/, name);
  assert.doesNotMatch(page, /<script(?![^>]*src=)|\son\w+=|\sstyle=/);
});

test("every address is relative: the page works below any prefix", () => {
  for (const [, url] of page.matchAll(/(?:href|src)="([^"]*)"/g)) assert.match(url, /^(static\/|#|\.\/)/, url);
  for (const url of [paths.process, paths.status("a"), paths.directories("/x")]) assert.match(url, /^api\//);
});

test("an id in an address cannot leave its place", () => {
  assert.equal(paths.status("../x?y#z"), "api/ingest/status/..%2Fx%3Fy%23z");
});

test("a name shows what it hides: line breaks, controls and marks that turn text round", () => {
  assert.equal(visible("a\nb\tc"), "a␊b␉c");
  assert.equal(visible("gpj\u202egnp.exe"), "gpj‹U+202E›gnp.exe");
  assert.equal(visible("<img src=x onerror=alert(1)>"), "<img src=x onerror=alert(1)>");
  assert.equal(visible("日本 é ✓"), "日本 é ✓");
});

test("a path is split before its name", () => {
  assert.deepEqual(split("a/b/c.png"), ["a/b/", "c.png"]);
  assert.deepEqual(split("c.png"), ["", "c.png"]);
});

test("sizes and durations have the precision that a person can use", () => {
  assert.deepEqual([0, 999, 1000, 48_213, 999_600, 5e9].map(units.bytes), ["0 B", "999 B", "1.0 kB", "48.2 kB", "1.0 MB", "5.0 GB"]);
  assert.deepEqual([0.2, 59.4, 61, 3700, 200_000].map(units.duration), ["under 1 s", "59 s", "1 min 1 s", "1 h 1 min", "2 d 7 h"]);
});

test("keys for a repeated POST differ", () => {
  assert.notEqual(randomKey(), randomKey());
  assert.match(randomKey(), /^[0-9a-f]{32}$/);
});

const shown = (changes) => view(reduce(initialState("s1"), { type: "snapshot", snapshot: snapshot(changes) }), 0);

test("a screen reader hears the start, each tenth at most every ten seconds, and the end", () => {
  const announcer = new Announcer();
  const heard = [];
  const hear = (changes, now) => {
    const words = announcer.next(shown(changes), now);
    if (words !== null) heard.push(words.split(/[:.]/)[0]);
  };
  for (let done = 1; done <= 9; done++) hear({ done }, done * 3000);
  hear({ done: 10, status: "completed", progress: 100 }, 27_001);
  assert.deepEqual(heard, ["10 percent", "50 percent", "90 percent", "Completed"]);
});
