/** Which folder a session was started with, as far as this browser started it. */

const KEY = "ingest labels";
const KEPT = 100;

function load() {
  try {
    return Object.entries(JSON.parse(localStorage.getItem(KEY)) ?? {});
  } catch {
    return []; // storage is blocked, or holds something else
  }
}

export const labelOf = (id) => load().find(([known]) => known === id)?.[1] ?? null;

export function remember(id, label) {
  const entries = [...load().filter(([known]) => known !== id), [id, label]].slice(-KEPT);
  try {
    localStorage.setItem(KEY, JSON.stringify(Object.fromEntries(entries)));
  } catch {
    // The session is then named by its id.
  }
}
