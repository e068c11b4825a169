/** Helpers for the document. No script of the page parses markup. */

import { split, visible } from "../state/names.js";
import { text } from "../strings.js";

/** Insert the texts that index.html names, in templates as well. */
export function fillTexts(root) {
  for (const element of root.querySelectorAll("[data-text]")) element.textContent = text[element.dataset.text];
  for (const element of root.querySelectorAll("[data-label]"))
    element.setAttribute("aria-label", text[element.dataset.label]);
  for (const element of root.querySelectorAll("[data-placeholder]"))
    element.placeholder = text[element.dataset.placeholder];
  for (const template of root.querySelectorAll("template")) fillTexts(template.content);
}

/** Return a copy of what the template `id` holds. */
export function clone(id) {
  const template = /** @type {HTMLTemplateElement} */ (document.getElementById(id));
  return /** @type {any} */ (template.content.firstElementChild.cloneNode(true));
}

/** Return the element below `root` with the attribute data-`name`. */
export const part = (root, name) => root.querySelector(`[data-${name}]`);

export function setText(element, value) {
  if (element.textContent !== value) element.textContent = value;
}

/** Show `message`, or hide the element if it is null or empty. */
export function setMessage(element, message) {
  setText(element, message ?? "");
  element.hidden = !message;
}

export function setAttribute(element, name, value) {
  if (value === null) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

/** Show a path; where space is short, its folders are shortened and its file name stays. */
export function setPath(element, path) {
  if (element.dataset.path === path) return;
  element.dataset.path = path;
  element.title = visible(path);
  const [folder, name] = split(path);
  element.replaceChildren(bdi("dir", folder), bdi("base", name));
}

function bdi(className, name) {
  const element = document.createElement("bdi");
  element.className = className;
  element.textContent = visible(name);
  return element;
}

/** Set the widths of the parts of a bar from fractions. */
export function setParts(bar, fractions) {
  for (const [name, fraction] of Object.entries(fractions)) {
    const width = `${(fraction * 100).toFixed(2)}%`;
    const piece = bar.querySelector(`[data-part="${name}"]`);
    if (piece.style.width === width && piece.hasAttribute("data-some") === fraction > 0) continue;
    piece.style.width = width;
    piece.toggleAttribute("data-some", fraction > 0);
  }
}

/** Return a function that runs `paint` once in the next animation frame, for any number of calls before it. */
export function oncePerFrame(paint) {
  let asked = 0;
  const request = () => {
    asked ||= requestAnimationFrame(() => {
      asked = 0;
      paint();
    });
  };
  request.cancel = () => {
    cancelAnimationFrame(asked);
    asked = 0;
  };
  return request;
}
