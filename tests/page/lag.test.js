import assert from "node:assert/strict";
import { test } from "node:test";
import { LagMeter } from "../../web/page/state/lag.js";

const http = (ms) => new Date(ms).toUTCString();
const T = Date.parse("2026-01-01T12:00:00Z");

test("clocks that may agree count as equal", () => {
  const meter = new LagMeter();
  assert.deepEqual(meter.sample(T, T + 12), { ms: 12, about: false });
});

test("the first frame reveals a clock that is behind, since a lag is never negative", () => {
  const meter = new LagMeter();
  const { ms, about } = meter.sample(T, T - 5000);
  assert.equal(ms, 0);
  assert.equal(about, true);
});

test("a difference below the clock's precision is not a skew", () => {
  const meter = new LagMeter();
  assert.deepEqual(meter.sample(T + 0.4, T), { ms: 0, about: false });
  assert.deepEqual(meter.sample(T + 5, T + 17), { ms: 12, about: false });
});

test("the Date header reveals a clock that is an hour ahead", () => {
  const meter = new LagMeter();
  const here = T + 3_600_000;
  meter.date(here, here + 20, http(T));
  for (let i = 0; i < 9; i++) meter.sample(T + i * 100, here + i * 100 + 30);
  const { ms, about } = meter.sample(T + 1000, here + 1000 + 80);
  assert.equal(about, true);
  assert.ok(ms <= 50, `${ms}`);
});

test("a lag of three seconds is not a skew if the Date header shows that the clocks agree", () => {
  const meter = new LagMeter();
  meter.date(T + 100, T + 120, http(T));
  assert.deepEqual(meter.sample(T, T + 3000), { ms: 3000, about: false });
});

test("one late frame does not change the median", () => {
  const meter = new LagMeter();
  for (let i = 0; i < 8; i++) meter.sample(T + i, T + i + 5);
  assert.equal(meter.sample(T + 9, T + 909).ms, 5);
});

test("a missing or invalid Date changes nothing", () => {
  const meter = new LagMeter();
  meter.date(T, T, null);
  meter.date(T, T, "yesterday");
  assert.equal(meter.skew, 0);
});

test("a clock that is set while the page is open is detected", () => {
  const meter = new LagMeter();
  meter.date(T, T, http(T));
  meter.date(T + 3_600_000, T + 3_600_000, http(T));
  assert.ok(Math.abs(meter.skew - 3_600_000) <= 3000);
});
