/** The folder picker: breadcrumbs, the folders inside, and its keys. */

import { requestJson, paths } from "../net/api.js";
import { clone, part, setMessage, setText } from "./dom.js";
import { visible } from "../state/names.js";
import { say, text, trouble } from "../strings.js";

/** Folders shown at most; the filter finds the others. */
const SHOWN = 300;
const FILTER_FROM = 12;
/** Folders at the end of a path that the breadcrumbs show besides the root. */
const LAST_CRUMBS = 3;

export class FolderPicker {
  #root;
  #fetch;
  #changed;
  #listing = null;
  #own = new Map();
  #counts = new Map();
  #asked = 0;
  #opening = null;

  /** `changed(listing, own)` is called for each opened folder; `own` is the number of files directly in it. */
  constructor(root, fetch, changed) {
    this.#root = root;
    this.#fetch = fetch;
    this.#changed = changed;
    part(root, "folders").addEventListener("keydown", (event) => this.#onKey(event));
    part(root, "filter").addEventListener("input", () => this.#paintFolders());
    part(root, "filter").addEventListener("keydown", (event) => this.#onFilterKey(event));
  }

  get path() {
    return this.#listing?.path ?? ".";
  }

  /** Open a folder, and move the keyboard focus into it if `focus` is true. */
  open(path, focus = false) {
    const opening = this.#load(path, focus, ++this.#asked).finally(() => {
      if (this.#opening === opening) this.#opening = null;
    });
    this.#opening = opening;
  }

  /** Wait for the folder that is being opened, if any; return false if it could not be opened. */
  async settled() {
    let opened = true;
    while (this.#opening !== null) opened = await this.#opening;
    return opened;
  }

  async #load(path, focus, asked) {
    if (this.#listing === null) setMessage(part(this.#root, "empty"), text.loadingFolders);
    try {
      const listing = await requestJson(this.#fetch, paths.directories(path));
      if (asked === this.#asked) this.#show(listing, focus);
      return true;
    } catch (error) {
      if (asked === this.#asked) this.#fail(error);
      return false;
    }
  }

  /** Show how many files a folder of the list and its subfolders have; a path of null removes all counts. */
  count(path, words) {
    if (path === null) this.#counts.clear();
    else this.#counts.set(path, words);
    for (const button of this.#buttons()) if (path === null || button.dataset.path === path) this.#label(button);
  }

  #show(listing, focus) {
    this.#listing = listing;
    for (const { path, files } of listing.directories) this.#own.set(path, files);
    const own = listing.files ?? this.#own.get(listing.path) ?? null;
    part(this.#root, "filter").value = "";
    part(this.#root, "filter").hidden = listing.directories.length < FILTER_FROM;
    setText(part(this.#root, "own"), own ? say.files(own) : "");
    this.fail(null);
    this.#paintCrumbs();
    this.#paintFolders();
    if (focus) (this.#buttons()[0] ?? this.#root.querySelector("[aria-current]")).focus();
    this.#changed(listing, own);
  }

  #fail(error) {
    setMessage(part(this.#root, "empty"), null);
    this.fail(
      error.status === 404 ? trouble.folderGone : error.status === 403 ? trouble.folderForbidden : error.message,
    );
  }

  /** Show why the folder is invalid, or remove the message if it is null. */
  fail(message) {
    setMessage(part(this.#root, "error"), message);
    this.#root.toggleAttribute("data-invalid", Boolean(message));
  }

  #paintCrumbs() {
    const names = this.path.split("/").filter((name) => name !== "" && name !== ".");
    const steps = [[".", say.root], ...names.map((name, i) => [names.slice(0, i + 1).join("/"), visible(name)])];
    const cut = steps.length - LAST_CRUMBS - 1;
    // The folders between would need several lines; "…" opens the lowest of them.
    if (cut > 1) steps.splice(1, cut, [steps[cut][0], "…", say.upTo(steps[cut][1])]);
    part(this.#root, "crumbs").replaceChildren(
      ...steps.map(([path, name, label], i) => this.#crumb(path, name, i === steps.length - 1, label)),
    );
  }

  #crumb(path, name, current, label = null) {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = name;
    button.title = label ?? name;
    if (label) button.setAttribute("aria-label", label);
    if (current) button.setAttribute("aria-current", "location");
    button.addEventListener("click", () => this.open(path, true));
    button.addEventListener("keydown", (event) => current && this.#onKey(event));
    item.append(button);
    return item;
  }

  #paintFolders() {
    const needle = part(this.#root, "filter").value.trim().toLowerCase();
    const all = this.#listing.directories;
    const matching = needle ? all.filter(({ name }) => name.toLowerCase().includes(needle)) : all;
    const list = part(this.#root, "folders");
    list.replaceChildren(...matching.slice(0, SHOWN).map((folder) => this.#folder(folder)));
    list.scrollTop = 0;
    const [first] = this.#buttons();
    if (first) first.tabIndex = 0;
    const none = all.length ? text.noMatchingFolders : text.noFolders;
    setMessage(part(this.#root, "empty"), matching.length ? null : none);
    setMessage(part(this.#root, "cut"), matching.length > SHOWN ? say.foldersCut(SHOWN, matching.length) : null);
  }

  #folder({ name, path, files }) {
    const item = clone("t-folder");
    const button = item.firstElementChild;
    button.querySelector("bdi").textContent = visible(name);
    button.querySelector("bdi").title = visible(name);
    [button.dataset.path, button.dataset.files] = [path, files];
    this.#label(button);
    button.addEventListener("click", () => this.open(path, true));
    return item;
  }

  /** Label a folder with its count, or with the number of files directly in it until the count is known. */
  #label(button) {
    const { path, files } = button.dataset;
    const words = this.#counts.get(path) ?? (Number(files) ? say.files(Number(files)) : "");
    setText(button.querySelector(".count"), words);
  }

  #buttons() {
    return [...part(this.#root, "folders").querySelectorAll("button")];
  }

  #onKey(event) {
    const { key } = event;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (key === "ArrowDown" || key === "ArrowUp") this.#move(key === "ArrowDown" ? 1 : -1);
    else if (key === "Home" || key === "End") this.#focus(key === "Home" ? 0 : -1);
    else if (key === "ArrowRight" && event.target.matches(".folder")) event.target.click();
    else if ((key === "Backspace" || key === "ArrowLeft") && this.#listing?.parent != null)
      this.open(this.#listing.parent, true);
    else if (key.length === 1 && key !== " ") this.#jump(key);
    else return;
    event.preventDefault();
  }

  #onFilterKey(event) {
    if (event.key !== "ArrowDown" && event.key !== "Enter") return;
    event.preventDefault();
    this.#focus(0);
  }

  #move(by) {
    const at = this.#buttons().indexOf(document.activeElement);
    this.#focus(Math.max(0, at + by));
  }

  #jump(letter) {
    const buttons = this.#buttons();
    const at = buttons.indexOf(document.activeElement);
    const rotated = [...buttons.slice(at + 1), ...buttons.slice(0, at + 1)];
    const found = rotated.find((b) =>
      b.querySelector("bdi").textContent.toLowerCase().startsWith(letter.toLowerCase()),
    );
    if (found) this.#focus(buttons.indexOf(found));
  }

  #focus(index) {
    const buttons = this.#buttons();
    const button = index < 0 ? buttons.at(-1) : buttons[Math.min(index, buttons.length - 1)];
    if (!button) return;
    for (const other of buttons) other.tabIndex = other === button ? 0 : -1;
    button.focus();
  }
}
