/** The page: the view that the URL names, and what the views share. */

import { Connection } from "./net/connection.js";
import { fillTexts, part, setText } from "./view/dom.js";
import { showDetail } from "./view/detail.js";
import { remember } from "./state/labels.js";
import { LagMeter } from "./state/lag.js";
import { SessionList } from "./view/session_list.js";
import { SessionView } from "./view/session_view.js";
import { SharedConnection } from "./net/shared_connection.js";
import { fallbackLocks } from "./net/fallback_locks.js";
import { StartForm } from "./view/start_form.js";
import { say, text } from "./strings.js";

const RETURN = "ingest return";
/** Milliseconds out of view after which the connection is checked on return. */
const HIDDEN_LIMIT = 20_000;

const meter = new LagMeter();
const timers = {
  setTimeout: (run, ms) => setTimeout(run, ms),
  clearTimeout: (timer) => clearTimeout(timer),
  now: () => Date.now(),
};

/** Fetch, and use each response: its Date header for the lag, and a 401 for the notice of being signed out. */
async function observedFetch(path, options) {
  const sent = Date.now();
  const response = await fetch(path, options);
  meter.date(sent, Date.now(), response.headers.get("Date"));
  if (response.status === 401) part(document, "denied").hidden = false;
  return response;
}

/** Follow a session together with the other tabs of this browser at this URL. */
function follow(id, on) {
  const env = { ...timers, fetch: observedFetch, EventSource: globalThis.EventSource };
  const { BroadcastChannel } = globalThis;
  const locks = navigator.locks ?? fallbackLocks({ ...timers, BroadcastChannel, random: Math.random });
  const name = `ingest ${new URL(".", document.baseURI).pathname} ${id}`;
  return new SharedConnection(
    name,
    { ...timers, locks, BroadcastChannel },
    (handlers) => new Connection(id, env, handlers),
    on,
  );
}

class App {
  #main = document.getElementById("main");
  #list = new SessionList(document.querySelector(".sessions"), observedFetch);
  #form = new StartForm(document.getElementById("start"), observedFetch, (snapshot, label) =>
    this.#started(snapshot, label),
  );
  #view = null;
  #lastStarted = null;
  #hiddenAt = 0;

  start() {
    goBack();
    addEventListener("hashchange", () => this.#route(true));
    for (const type of ["online", "offline"]) addEventListener(type, () => this.#view?.check());
    addEventListener("pageshow", (event) => event.persisted && this.#view?.check());
    document.addEventListener("visibilitychange", () => this.#onVisibility());
    part(document, "skip").addEventListener("click", (event) => {
      event.preventDefault(); // the fragment of the URL names the session
      this.#main.focus();
    });
    part(document, "sign-in").addEventListener("click", () => sessionStorage.setItem(RETURN, location.hash));
    this.#route(false);
    this.#list.refresh();
  }

  #route(moved) {
    const id = location.hash.slice(1);
    this.#view?.close();
    this.#view = null;
    dialogOf("detail").close(); // of the session before
    this.#list.mark(id || null);
    part(document, "new").hidden = id === "";
    if (/^[\w.-]+$/.test(id)) this.#watch(id, moved);
    else this.#showForm(moved);
    if (moved) scrollTo(0, 0);
  }

  #showForm(moved) {
    document.title = text.brand;
    this.#form.show();
    if (moved) this.#main.focus();
  }

  #watch(id, moved) {
    this.#form.hide();
    this.#view = new SessionView(
      id,
      {
        fetch: observedFetch,
        follow,
        meter,
        list: this.#list,
        announce: (words) => setText(part(document, "announce"), words),
        confirmCancel,
        detail: (id, what) => showDetail(dialogOf("detail"), id, what),
        retried: (snapshot, of) => this.#started(snapshot, say.retryName(of)),
      },
      this.#known(id),
    );
    this.#main.append(this.#view.element);
    if (moved) this.#view.focus();
  }

  /** Return a snapshot to show before the connection has one, or null. */
  #known(id) {
    return this.#lastStarted?.session_id === id ? this.#lastStarted : this.#list.known(id);
  }

  #started(snapshot, label) {
    remember(snapshot.session_id, label);
    this.#lastStarted = snapshot;
    location.hash = snapshot.session_id;
    this.#list.refresh();
  }

  #onVisibility() {
    if (document.hidden) this.#hiddenAt = Date.now();
    else if (Date.now() - this.#hiddenAt > HIDDEN_LIMIT) this.#view?.check();
  }
}

/** Return to the session that was being watched before signing in. */
function goBack() {
  const hash = sessionStorage.getItem(RETURN);
  sessionStorage.removeItem(RETURN);
  if (hash && location.hash === "") history.replaceState(null, "", hash);
}

/** @returns {HTMLDialogElement} */
const dialogOf = (id) => document.querySelector(`dialog#${id}`);

function confirmCancel() {
  const dialog = dialogOf("cancel");
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

fillTexts(document);
// In a separate task, so that the first paint is not delayed on a slow computer.
setTimeout(() => {
  part(document, "unstarted").remove();
  new App().start();
});
