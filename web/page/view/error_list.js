/** The list of errors, newest first; only rows that are in view exist. */

import { clone, part, setMessage, setPath, setText } from "./dom.js";
import { visible } from "../state/names.js";
import { say, text, units } from "../strings.js";

const ROW = 56; // as in style.css
const OVERSCAN = 4;
/** Browsers draw nothing below some ten million pixels; who scrolls so far wants the report. */
const MOST_ROWS = 100_000;

export class ErrorView {
  #root;
  #log;
  #feed;
  #scroller;
  #rows;
  #shown = new Map();
  #total = 0;
  #detail;
  // As last heard of: to ask the document while painting would make it lay itself out twice.
  #top = 0;
  #height = 0;
  #resize;

  /** `request()` asks for a paint; `detail(error)` shows one in full. */
  constructor(root, log, feed, request, detail) {
    this.#root = root;
    this.#log = log;
    this.#feed = feed;
    this.#detail = detail;
    this.#scroller = part(root, "scroller");
    this.#rows = part(root, "rows");
    const note = () => {
      this.#top = this.#scroller.scrollTop;
      this.#height = this.#scroller.clientHeight;
      request();
    };
    this.#scroller.addEventListener("scroll", note, { passive: true });
    this.#resize = new ResizeObserver(note);
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
    this.#feed.want(Math.max(1, total - bottom + 1), total - top);
    const cut = total > MOST_ROWS ? say.errorsCut(MOST_ROWS) : null;
    setMessage(part(this.#root, "errors-note"), this.#feed.unavailable ? text.errorUnavailable : cut);
  }

  /** Who reads further down keeps the place while newer errors come in above. */
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

  /** Newest first in the document as well, as that is the order of the keyboard. */
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
  const stamp = row.querySelector("time");
  stamp.dateTime = time;
  setText(stamp, units.time(new Date(time)));
}
