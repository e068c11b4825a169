/** Errors grouped by cause; each group opens to the files that have it. */

import { requestJson, paths } from "../net/api.js";
import { Refresher } from "../net/refresher.js";
import { groupByCause } from "../state/causes.js";
import { visible } from "../state/names.js";
import { clone, part, setMessage, setPath, setText } from "./dom.js";
import { say } from "../strings.js";

/** Milliseconds between two readings of the errors. */
const GAP = 2000;
const PAGE = 500;
/** Errors that are grouped at most. */
const MOST = 2000;

export class CauseList {
  #root;
  #id;
  #fetch;
  #detail;
  #failed = 0;
  #open = new Set();
  #refresher;

  /** `detail(record)` shows one record in full. */
  constructor(root, id, fetch, detail) {
    this.#root = root;
    this.#id = id;
    this.#fetch = fetch;
    this.#detail = detail;
    const env = {
      setTimeout: (run, ms) => setTimeout(run, ms),
      clearTimeout: (timer) => clearTimeout(timer),
      now: () => performance.now(),
    };
    this.#refresher = new Refresher(
      (signal) => this.#read(signal),
      GAP,
      env,
      () => !document.hidden,
    );
  }

  update({ counts }) {
    if (counts.failed === this.#failed) return;
    this.#failed = counts.failed;
    this.#refresher.want();
  }

  close() {
    this.#refresher.close();
  }

  async #read(signal) {
    const records = [];
    let after = "";
    do {
      const query = `status=error&limit=${PAGE}${after && `&after=${after}`}`;
      const { files, next } = await requestJson(this.#fetch, paths.files(this.#id, query), { signal });
      records.push(...files);
      after = next;
    } while (after && records.length < MOST);
    this.#show(groupByCause(records));
    setMessage(part(this.#root, "causes-note"), after ? say.causesCut(MOST) : null);
  }

  #show(groups) {
    const list = part(this.#root, "causes");
    list.hidden = groups.length === 0;
    list.replaceChildren(...groups.map((group) => this.#group(group)));
  }

  #group({ cause, count, files }) {
    const item = clone("t-cause");
    const details = item.firstElementChild;
    setText(part(item, "cause"), visible(cause));
    setText(part(item, "cause-count"), say.files(count));
    details.open = this.#open.has(cause);
    details.addEventListener("toggle", () => this.#open[details.open ? "add" : "delete"](cause));
    part(item, "cause-files").append(...files.map((record) => this.#file(record)));
    setMessage(part(item, "cause-more"), count > files.length ? say.causeMore(count - files.length) : null);
    return item;
  }

  #file(record) {
    const item = document.createElement("li");
    const button = document.createElement("button");
    const path = document.createElement("span");
    button.type = "button";
    button.className = "plain";
    path.className = "path";
    setPath(path, record.file);
    button.append(path);
    button.addEventListener("click", () => this.#detail(record));
    item.append(button);
    return item;
  }
}
