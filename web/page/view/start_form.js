/** The form that starts a session. */

import { requestJson, paths, randomKey, startSession } from "../net/api.js";
import { countFiles } from "../state/count.js";
import { part, setMessage, setText } from "./dom.js";
import { visible } from "../state/names.js";
import * as patterns from "../state/patterns.js";
import { FolderPicker } from "./folder_picker.js";
import { say, text, trouble } from "../strings.js";

/** Milliseconds after which counting the files is aborted. */
const COUNT_TIME = 2000;

export class StartForm {
  #form;
  #fetch;
  #started;
  #picker;
  #chosen = patterns.EVERY;
  #busy = false;
  #attempt = null;
  #listing = null;
  #own = null;
  #count = null;
  #counting = new AbortController();

  /** `started(snapshot, label)` is called for each started session. */
  constructor(form, fetch, started) {
    this.#form = form;
    this.#fetch = fetch;
    this.#started = started;
    this.#picker = new FolderPicker(this.#field("directory"), fetch, (listing, own) => {
      [this.#listing, this.#own] = [listing, own];
      this.#recount();
    });
    this.#listen();
    this.#paintPatterns();
  }

  /** Show the form with the values that it had. */
  show() {
    this.#form.hidden = false;
    this.#picker.open(this.#picker.path);
  }

  hide() {
    this.#form.hidden = true;
  }

  #field(name) {
    return this.#form.querySelector(`[data-field="${name}"]`);
  }

  #listen() {
    const { pattern, recursive, max_files: limit } = this.#form.elements;
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    for (const button of this.#form.querySelectorAll("[data-set]")) {
      button.addEventListener("click", () => this.#choose(patterns.toggled(this.#chosen, button.dataset.set)));
    }
    part(this.#form, "add").addEventListener("click", () => this.#add());
    pattern.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault(); // Enter in this field must not start a session
      if (pattern.value.trim() !== "") this.#add();
    });
    recursive.addEventListener("change", () => this.#recount());
    limit.addEventListener("input", () => this.#paintButton());
  }

  // Patterns

  #add() {
    const { pattern } = this.#form.elements;
    this.#choose(patterns.withTyped(this.#chosen, pattern.value));
    pattern.value = "";
    pattern.focus();
  }

  #choose(chosen) {
    this.#chosen = chosen;
    this.#fail("pattern", null);
    this.#paintPatterns();
    this.#paintButton();
  }

  #paintPatterns() {
    for (const button of this.#form.querySelectorAll("[data-set]")) {
      button.setAttribute("aria-pressed", String(patterns.has(this.#chosen, button.dataset.set)));
    }
    part(this.#form, "patterns").replaceChildren(...this.#chosen.map((pattern) => this.#chip(pattern)));
  }

  #chip(pattern) {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = `${pattern} ×`;
    button.setAttribute("aria-label", say.removePattern(pattern));
    button.addEventListener("click", () => {
      this.#choose(patterns.without(this.#chosen, pattern));
      this.#form.elements.pattern.focus();
    });
    item.append(button);
    return item;
  }

  // How many

  async #recount() {
    this.#counting.abort();
    const counting = (this.#counting = new AbortController());
    const timer = setTimeout(() => counting.abort(), COUNT_TIME);
    this.#count = null;
    this.#picker.count(null);
    this.#paintButton();
    const list = (path) => requestJson(this.#fetch, paths.directories(path), { signal: counting.signal });
    const below = (path, files, whole) => {
      if (counting === this.#counting)
        this.#picker.count(path, whole ? say.filesBelow(files) : say.filesAtLeast(files));
    };
    const count = await countFiles(this.#listing, this.#own, this.#form.elements.recursive.checked, list, below);
    clearTimeout(timer);
    if (counting !== this.#counting) return;
    this.#count = count;
    this.#paintButton();
  }

  /** The button names a number only if it is exact; the line beside it describes the files. */
  #paintButton() {
    const button = part(this.#form, "start");
    const limit = this.#limit() ?? Infinity;
    const every = this.#chosen.length === 0;
    const exact = this.#count?.whole && every && !Number.isNaN(limit);
    const words = exact ? say.startCount(Math.min(this.#count.files, limit)) : text.start;
    setText(button, this.#busy ? text.starting : words);
    button.setAttribute("aria-disabled", String(this.#busy));
    const from = say.from(nameOf(this.#picker.path), this.#form.elements.recursive.checked);
    setText(part(this.#form, "among"), say.takes(from, every, this.#count));
  }

  /** Return the limit, null without one, or NaN if the value is not valid. */
  #limit() {
    const value = this.#form.elements.max_files.value.trim();
    if (value === "") return null;
    return /^[1-9]\d{0,14}$/.test(value) ? Number(value) : NaN;
  }

  // Start

  async #submit() {
    if (this.#busy) return;
    if (this.#form.elements.pattern.value.trim() !== "") this.#add();
    // Wait for a folder that was clicked just now: the session is for that folder.
    if (!(await this.#opened())) return;
    this.#clear();
    const limit = this.#limit();
    if (Number.isNaN(limit)) {
      this.#fail("max_files", trouble.limit);
      return;
    }
    const body = {
      directory: this.#picker.path || ".",
      pattern: patterns.joined(this.#chosen),
      recursive: this.#form.elements.recursive.checked,
      max_files: limit,
      skip_existing: this.#form.elements.skip_existing.checked,
    };
    await this.#send(body);
  }

  async #opened() {
    this.#setBusy(true);
    const opened = await this.#picker.settled();
    this.#setBusy(false);
    return opened;
  }

  #setBusy(busy) {
    this.#busy = busy;
    this.#paintButton();
  }

  /** Send the request; the same request, sent again after a lost response, has the same idempotency key. */
  async #send(body) {
    const request = JSON.stringify(body);
    if (this.#attempt?.request !== request) this.#attempt = { request, key: randomKey() };
    this.#setBusy(true);
    try {
      const snapshot = await startSession(this.#fetch, body, this.#attempt.key);
      this.#attempt = null;
      this.#started(snapshot, body.directory === "." ? say.root : body.directory);
    } catch (error) {
      this.#refused(error);
    } finally {
      this.#setBusy(false);
    }
  }

  #refused(error) {
    let placed = false;
    for (const { field, message } of error.fields) placed = this.#fail(field, message) || placed;
    if (!placed && error.status === 404) placed = this.#fail("directory", trouble.folderGone);
    if (!placed && error.status === 403) placed = this.#fail("directory", error.message);
    if (!placed) setMessage(part(this.#form, "form-error"), error.message);
  }

  /** Show a message at its field, or remove it if null; return false without a field of that name. */
  #fail(name, message) {
    const field = this.#field(OPTIONS.has(name) ? "max_files" : name);
    if (field === null) return false;
    if (name === "directory") this.#picker.fail(message);
    else setMessage(part(field, "error"), message);
    const input = this.#form.elements[name];
    if (message && input) {
      input.setAttribute("aria-invalid", "true");
      input.focus();
    } else {
      input?.removeAttribute?.("aria-invalid");
    }
    return true;
  }

  #clear() {
    for (const name of ["directory", "pattern", "max_files"]) this.#fail(name, null);
    setMessage(part(this.#form, "form-error"), null);
  }
}

const OPTIONS = new Set(["skip_existing"]);

const nameOf = (path) => (path === "." || path === "" ? null : visible(path.slice(path.lastIndexOf("/") + 1)));
