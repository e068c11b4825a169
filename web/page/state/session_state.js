/** The state of one session on the page: a pure reducer, and the words and numbers to show. */

import { say, phase as phaseWord } from "../strings.js";

const ENDS = new Map([
  ["completed", "completed"],
  ["cancelled", "cancelled"],
  ["error", "failed"],
]);
const RANK = { starting: 0, processing: 1 };

export const finished = (snapshot) => snapshot !== null && ENDS.has(snapshot.status);

/** Final links: no later event changes them. */
const FINAL = new Set(["finished", "gone", "denied"]);

export const initialState = (id, name = "") =>
  Object.freeze({ id, name, snapshot: null, link: "connecting", since: null, lag: null });

/**
 * Return whether snapshot `next` is newer than `last`.
 *
 * A `status` response and a frame can overtake each other, and a session that is resumed after a restart
 * finds its files again: neither may move the progress bar back.
 */
export function supersedes(next, last) {
  if (last === null) return true;
  const a = order(next);
  const b = order(last);
  const i = a.findIndex((value, at) => value !== b[at]);
  return i >= 0 && a[i] > b[i];
}

const order = (s) => [finished(s) ? 1 : 0, s.processed_files, RANK[s.status] ?? 2, s.changed_at];

/** Return the state after one event: {type: "snapshot", snapshot, lag?} or {type: "link", link, at?}. */
export function reduce(state, event) {
  if (event.type === "snapshot") return withSnapshot(state, event);
  if (event.type === "link") return withLink(state, event);
  return state;
}

function withSnapshot(state, { snapshot, lag = null }) {
  if (state.link === "gone" || state.link === "denied") return state;
  if (!supersedes(snapshot, state.snapshot)) return state;
  return Object.freeze({
    ...state,
    snapshot: keepProgress(snapshot, state.snapshot),
    link: finished(snapshot) ? "finished" : state.link,
    lag: lag ?? state.lag,
  });
}

/** Keep "processing" and the percentage while the server finds the files again after a restart. */
function keepProgress(next, last) {
  if (last === null || last.status !== "processing" || next.status !== "starting") return next;
  return {
    ...next,
    status: "processing",
    total_files: Math.max(next.total_files, last.total_files),
    progress: last.progress,
  };
}

function withLink(state, { link, at = null }) {
  if (state.link === link || FINAL.has(state.link)) return state;
  if (link === "finished" && !finished(state.snapshot)) return state;
  return Object.freeze({ ...state, link, since: at, lag: link === "live" || link === "polling" ? state.lag : null });
}

/** Return the phase of a session: a key of `phase` in strings.js. */
export function phaseOf(snapshot) {
  if (snapshot === null) return "waiting";
  if (snapshot.status === "starting") return "finding";
  return ENDS.get(snapshot.status) ?? "processing";
}

/** Return the counts of a session; the bar shows done, skipped and failed as three parts. */
export function countsOf(snapshot) {
  const stats = snapshot?.stats ?? {};
  const done = stats.done ?? 0;
  const skipped = stats.skipped_existing ?? 0;
  const failed = stats.errors ?? 0;
  const processed = done + skipped + failed;
  const total = Math.max(snapshot?.total_files ?? 0, processed);
  return { done, skipped, failed, processed, total, left: total - processed };
}

/** Return everything that the session's card shows at `now` (Unix milliseconds of the server's clock). */
export function view(state, now) {
  const { snapshot } = state;
  const phase = phaseOf(snapshot);
  const counts = countsOf(snapshot);
  const percent = phase === "waiting" || phase === "finding" ? null : snapshot.progress;
  return {
    phase,
    link: state.link,
    lag: state.link === "live" || state.link === "polling" ? state.lag : null,
    away: state.link === "reconnecting" && state.since !== null ? Math.max(0, (now - state.since) / 1000) : null,
    counts,
    percent,
    parts: partsOf(counts, phase),
    valueText: percent === null ? say.valueFinding(counts.total) : say.valueText(percent, counts),
    title: titleOf(phase, percent, counts, state.name),
    rate: snapshot?.files_per_second ?? 0,
    eta: phase === "processing" ? (snapshot.eta_seconds ?? null) : null,
    elapsed: elapsedOf(snapshot, now),
    bytes: snapshot?.stats.bytes ?? 0,
    current: finished(snapshot) ? null : currentOf(snapshot),
    jobError: snapshot?.error ?? null,
    ended: finished(snapshot),
    endedAt: snapshot?.end_time ? Date.parse(snapshot.end_time) : null,
  };
}

/** Return what the session is at: why it waits, else the file that takes longest, else the newest one. */
function currentOf(snapshot) {
  return snapshot?.waiting ?? snapshot?.under_way?.[0]?.file ?? snapshot?.current_file ?? null;
}

function partsOf({ done, skipped, failed, total }, phase) {
  if (total === 0) return { done: phase === "completed" ? 1 : 0, skipped: 0, failed: 0 };
  if (phase === "finding") return { done: 0, skipped: 0, failed: 0 };
  return { done: done / total, skipped: skipped / total, failed: failed / total };
}

function titleOf(phase, percent, counts, name) {
  if (phase === "waiting") return say.titleEnd(phaseWord.waiting, null, name);
  if (phase === "finding") return say.titleFinding(counts.total, name);
  return phase === "processing" ? say.title(percent, name) : say.titleEnd(phaseWord[phase], percent, name);
}

function elapsedOf(snapshot, now) {
  if (!snapshot?.start_time) return null;
  const end = snapshot.end_time ? Date.parse(snapshot.end_time) : now;
  return Math.max(0, (end - Date.parse(snapshot.start_time)) / 1000);
}
