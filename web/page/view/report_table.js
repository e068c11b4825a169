/** The table of outcomes: read from the report, searched, filtered, and shown in pages. */

import { ApiError, paths } from "../net/api.js";
import { clone, oncePerFrame, part, setPath, setText } from "./dom.js";
import { visible } from "../state/names.js";
import { KEPT, matcher, readReport } from "../net/report_reader.js";
import { outcomeOf, say, text, units } from "../strings.js";

const PAGE = 50;
/** Rows added in one animation frame. */
const PER_FRAME = 20;
const TYPING = 250;

export class ReportTable {
  #root;
  #id;
  #fetch;
  #detail;
  #reading = null;
  #records = [];
  #shown = 0;
  #limit = PAGE;
  #typing = 0;
  #ended = false;
  #observer;
  #paint = oncePerFrame(() => this.#paintRows());

  /** `detail(record)` shows one record in full. */
  constructor(root, id, fetch, detail) {
    this.#root = root;
    this.#id = id;
    this.#fetch = fetch;
    this.#detail = detail;
    part(root, "show").addEventListener("click", () => {
      part(root, "report-title").focus({ preventScroll: true }); // the button is removed
      this.#read();
    });
    part(root, "reload").addEventListener("click", () => this.#read());
    part(root, "more").addEventListener("click", () => this.#more());
    const filters = part(root, "filters");
    filters.addEventListener("submit", (event) => event.preventDefault());
    filters.addEventListener("input", (event) => this.#filter(event.target.type === "search" ? TYPING : 0));
    // The report is read when the table comes into view, because it costs the server work.
    this.#observer = new IntersectionObserver((entries) => {
      if (this.#ended && entries.some((entry) => entry.isIntersecting)) this.#first();
    });
  }

  /** Update the table from the view of the session. */
  update({ ended, counts, link }) {
    this.#root.hidden = counts.processed === 0 || link === "gone";
    if (!ended || this.#ended) return;
    this.#ended = true;
    part(this.#root, "show").hidden = true;
    part(this.#root, "reload").hidden = true;
    if (this.#reading !== null) this.#read();
    else this.#observer.observe(this.#root);
  }

  close() {
    clearTimeout(this.#typing);
    this.#observer.disconnect();
    this.#reading?.abort();
    this.#paint.cancel();
  }

  #first() {
    this.#observer.disconnect();
    if (this.#reading === null) this.#read();
  }

  #filter(pause) {
    clearTimeout(this.#typing);
    this.#typing = setTimeout(() => this.#read(), pause);
  }

  async #read() {
    this.#reading?.abort();
    const reading = (this.#reading = new AbortController());
    this.#begin();
    const { text: needle, status, type } = part(this.#root, "filters").elements;
    const matches = matcher({ text: needle.value, status: status.value, type: type.value });
    try {
      const response = await this.#fetch(paths.report(this.#id), { cache: "no-store", signal: reading.signal });
      if (!response.ok) throw new ApiError(response.status);
      const result = await readReport(response.body, matches, {
        now: () => performance.now(),
        yieldToBrowser,
        onRecords: (records, read) => reading === this.#reading && this.#take(records, read),
      });
      if (reading === this.#reading) this.#finish(result);
    } catch (error) {
      if (reading !== this.#reading || error.name === "AbortError") return;
      this.#note(error instanceof ApiError ? error.message : new ApiError(0).message);
      part(this.#root, "reload").hidden = false;
    }
  }

  #begin() {
    this.#records = [];
    this.#shown = 0;
    this.#limit = PAGE;
    part(this.#root, "records").replaceChildren();
    part(this.#root, "filters").hidden = false;
    part(this.#root, "show").hidden = true;
    part(this.#root, "reload").hidden = this.#ended;
    part(this.#root, "more").hidden = true;
    this.#note(say.reportReading(0));
  }

  #take(records, read) {
    this.#records.push(...records);
    this.#note(say.reportReading(read));
    this.#paint();
  }

  #finish({ kept, read, more, incomplete }) {
    const words = [
      kept.length === 0 ? say.reportNone(read) : null,
      kept.length > 0 && !more
        ? kept.length === read
          ? say.reportAll(read)
          : say.reportKept(kept.length, read)
        : null,
      more ? say.reportCut(KEPT) : null,
      incomplete ? text.reportPartly : null,
    ];
    if (incomplete) part(this.#root, "reload").hidden = false;
    this.#note(words.filter(Boolean).join(" "));
    this.#paint();
  }

  #note(words) {
    setText(part(this.#root, "report-note"), words);
  }

  #more() {
    this.#limit += PAGE;
    this.#paintRows();
    part(this.#root, "records").children[this.#limit - PAGE]?.querySelector("button").focus();
  }

  #paintRows() {
    const end = Math.min(this.#records.length, this.#limit, this.#shown + PER_FRAME);
    const rows = this.#records.slice(this.#shown, end).map((record) => this.#row(record));
    part(this.#root, "records").append(...rows);
    this.#shown = end;
    part(this.#root, "table").hidden = this.#shown === 0;
    part(this.#root, "more").hidden = this.#shown >= this.#records.length || this.#shown < this.#limit;
    if (this.#shown < Math.min(this.#records.length, this.#limit)) this.#paint();
  }

  #row(record) {
    const row = clone("t-record");
    const [file, outcome, media, size] = row.cells;
    row.dataset.status = record.status;
    setPath(file.querySelector(".path"), record.file);
    file.querySelector("button").addEventListener("click", () => this.#detail(record));
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

/** Wait until the browser has painted and handled input. */
const yieldToBrowser = () => new Promise((resolve) => setTimeout(resolve));
