/** The list of running and recent sessions, updated while the page is visible. */

import { requestJson, paths } from "../net/api.js";
import { clone, part, setAttribute, setParts, setText } from "./dom.js";
import { nameOf } from "../state/session_name.js";
import { countsOf, finished, phaseOf, supersedes } from "../state/session_state.js";
import { phase as phaseWord, say, units } from "../strings.js";
import { endIcon } from "./session_card.js";

const BUSY = 2000;
const IDLE = 5000;
/** Sessions shown at most. */
const SHOWN = 30;

export class SessionList {
  #root;
  #fetch;
  #known = new Map();
  #items = new Map();
  #order = [];
  #current = null;
  #timer = 0;
  #asking = false;

  constructor(root, fetch) {
    this.#root = root;
    this.#fetch = fetch;
    document.addEventListener("visibilitychange", () => this.refresh());
  }

  /** Load the list now and then every few seconds while the page is visible. */
  async refresh() {
    clearTimeout(this.#timer);
    if (document.hidden || this.#asking) return;
    this.#asking = true;
    try {
      const { sessions } = await requestJson(this.#fetch, paths.sessions);
      this.#take(sessions);
      part(this.#root, "stale").hidden = true;
    } catch (error) {
      part(this.#root, "stale").hidden = false;
      if (error.status === 401 || error.status === 410) return; // the response will not change
    } finally {
      this.#asking = false;
    }
    const busy = this.#order.some((id) => !finished(this.#known.get(id)));
    this.#timer = setTimeout(() => this.refresh(), busy ? BUSY : IDLE);
  }

  #take(sessions) {
    this.#order = sessions.slice(0, SHOWN).map((snapshot) => snapshot.session_id);
    const listed = new Set(this.#order);
    for (const id of this.#known.keys()) if (!listed.has(id)) this.#known.delete(id);
    for (const snapshot of sessions.slice(0, SHOWN)) this.#keep(snapshot);
    this.#paint();
  }

  /** Return the newest snapshot of a session in the list, or null. */
  known(id) {
    return this.#known.get(id) ?? null;
  }

  /** Use a newer snapshot, received by its connection, of a session in the list. */
  update(snapshot) {
    if (!this.#known.has(snapshot.session_id)) return;
    this.#keep(snapshot);
    this.#paintItem(snapshot.session_id);
  }

  #keep(snapshot) {
    const last = this.#known.get(snapshot.session_id) ?? null;
    if (supersedes(snapshot, last)) this.#known.set(snapshot.session_id, snapshot);
  }

  /** Mark the session that is being watched, or none. */
  mark(id) {
    this.#current = id;
    for (const [known, item] of this.#items)
      setAttribute(item.firstElementChild, "aria-current", known === id ? "page" : null);
  }

  #paint() {
    const list = part(this.#root, "sessions");
    for (const [id, item] of this.#items) {
      if (this.#known.has(id)) continue;
      item.remove();
      this.#items.delete(id);
    }
    this.#order.forEach((id, at) => {
      const item = this.#items.get(id) ?? this.#make(id);
      if (list.children[at] !== item) list.insertBefore(item, list.children[at] ?? null);
      this.#paintItem(id);
    });
    part(this.#root, "no-sessions").hidden = this.#order.length > 0;
  }

  #make(id) {
    const item = clone("t-listed");
    item.firstElementChild.href = `#${id}`;
    this.#items.set(id, item);
    setAttribute(item.firstElementChild, "aria-current", id === this.#current ? "page" : null);
    return item;
  }

  #paintItem(id) {
    const item = this.#items.get(id);
    if (!item) return;
    const snapshot = this.#known.get(id);
    const counts = countsOf(snapshot);
    const total = counts.total || 1;
    const phase = phaseOf(snapshot);
    setText(item.querySelector(".name"), nameOf(id, snapshot));
    if (snapshot.start_time)
      setText(item.querySelector(".when"), units.moment(new Date(snapshot.start_time), new Date()));
    const full = phase === "completed" && counts.total === 0;
    setParts(item, {
      done: full ? 1 : counts.done / total,
      skipped: counts.skipped / total,
      failed: counts.failed / total,
    });
    setText(item.querySelector(".word > span"), wordsOf(phase, snapshot, counts));
    setAttribute(item.firstElementChild, "data-phase", phase);
    const icon = item.querySelector(".word > .icon");
    const name = endIcon(phase, counts);
    icon.toggleAttribute("hidden", name === null);
    setAttribute(icon, "data-icon", name);
    setAttribute(icon.firstElementChild, "href", name && `#i-${name}`);
  }
}

function wordsOf(phase, snapshot, counts) {
  if (phase === "finding") return say.found(counts.total);
  const first = phase === "processing" ? say.percent(snapshot.progress) : phaseWord[phase];
  return `${first} · ${say.listCounts(counts)}`;
}
