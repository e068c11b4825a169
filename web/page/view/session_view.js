/** One session on the page: listens to it, keeps what is known, paints it once a frame. */

import { Announcer } from "../state/live_region.js";
import { ask, cancelSession, paths, randomKey, startSession } from "../net/api.js";
import { clone, oncePerFrame, part } from "./dom.js";
import { ErrorFeed, ErrorLog } from "../state/error_log.js";
import { ErrorView } from "./error_list.js";
import { RateHistory } from "../state/rate.js";
import { ReportView } from "./report_table.js";
import { initialState, reduce, view } from "../state/session_state.js";
import { WatchCard } from "./session_card.js";

const TICK = 1000;

/**
 * `page` gives what a view needs of its surroundings: fetch, follow(id, on), meter, list,
 * announce(words), confirmCancel(), detail(what), started(snapshot, label).
 */
export class SessionView {
  #id;
  #page;
  #state;
  #name;
  #card;
  #errors;
  #report;
  #log = new ErrorLog();
  #feed;
  #rates = new RateHistory();
  #announcer = new Announcer();
  #connection;
  #retryKey = randomKey();
  #retrying = false;
  #tick;
  #request = oncePerFrame(() => this.#paint());

  /** `known` is a snapshot that is at hand, or null: it is shown until the connection brings a newer one. */
  constructor(id, name, page, known) {
    this.#id = id;
    this.#name = name;
    this.#page = page;
    this.#state = initialState(id, name);
    this.element = clone("t-session");
    this.#build();
    if (known !== null) this.#onSnapshot(known, false);
    this.#connection = page.follow(id, {
      snapshot: (snapshot, fresh) => this.#onSnapshot(snapshot, fresh),
      link: (link) => this.#dispatch({ type: "link", link, at: this.#now() }),
    });
    this.#tick = setInterval(this.#request, TICK);
    this.#dispatch({ type: "begin" });
    this.#paint(); // a card without its numbers, be it for one frame, would have another height
  }

  #build() {
    const { element: root } = this;
    const load = (after) => ask(this.#page.fetch, paths.errors(this.#id, after));
    const timers = { setTimeout: (run, ms) => setTimeout(run, ms), clearTimeout: (timer) => clearTimeout(timer) };
    this.#card = new WatchCard(part(root, "watch"), this.#id, this.#name);
    this.#feed = new ErrorFeed(this.#log, load, timers, this.#request);
    this.#errors = new ErrorView(part(root, "errors"), this.#log, this.#feed, this.#request, this.#page.detail);
    this.#report = new ReportView(part(root, "report"), this.#id, this.#page.fetch, this.#page.detail);
    part(root, "cancel").addEventListener("click", () => this.#cancel());
    part(root, "retry").addEventListener("click", () => this.#retry());
  }

  /** Looks after the connection at once. */
  check() {
    this.#connection.check();
  }

  focus() {
    part(this.element, "name").focus();
  }

  close() {
    this.#connection.close();
    this.#feed.close();
    this.#errors.close();
    this.#report.close();
    this.#request.cancel();
    clearInterval(this.#tick);
    this.element.remove();
  }

  #onSnapshot(snapshot, fresh) {
    const now = Date.now();
    const lag = fresh ? this.#page.meter.sample(snapshot.changed_at, now) : null;
    this.#log.add(snapshot.errors, snapshot.stats.errors);
    if (snapshot.status !== "starting") {
      this.#rates.note(
        snapshot.changed_at,
        snapshot.processed_files,
        Date.parse(snapshot.start_time ?? "") || undefined,
      );
    }
    this.#dispatch({ type: "snapshot", snapshot, lag });
  }

  /** The title is set at once: a tab in the background paints no frames. */
  #dispatch(event) {
    this.#state = reduce(this.#state, event);
    const shown = this.#view();
    if (document.title !== shown.title) document.title = shown.title;
    this.#request();
  }

  #view() {
    return view(this.#state, this.#now());
  }

  /** By the server's clock. */
  #now() {
    return Date.now() - this.#page.meter.skew;
  }

  #paint() {
    const shown = this.#view();
    this.#card.paint(shown);
    this.#card.plot(this.#rates, performance.now(), shown.ended);
    this.#errors.paint();
    this.#report.update(shown);
    if (this.#state.snapshot !== null) this.#page.list.update(this.#state.snapshot);
    const words = this.#announcer.next(shown, performance.now());
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
      this.#page.retried(snapshot, this.#name);
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
