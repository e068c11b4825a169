/** The wall: the files that were found last and are finished, newest first, with previews. */

import { requestJson, paths } from "../net/api.js";
import { Refresher } from "../net/refresher.js";
import { split, visible } from "../state/names.js";
import { clone, oncePerFrame, part, setMessage } from "./dom.js";
import { preview } from "./preview.js";
import { outcomeOf, say, text } from "../strings.js";

const TILES = 60;
/** Tiles made in one animation frame. */
const PER_FRAME = 6;
/** Milliseconds between two requests. */
const GAP = 500;

export class FileWall {
  #root;
  #id;
  #detail;
  #files = [];
  #tiles = new Map();
  #paint = oncePerFrame(() => this.#paintTiles());
  #processed = 0;
  #paused = false;
  #refresher;

  /** `detail(record)` shows one record in full. */
  constructor(root, id, fetch, detail) {
    this.#root = root;
    this.#id = id;
    this.#detail = detail;
    const load = async (signal) => {
      const { files } = await requestJson(fetch, paths.files(id, `sort=-n&limit=${TILES}`), { signal });
      this.#show(files);
    };
    const env = {
      setTimeout: (run, ms) => setTimeout(run, ms),
      clearTimeout: (timer) => clearTimeout(timer),
      now: () => performance.now(),
    };
    this.#refresher = new Refresher(load, GAP, env, () => !document.hidden && !this.#paused);
    part(root, "tiles").addEventListener("keydown", (event) => this.#onKey(event));
    root.addEventListener("pointerenter", () => this.#pause(true));
    root.addEventListener("pointerleave", () => this.#pause(false));
  }

  /** Load the newest files if more are finished. */
  update({ counts, link }) {
    this.#root.hidden = counts.processed === 0 || link === "gone";
    if (counts.processed === this.#processed) return;
    this.#processed = counts.processed;
    this.#refresher.want();
  }

  close() {
    this.#refresher.close();
    this.#paint.cancel();
  }

  #pause(paused) {
    this.#paused = paused;
    setMessage(part(this.#root, "wall-note"), paused ? text.wallPaused : null);
    if (!paused) this.#refresher.want();
  }

  /** Move between the tiles by the arrow keys: one of them is a stop of the Tab key. */
  #onKey(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const tiles = [...part(this.#root, "tiles").children];
    const at = tiles.findIndex((tile) => tile.contains(document.activeElement));
    const next = step && tiles[at + step]?.querySelector("button");
    if (!next) return;
    event.preventDefault();
    next.focus();
  }

  #show(files) {
    this.#files = files;
    this.#paint();
  }

  /** Place the tiles that exist and a few new ones; the others follow in the next frames. */
  #paintTiles() {
    const missing = this.#files.filter(({ n }) => !this.#tiles.has(n));
    const made = new Map(missing.slice(0, PER_FRAME).map((record) => [record.n, this.#tile(record)]));
    const known = this.#files.filter(({ n }) => this.#tiles.has(n) || made.has(n));
    this.#tiles = new Map(known.map(({ n }) => [n, this.#tiles.get(n) ?? made.get(n)]));
    const tiles = [...this.#tiles.values()];
    const list = part(this.#root, "tiles");
    const focused = /** @type {HTMLElement} */ (document.activeElement);
    const inside = list.contains(focused);
    const kept = new Set(tiles);
    for (const tile of [...list.children]) if (!kept.has(tile)) tile.remove();
    for (const [at, tile] of tiles.entries())
      if (list.children[at] !== tile) list.insertBefore(tile, list.children[at] ?? null);
    for (const [at, tile] of tiles.entries()) tile.firstElementChild.tabIndex = at === 0 ? 0 : -1;
    if (inside && focused.isConnected) focused.focus({ preventScroll: true });
    if (missing.length > PER_FRAME) this.#paint();
  }

  #tile(record) {
    const tile = clone("t-tile");
    const button = tile.firstElementChild;
    const name = visible(split(record.file)[1]);
    tile.dataset.status = record.status;
    button.title = visible(record.file);
    button.setAttribute("aria-label", say.tile(name, outcomeOf(record.status)));
    button.addEventListener("click", () => this.#detail(record));
    button.append(preview(this.#id, record));
    const label = document.createElement("bdi");
    label.textContent = name;
    button.append(label);
    return tile;
  }
}
