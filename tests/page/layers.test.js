import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

const page = new URL("../../web/page/", import.meta.url);

/** Which folders the scripts of a folder may import from, besides strings.js. */
const ALLOWED = { state: ["state"], net: ["net", "state"], view: ["view", "net", "state"] };

const scriptsOf = (folder) =>
  readdirSync(new URL(`${folder}/`, page)).map((name) => {
    const url = new URL(`${folder}/${name}`, page);
    return { url, name: `${folder}/${name}`, code: readFileSync(url, "utf8") };
  });

for (const [folder, allowed] of Object.entries(ALLOWED)) {
  test(`scripts in ${folder} import only from ${allowed.join(", ")} and strings.js`, () => {
    const scripts = scriptsOf(folder);
    assert.ok(scripts.length > 5);
    for (const { url, name, code } of scripts) {
      for (const [, target] of code.matchAll(/ from "([^"]+)"/g)) {
        const path = new URL(target, url).href.slice(page.href.length);
        assert.ok(path === "strings.js" || allowed.includes(path.split("/")[0]), `${name} imports ${path}`);
      }
    }
  });
}

test("only scripts in view use the document", () => {
  for (const { name, code } of [...scriptsOf("state"), ...scriptsOf("net")]) {
    assert.doesNotMatch(code, /\b(document|window)\.|\brequestAnimationFrame\(/, name);
  }
});

test("scripts in state send no requests and read no clock", () => {
  for (const { name, code } of scriptsOf("state")) {
    assert.doesNotMatch(code, /\bfetch\(|\bnew EventSource|\bDate\.now\(|\bperformance\.|\bsetTimeout\(/, name);
  }
});
