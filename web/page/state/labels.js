/** The folder of each session that this browser started, kept in localStorage. */

const KEY = "ingest labels";
const KEPT = 100;

function load() {
  try {
    return Object.entries(JSON.parse(localStorage.getItem(KEY)) ?? {});
  } catch {
    return []; // storage is blocked, or has other data
  }
}

export const labelOf = (id) => load().find(([known]) => known === id)?.[1] ?? null;

export function remember(id, label) {
  const entries = [...load().filter(([known]) => known !== id), [id, label]].slice(-KEPT);
  try {
    localStorage.setItem(KEY, JSON.stringify(Object.fromEntries(entries)));
  } catch {
    // Storage is blocked: the session is shown with its id.
  }
}
