import assert from "node:assert/strict";
import { test } from "node:test";
import { plotPaths } from "../../web/page/state/plot.js";
import { RateHistory } from "../../web/page/state/rate.js";

const near = (actual, expected) => assert.ok(Math.abs(actual - expected) < 1e-6, `${actual} is not ${expected}`);

test("a steady rate is drawn as one", () => {
  const history = new RateHistory(10);
  for (let t = 0; t <= 100_000; t += 100) history.note(t, t / 100);
  for (const rate of history.points) near(rate, 10);
});

test("an hour takes no more points than a minute", () => {
  const history = new RateHistory(10);
  for (let t = 0; t <= 3_600_000; t += 1000) history.note(t, t);
  assert.ok(history.points.length <= 10);
});

test("no file is lost or counted twice when spans are merged", () => {
  const history = new RateHistory(8);
  for (let t = 0; t <= 64_000; t += 100) history.note(t, t < 32_000 ? t / 100 : 320 + (t - 32_000) / 20);
  const { points } = history;
  near(points.reduce((sum, rate) => sum + rate, 0) / points.length, 30);
});

test("what came before the page was opened counts as an average", () => {
  const history = new RateHistory(100);
  history.note(10_000, 100, 0);
  for (const rate of history.points) near(rate, 10);
  assert.equal(history.drawable, false);
});

test("the average from before the page was opened is drawn apart from what was measured", () => {
  const history = new RateHistory(100);
  history.note(10_000, 100, 0);
  history.note(11_000, 200);
  assert.equal(history.unseen, 40);
  const { line, before } = plotPaths(history.points, history.unseen);
  assert.equal(before.split("L").length, 40);
  assert.equal(line.split("L").length, history.points.length - 39);
  assert.equal(plotPaths([1, 2, 3]).before, "");
});

test("a silence of ten seconds is spread over those ten seconds", () => {
  const history = new RateHistory(100);
  history.note(0, 0);
  history.note(10_000, 10);
  near(history.peak, 1);
});

test("time or counts that go back are ignored", () => {
  const history = new RateHistory(100);
  history.note(0, 0);
  history.note(1000, 10);
  history.note(500, 20);
  history.note(2000, 5);
  near(history.peak, 10);
});

test("before there is anything to draw nothing is drawn", () => {
  assert.equal(new RateHistory().drawable, false);
  assert.deepEqual(new RateHistory().points, []);
  assert.equal(new RateHistory().peak, 0);
});
