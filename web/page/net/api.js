/** The routes of the service, relative to the page, and its JSON responses. */

import { trouble } from "../strings.js";

const BASE = "api/ingest/";

export const paths = {
  process: `${BASE}process`,
  sessions: `${BASE}status`,
  stream: (id) => `${BASE}stream/${encodeURIComponent(id)}`,
  status: (id) => `${BASE}status/${encodeURIComponent(id)}`,
  wait: (id, seconds) => `${BASE}status/${encodeURIComponent(id)}?wait=${seconds}`,
  errors: (id, after) => `${BASE}status/${encodeURIComponent(id)}?errors_after=${after}`,
  cancel: (id) => `${BASE}cancel/${encodeURIComponent(id)}`,
  files: (id, query) => `${BASE}files/${encodeURIComponent(id)}?${query}`,
  preview: (id, n) => `${BASE}preview/${encodeURIComponent(id)}/${n}`,
  report: (id) => `${BASE}report/${encodeURIComponent(id)}`,
  csv: (id) => `${BASE}report/${encodeURIComponent(id)}?format=csv`,
  directories: (path) => `${BASE}directories?path=${encodeURIComponent(path)}`,
};

/** A response that is not a success, or no response at all (status 0). */
export class ApiError extends Error {
  constructor(status, problem = {}) {
    // The detail of a 401 is written for programs, so the page has its own text for it.
    super((status !== 401 && (problem.detail || problem.title)) || describe(status));
    this.status = status;
    /** The invalid fields: [{field, message}]. */
    this.fields = Array.isArray(problem.errors) ? problem.errors : [];
  }
}

function describe(status) {
  if (status === 0) return trouble.network;
  if (status === 401) return trouble.unauthorized;
  if (status === 503) return trouble.busy;
  return trouble.answer(status);
}

/**
 * Return the JSON of the response.
 *
 * Throws ApiError if the request fails or the status is not 2xx. An AbortError is passed on.
 */
export async function requestJson(fetch, path, options = {}) {
  let response;
  try {
    response = await fetch(path, { cache: "no-store", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0);
  }
  const body = await response.json().catch(() => null);
  if (!response.ok) throw new ApiError(response.status, body ?? {});
  if (body === null) throw new ApiError(0);
  return body;
}

/** Start a session. Requests with the same `key` start one session. */
export function startSession(fetch, body, key) {
  return requestJson(fetch, paths.process, {
    method: "POST",
    headers: { "Content-Type": "application/json", "Idempotency-Key": key },
    body: JSON.stringify(body),
  });
}

export const cancelSession = (fetch, id) => requestJson(fetch, paths.cancel(id), { method: "POST" });

/** Return 128 random bits in hexadecimal; crypto.randomUUID exists only in secure contexts. */
export function randomKey(crypto = globalThis.crypto) {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}
