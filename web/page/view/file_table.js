/** The table of files: filtered, searched and sorted by the server, and shown in pages. */

import { ApiError, requestJson, paths } from "../net/api.js";
import { fileQuery, takesAll } from "../state/file_query.js";
import { visible } from "../state/names.js";
import { clone, oncePerFrame, part, setPath, setText } from "./dom.js";
import { preview } from "./preview.js";
import { outcomeOf, say, text, units } from "../strings.js";

const TYPING = 250;
/** Rows added in one animation frame. */
const PER_FRAME = 10;

export class FileTable {
  #root;
  #id;
  #fetch;
  #detail;
  #reading = null;
  #waiting = [];
  #clear = false;
  #onPainted = null;
  #paint = oncePerFrame(() => this.#paintRows());
  #next = null;
  #shown = 0;
  #typing = 0;
  #ended = false;
  #processed = 0;
  #observer;

  /** `detail(record)` shows one record in full. */
  constructor(root, id, fetch, detail) {
    this.#root = root;
    this.#id = id;
    this.#fetch = fetch;
    this.#detail = detail;
    part(root, "reload").addEventListener("click", () => this.#begin());
    part(root, "more").addEventListener("click", () => this.#more());
    const filters = part(root, "filters");
    filters.addEventListener("submit", (event) => event.preventDefault());
    filters.addEventListener("input", (event) => this.#filter(event.target.type === "search" ? TYPING : 0));
    // The files are read when the table comes into view, because it costs the server work.
    this.#observer = new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) this.#first();
    });
    this.#observer.observe(root);
  }

  /** Update the table from the view of the session. */
  update({ ended, counts, link }) {
    this.#root.hidden = counts.processed === 0 || link === "gone";
    this.#processed = counts.processed;
    if (!ended || this.#ended) return;
    this.#ended = true;
    part(this.#root, "reload").hidden = true;
    if (this.#reading !== null) this.#begin();
  }

  close() {
    clearTimeout(this.#typing);
    this.#observer.disconnect();
    this.#reading?.abort();
    this.#paint.cancel();
  }

  #first() {
    this.#observer.disconnect();
    if (this.#reading === null) this.#begin();
  }

  #filter(pause) {
    clearTimeout(this.#typing);
    this.#typing = setTimeout(() => this.#begin(), pause);
  }

  #wanted() {
    const { q, status, type, sort } = part(this.#root, "filters").elements;
    return { q: q.value, status: status.value, type: type.value, sort: sort.value };
  }

  #begin() {
    [this.#next, this.#shown] = [null, 0];
    this.#note(text.reportReading);
    return this.#read(true);
  }

  async #read(first) {
    this.#reading?.abort();
    const reading = (this.#reading = new AbortController());
    const wanted = this.#wanted();
    const path = paths.files(this.#id, fileQuery(wanted, this.#next));
    try {
      const { files, next } = await requestJson(this.#fetch, path, { signal: reading.signal });
      if (reading !== this.#reading) return;
      this.#take(files, next, first);
      this.#note(this.#words(takesAll(wanted)));
      part(this.#root, "reload").hidden = this.#ended;
    } catch (error) {
      if (reading !== this.#reading || error.name === "AbortError") return;
      this.#note(error instanceof ApiError ? error.message : new ApiError(0).message);
      part(this.#root, "reload").hidden = false;
    }
  }

  #take(files, next, first) {
    if (first) [this.#waiting, this.#clear] = [[], true];
    this.#waiting.push(...files);
    this.#paint();
    [this.#next, this.#shown] = [next, this.#shown + files.length];
    part(this.#root, "table").hidden = this.#shown === 0;
    part(this.#root, "more").hidden = next === null;
  }

  #paintRows() {
    const rows = this.#waiting.splice(0, PER_FRAME).map((record) => this.#row(record));
    const body = part(this.#root, "records");
    if (this.#clear) body.replaceChildren(...rows);
    else body.append(...rows);
    this.#clear = false;
    if (this.#waiting.length > 0) this.#paint();
    else this.#onPainted?.();
  }

  #words(all) {
    if (this.#shown === 0) return all ? text.reportEmpty : text.reportNone;
    if (all) return say.reportAll(Math.max(this.#processed, this.#shown));
    return this.#next === null ? say.reportKept(this.#shown) : say.reportCut(this.#shown);
  }

  #note(words) {
    setText(part(this.#root, "report-note"), words);
  }

  async #more() {
    const shown = this.#shown;
    this.#onPainted = () => {
      this.#onPainted = null;
      part(this.#root, "records").children[shown]?.querySelector("button").focus();
    };
    await this.#read(false);
  }

  #row(record) {
    const row = clone("t-record");
    const [file, outcome, media, size] = row.cells;
    row.dataset.status = record.status;
    setPath(file.querySelector(".path"), record.file);
    file.querySelector("button").addEventListener("click", () => this.#detail(record));
    file.querySelector("button").prepend(preview(this.#id, record));
    const message = file.querySelector(".message");
    message.hidden = !record.error;
    message.textContent = visible(record.error ?? "");
    outcome.querySelector("use").setAttribute("href", `#i-${record.status}`);
    outcome.querySelector("span").textContent = outcomeOf(record.status);
    media.textContent = record.media_type ?? "–";
    size.textContent = record.size === null || record.size === undefined ? "–" : units.bytes(record.size);
    return row;
  }
}
