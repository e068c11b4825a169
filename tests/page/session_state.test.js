import assert from "node:assert/strict";
import { test } from "node:test";
import { countsOf, initialState, reduce, supersedes, view } from "../../web/page/state/session_state.js";
import { snapshot } from "./fakes.js";

const play = (...events) => events.reduce(reduce, initialState("s1"));
const snap = (changes, lag) => ({ type: "snapshot", snapshot: snapshot(changes), lag });
const link = (word) => ({ type: "link", link: word });

test("an older snapshot that arrives later is ignored", () => {
  const state = play(snap({ done: 5 }), snap({ done: 3, changed_at: 9_999_999 }));
  assert.equal(state.snapshot.processed_files, 5);
});

test("of two snapshots with the same count the later one is kept", () => {
  const state = play(snap({ current_file: "new", changed_at: 5 }), snap({ current_file: "old", changed_at: 4 }));
  assert.equal(state.snapshot.current_file, "new");
});

test("a finished session ignores even a higher count", () => {
  const state = play(snap({ done: 9, failed: 1, status: "completed", progress: 100 }), snap({ done: 11 }));
  assert.equal(state.snapshot.status, "completed");
  assert.equal(state.link, "finished");
});

test("a session that finds its files again after a restart keeps its percentage", () => {
  const state = play(snap({ done: 5 }), snap({ done: 6, status: "starting", total_files: 7, progress: 0 }));
  assert.equal(view(state, 0).percent, 50);
  assert.equal(view(state, 0).counts.total, 10);
});

test("the same snapshot is not newer than itself", () => {
  assert.equal(supersedes(snapshot({ done: 1 }), snapshot({ done: 1 })), false);
});

test("a session that is gone ignores late responses", () => {
  const state = play(link("gone"), snap({ done: 1 }), link("live"));
  assert.equal(state.link, "gone");
  assert.equal(state.snapshot, null);
});

test("a finished session cannot become live or reconnecting", () => {
  const state = play(snap({ status: "completed" }), link("reconnecting"));
  assert.equal(state.link, "finished");
});

test("the lag is removed while the connection is lost", () => {
  const before = play(link("live"), snap({ done: 1 }, { ms: 4, about: false }));
  assert.equal(view(before, 0).lag.ms, 4);
  assert.equal(view(reduce(before, link("reconnecting")), 0).lag, null);
});

test("the reducer does not change its argument", () => {
  const before = Object.freeze(play(snap({ done: 1 })));
  reduce(before, snap({ done: 2 }));
  assert.equal(before.snapshot.processed_files, 1);
});

test("an unknown event leaves the state as it is", () => {
  const state = play(snap({ done: 1 }));
  assert.equal(reduce(state, { type: "tea" }), state);
});

test("the processed files are done, skipped and failed together", () => {
  const counts = countsOf(snapshot({ done: 5, skipped: 2, failed: 1 }));
  assert.deepEqual(counts, { done: 5, skipped: 2, failed: 1, processed: 8, total: 10, left: 2 });
  const { parts } = view(play(snap({ done: 5, skipped: 2, failed: 1 })), 0);
  assert.deepEqual(parts, { done: 0.5, skipped: 0.2, failed: 0.1 });
});

test("while files are being found there is a count but no percentage", () => {
  const shown = view(play(snap({ status: "starting", total_files: 1234, progress: 0 })), 0);
  assert.equal(shown.percent, null);
  assert.match(shown.valueText, /1,234/);
  assert.match(shown.title, /1,234 found/);
});

test("the title begins with the percentage and ends with the session's name", () => {
  const titled = (name) => view(reduce(initialState("s1", name), snap({ done: 3 })), 0).title;
  assert.equal(titled("photos"), "30% · photos");
  assert.equal(titled(""), "30% · Ingest");
});

test("the view has the time since the connection was lost until it is back", () => {
  const lost = play(snap({ done: 1 }), { type: "link", link: "reconnecting", at: 1000 });
  assert.equal(view(lost, 5000).away, 4);
  assert.equal(view(reduce(lost, { type: "link", link: "reconnecting", at: 9000 }), 5000).away, 4);
  assert.equal(view(reduce(lost, { type: "link", link: "live", at: 6000 }), 7000).away, null);
});

test("a completed session without files has 100 % and a full bar", () => {
  const shown = view(play(snap({ status: "completed", total_files: 0, progress: 100 })), 0);
  assert.equal(shown.percent, 100);
  assert.equal(shown.parts.done, 1);
});

test("a cancelled session keeps its percentage and has the phase in its title", () => {
  const shown = view(play(snap({ done: 3, status: "cancelled" })), 0);
  assert.equal(shown.percent, 30);
  assert.equal(shown.phase, "cancelled");
  assert.match(shown.title, /Cancelled/);
});

test("the text for screen readers has percentage, done, skipped and failed", () => {
  const { valueText } = view(play(snap({ done: 5, skipped: 2, failed: 1 })), 0);
  assert.equal(valueText, "80 percent: 5 done, 2 skipped, 1 failed, of 10 files");
});

test("the elapsed time stops when the session ends", () => {
  const start = Date.parse("2026-01-01T00:00:00Z");
  assert.equal(view(play(snap({})), start + 5000).elapsed, 5);
  const ended = snap({ status: "completed", end_time: "2026-01-01T00:00:09Z" });
  assert.equal(view(play(ended), start + 99_000).elapsed, 9);
});

test("before the first snapshot every value can be shown", () => {
  const shown = view(initialState("s1"), 0);
  assert.equal(shown.phase, "waiting");
  assert.equal(shown.elapsed, null);
  assert.equal(shown.counts.total, 0);
});
