/** The list of errors, newest first; only the rows in view exist in the document. */

import { clone, part, setMessage, setPath, setText } from "./dom.js";
import { visible } from "../state/names.js";
import { say, text, units } from "../strings.js";

const ROW = 56; // as in style.css
const OVERSCAN = 4;
/** Rows in the list at most: browsers draw nothing below about ten million pixels. */
const MOST_ROWS = 100_000;

export class ErrorList {
  #root;
  #log;
  #loader;
  #scroller;
  #rows;
  #shown = new Map();
  #total = 0;
  #detail;
  // Kept from the last event: reading them from the document while painting would cause a second layout.
  #top = 0;
  #height = 0;
  #resize;

  /** `request()` requests a paint; `detail(error)` shows one error in full. */
  constructor(root, log, loader, request, detail) {
    this.#root = root;
    this.#log = log;
    this.#loader = loader;
    this.#detail = detail;
    this.#scroller = part(root, "scroller");
    this.#rows = part(root, "rows");
    const measure = () => {
      this.#top = this.#scroller.scrollTop;
      this.#height = this.#scroller.clientHeight;
      request();
    };
    this.#scroller.addEventListener("scroll", measure, { passive: true });
    this.#resize = new ResizeObserver(measure);
    this.#resize.observe(this.#scroller);
  }

  close() {
    this.#resize.disconnect();
  }

  paint() {
    const { total } = this.#log;
    this.#root.hidden = total === 0;
    if (total === 0) return;
    if (total !== this.#total) this.#grow(total);
    const count = Math.min(total, MOST_ROWS);
    const top = Math.max(0, Math.floor(this.#top / ROW) - OVERSCAN);
    const bottom = Math.min(count, Math.ceil((this.#top + this.#height) / ROW) + OVERSCAN);
    this.#place(total - bottom + 1, total - top, total);
    this.#loader.want(Math.max(1, total - bottom + 1), total - top);
    const cut = total > MOST_ROWS ? say.errorsCut(MOST_ROWS) : null;
    setMessage(part(this.#root, "errors-note"), this.#loader.unavailable ? text.errorUnavailable : cut);
  }

  /** Keep the scroll position of a reader while newer errors arrive above. */
  #grow(total) {
    const added = Math.min(total, MOST_ROWS) - Math.min(this.#total, MOST_ROWS);
    this.#rows.style.height = `${Math.min(total, MOST_ROWS) * ROW}px`;
    if (this.#top > ROW / 2) {
      this.#top += added * ROW;
      this.#scroller.scrollTop = this.#top;
    }
    setText(part(this.#root, "error-count"), say.errorCount(total));
    this.#total = total;
  }

  #place(first, last, total) {
    for (const [n, row] of this.#shown) {
      const outside = n < first || n > last;
      if (!outside || row.contains(document.activeElement)) continue;
      row.remove();
      this.#shown.delete(n);
    }
    let before = null;
    for (let n = Math.max(1, first); n <= last; n++) {
      const row = this.#shown.get(n) ?? this.#insert(n, before);
      this.#fill(row, n, total);
      before = row;
    }
  }

  /** Insert a row in document order, which is the order of keyboard focus. */
  #insert(n, before) {
    const row = clone("t-error");
    row.firstElementChild.addEventListener("click", () => this.#log.get(n) && this.#detail(this.#log.get(n)));
    this.#rows.insertBefore(row, before);
    this.#shown.set(n, row);
    return row;
  }

  #fill(row, n, total) {
    const index = total - n;
    if (row.dataset.index !== String(index)) {
      row.dataset.index = index;
      row.style.transform = `translateY(${index * ROW}px)`;
      row.setAttribute("aria-posinset", index + 1);
      row.setAttribute("aria-setsize", total);
    }
    const error = this.#log.get(n);
    const known = error ? "yes" : "no";
    if (row.dataset.known === known) return;
    row.dataset.known = known;
    row.dataset.n = n;
    if (error) fillRow(row, error);
    else setText(row.querySelector(".message"), text.errorLoading);
  }
}

function fillRow(row, { file, message, time }) {
  setPath(row.querySelector(".path"), file);
  setText(row.querySelector(".message"), visible(message));
  const clock = row.querySelector("time");
  clock.dateTime = time;
  setText(clock, units.time(new Date(time)));
}
