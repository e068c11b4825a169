import assert from "node:assert/strict";
import { test } from "node:test";
import { plotPaths } from "../../web/page/state/plot.js";
import { RateHistory } from "../../web/page/state/rate.js";

const near = (actual, expected) => assert.ok(Math.abs(actual - expected) < 1e-6, `${actual} is not ${expected}`);

test("a constant rate has constant points", () => {
  const history = new RateHistory(10);
  for (let t = 0; t <= 100_000; t += 100) history.add(t, t / 100);
  for (const rate of history.points) near(rate, 10);
});

test("an hour has at most as many points as a minute", () => {
  const history = new RateHistory(10);
  for (let t = 0; t <= 3_600_000; t += 1000) history.add(t, t);
  assert.ok(history.points.length <= 10);
});

test("merging spans keeps the number of files", () => {
  const history = new RateHistory(8);
  for (let t = 0; t <= 64_000; t += 100) history.add(t, t < 32_000 ? t / 100 : 320 + (t - 32_000) / 20);
  const { points } = history;
  near(points.reduce((sum, rate) => sum + rate, 0) / points.length, 30);
});

test("the rate before the page was opened is an average", () => {
  const history = new RateHistory(100);
  history.add(10_000, 100, 0);
  for (const rate of history.points) near(rate, 10);
  assert.equal(history.drawable, false);
});

test("the average before the page was opened is a path of its own", () => {
  const history = new RateHistory(100);
  history.add(10_000, 100, 0);
  history.add(11_000, 200);
  assert.equal(history.unseen, 40);
  const { line, before } = plotPaths(history.points, history.unseen);
  assert.equal(before.split("L").length, 40);
  assert.equal(line.split("L").length, history.points.length - 39);
  assert.equal(plotPaths([1, 2, 3]).before, "");
});

test("files after ten seconds without a snapshot are spread over them", () => {
  const history = new RateHistory(100);
  history.add(0, 0);
  history.add(10_000, 10);
  near(history.peak, 1);
});

test("time or counts that go back are ignored", () => {
  const history = new RateHistory(100);
  history.add(0, 0);
  history.add(1000, 10);
  history.add(500, 20);
  history.add(2000, 5);
  near(history.peak, 10);
});

test("with too few points nothing is drawn", () => {
  assert.equal(new RateHistory().drawable, false);
  assert.deepEqual(new RateHistory().points, []);
  assert.equal(new RateHistory().peak, 0);
});
