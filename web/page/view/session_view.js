/** One session on the page: follows it, keeps its state and paints it once per animation frame. */

import { LiveRegion } from "../state/live_region.js";
import { requestJson, cancelSession, paths, randomKey, startSession } from "../net/api.js";
import { clone, oncePerFrame, part, setText } from "./dom.js";
import { ErrorLoader } from "../net/error_loader.js";
import { ErrorLog } from "../state/error_log.js";
import { ErrorList } from "./error_list.js";
import { RateHistory } from "../state/rate.js";
import { CauseList } from "./cause_list.js";
import { FileTable } from "./file_table.js";
import { FileWall } from "./file_wall.js";
import { nameOf } from "../state/session_name.js";
import { initialState, reduce, view } from "../state/session_state.js";
import { SessionCard } from "./session_card.js";

const TICK = 1000;

/**
 * `page` has what the view needs from the page: fetch, follow(id, on), meter, list, announce(words),
 * confirmCancel(), detail(id, what), retried(snapshot, name).
 */
export class SessionView {
  #id;
  #page;
  #state;
  #card;
  #errors;
  #files;
  #log = new ErrorLog();
  #loader;
  #rates = new RateHistory();
  #liveRegion = new LiveRegion();
  #connection;
  #retryKey = randomKey();
  #retrying = false;
  #tick;
  #request = oncePerFrame(() => this.#paint());

  /** `known` is a snapshot to show until the connection has a newer one, or null. */
  constructor(id, page, known) {
    this.#id = id;
    this.#page = page;
    this.#state = initialState(id, nameOf(id, known));
    this.element = clone("t-session");
    this.#build();
    if (known !== null) this.#onSnapshot(known, false);
    this.#connection = page.follow(id, {
      snapshot: (snapshot, fresh) => this.#onSnapshot(snapshot, fresh),
      link: (link) => this.#dispatch({ type: "link", link, at: this.#now() }),
    });
    this.#tick = setInterval(this.#request, TICK);
    this.#dispatch({ type: "begin" });
    this.#paint(); // a card without its numbers has another height
  }

  #build() {
    const { element: root } = this;
    const load = (after) => requestJson(this.#page.fetch, paths.errors(this.#id, after));
    const timers = { setTimeout: (run, ms) => setTimeout(run, ms), clearTimeout: (timer) => clearTimeout(timer) };
    this.#card = new SessionCard(part(root, "watch"), this.#id, this.#state.name);
    this.#loader = new ErrorLoader(this.#log, load, timers, this.#request);
    this.#errors = new ErrorList(part(root, "errors"), this.#log, this.#loader, this.#request, (error) =>
      this.#page.detail(this.#id, error),
    );
    const { fetch } = this.#page;
    const detail = (what) => this.#page.detail(this.#id, what);
    this.#files = [
      new FileWall(part(root, "wall"), this.#id, fetch, detail),
      new CauseList(part(root, "errors"), this.#id, fetch, detail),
      new FileTable(part(root, "report"), this.#id, fetch, detail),
    ];
    part(root, "cancel").addEventListener("click", () => this.#cancel());
    part(root, "retry").addEventListener("click", () => this.#retry());
  }

  /** Check the connection now. */
  check() {
    this.#connection.check();
  }

  focus() {
    part(this.element, "name").focus();
  }

  close() {
    this.#connection.close();
    this.#loader.close();
    this.#errors.close();
    for (const each of this.#files) each.close();
    this.#request.cancel();
    clearInterval(this.#tick);
    this.element.remove();
  }

  #onSnapshot(snapshot, fresh) {
    const now = Date.now();
    const lag = fresh ? this.#page.meter.sample(snapshot.changed_at, now) : null;
    this.#log.add(snapshot.errors, snapshot.stats.errors);
    if (snapshot.status !== "starting") {
      this.#rates.add(
        snapshot.changed_at,
        snapshot.processed_files,
        Date.parse(snapshot.start_time ?? "") || undefined,
      );
    }
    this.#rename(nameOf(this.#id, snapshot));
    this.#dispatch({ type: "snapshot", snapshot, lag });
  }

  /** Show a name that only the snapshot has: that of a session started elsewhere. */
  #rename(name) {
    if (name === this.#state.name) return;
    this.#state = Object.freeze({ ...this.#state, name });
    setText(part(this.element, "name"), name);
  }

  /** Set the title at once, because a tab in the background paints no frames. */
  #dispatch(event) {
    this.#state = reduce(this.#state, event);
    const shown = this.#view();
    if (document.title !== shown.title) document.title = shown.title;
    this.#request();
  }

  #view() {
    return view(this.#state, this.#now());
  }

  /** Return the time of the server's clock. */
  #now() {
    return Date.now() - this.#page.meter.skew;
  }

  #paint() {
    const shown = this.#view();
    this.#card.paint(shown);
    this.#card.plot(this.#rates, performance.now(), shown.ended);
    this.#errors.paint();
    for (const each of this.#files) each.update(shown);
    if (this.#state.snapshot !== null) this.#page.list.update(this.#state.snapshot);
    const words = this.#liveRegion.next(shown, performance.now());
    if (words !== null) this.#page.announce(words);
    if (shown.ended) clearInterval(this.#tick);
  }

  async #cancel() {
    if (!(await this.#page.confirmCancel())) return;
    await this.#act(async () => {
      const snapshot = await cancelSession(this.#page.fetch, this.#id);
      this.#onSnapshot(snapshot, false);
    });
  }

  async #retry() {
    if (this.#retrying) return;
    this.#retrying = true;
    await this.#act(async () => {
      const snapshot = await startSession(this.#page.fetch, { retry_of: this.#id }, this.#retryKey);
      this.#page.retried(snapshot, this.#state.name);
    });
    this.#retrying = false;
  }

  async #act(what) {
    this.#card.actionError(null);
    try {
      await what();
    } catch (error) {
      this.#card.actionError(error.message);
    }
  }
}
