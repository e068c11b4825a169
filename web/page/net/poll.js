/** Long polling of one session's status, for networks that do not let streams through. */

import { paths } from "./api.js";

/** Seconds that a request may be held: below the 30 and 60 seconds after which proxies time out. */
export const LONGEST_WAIT = 25;
/** Least milliseconds between two requests. */
export const LEAST_GAP = 250;
const UNHELD_GAP = 1000;
const GRACE = 10_000;
const RETRIES = [200, 500, 1000, 2000, 4000, 5000];
const LONGEST_RETRY = 30;

/**
 * Poll session `id` until closed and call the functions of `on`:
 *
 * - snapshot(snapshot): the response has a new snapshot;
 * - alive(failures): the server responded, after this number of consecutive failures;
 * - failed(failures): there was no response, and the request is repeated;
 * - refused(status): the response was 401, 404 or 410, and polling stops.
 *
 * A request that fails while it is held makes the next wait shorter: if a proxy closes connections
 * every second, waits of one second still succeed.
 */
export function openPoll(id, env, on) {
  let wait = LONGEST_WAIT;
  let etag = null;
  let failures = 0;
  let timer = 0;
  let controller = null;
  let closed = false;

  const later = (ms) => {
    timer = env.setTimeout(ask, ms);
  };

  async function ask() {
    const asked = env.now();
    const answer = await held();
    if (closed) return;
    if (answer === null) return failedOnce();
    if (REFUSALS.has(answer.status)) return on.refused(answer.status);
    if (answer.status !== 200 && answer.status !== 304) return failedOnce(answer.retryAfter);
    on.alive(failures);
    failures = 0;
    if (closed) return;
    if (answer.status === 200) {
      etag = answer.etag;
      on.snapshot(answer.snapshot);
      if (!closed) later(Math.max(0, LEAST_GAP - (env.now() - asked)));
    } else {
      unchanged(env.now() - asked);
    }
  }

  async function held() {
    controller = new AbortController();
    const guard = env.setTimeout(() => controller.abort(), wait * 1000 + GRACE);
    try {
      return await fetchStatus(env.fetch, id, wait, etag, controller.signal);
    } catch {
      return null;
    } finally {
      env.clearTimeout(guard);
    }
  }

  function unchanged(took) {
    const kept = took >= wait * 900;
    if (kept) wait = Math.min(LONGEST_WAIT, Math.max(1, wait * 2));
    later(kept && took >= LEAST_GAP ? 0 : UNHELD_GAP);
  }

  function failedOnce(retryAfter = 0) {
    const pause = RETRIES[Math.min(failures, RETRIES.length - 1)];
    failures += 1;
    wait = Math.floor(wait / 5);
    on.failed(failures);
    if (!closed) later(Math.max(pause, Math.min(LONGEST_RETRY, retryAfter) * 1000));
  }

  ask();
  return {
    close() {
      closed = true;
      env.clearTimeout(timer);
      controller?.abort();
    },
  };
}

const REFUSALS = new Set([401, 404, 410]);

/** Request `status` once and return {status, etag, snapshot, retryAfter}; a wait of null returns at once. */
export async function fetchStatus(fetch, id, wait, etag, signal) {
  const url = wait === null ? paths.status(id) : paths.wait(id, wait);
  const headers = etag === null ? {} : { "If-None-Match": etag };
  const response = await fetch(url, { headers, cache: "no-store", signal });
  return {
    status: response.status,
    etag: response.headers.get("ETag"),
    snapshot: response.status === 200 ? await response.json() : null,
    retryAfter: Number(response.headers.get("Retry-After")) || 0,
  };
}
