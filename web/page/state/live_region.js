/** The texts of the live region, which screen readers read aloud: few enough to be useful. */

import { link as linkWord, linkHint, phase as phaseWord } from "../strings.js";

const STEP = 10;
const LEAST_GAP = 10_000;
/** Milliseconds that a change of the link must last before it is announced. */
const STABLE = 3000;

/** Decides when the live region gets a new text; times are in milliseconds. */
export class LiveRegion {
  #phase = null;
  #step = -1;
  #at = -Infinity;
  #link = null;
  #linkAt = 0;
  #announced = "live";

  /** Return the text for `view`, or null if it has not changed enough. */
  next(view, now) {
    return this.#progress(view, now) ?? this.#connection(view, now);
  }

  #progress(view, now) {
    const step = view.percent === null ? -1 : Math.floor(view.percent / STEP);
    const changed = view.phase !== this.#phase;
    const moved = step > this.#step && now - this.#at >= LEAST_GAP;
    if (view.phase === "waiting" || (!changed && !moved)) return null;
    [this.#phase, this.#step, this.#at] = [view.phase, step, now];
    if (view.ended) return `${phaseWord[view.phase]}. ${view.valueText}`;
    return view.valueText;
  }

  /** Announce a lost connection and its return once each. */
  #connection({ link, ended }, now) {
    if (link !== this.#link) [this.#link, this.#linkAt] = [link, now];
    if (ended || !ANNOUNCED_LINKS.has(link) || link === this.#announced || now - this.#linkAt < STABLE) return null;
    this.#announced = link;
    return link === "live" ? linkWord.live : `${linkWord[link]}. ${linkHint[link]}.`;
  }
}

const ANNOUNCED_LINKS = new Set(["live", "reconnecting", "polling"]);
