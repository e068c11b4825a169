/** What a screen reader is told of a session: seldom enough to be listened to. */

import { link as linkWord, linkHint, phase as phaseWord } from "../strings.js";

const STEP = 10;
const LEAST_GAP = 10_000;
/** A connection that comes back sooner was not worth a word. */
const LASTING = 3000;

/** Decides when there is something to say; `now` is in milliseconds. */
export class Announcer {
  #phase = null;
  #step = -1;
  #at = -Infinity;
  #link = null;
  #linkAt = 0;
  #told = "live";

  /** The words for `view`, or null while they would only be noise. */
  next(view, now) {
    return this.#progress(view, now) ?? this.#connection(view, now);
  }

  #progress(view, now) {
    const step = view.percent === null ? -1 : Math.floor(view.percent / STEP);
    const turned = view.phase !== this.#phase;
    const moved = step > this.#step && now - this.#at >= LEAST_GAP;
    if (view.phase === "waiting" || (!turned && !moved)) return null;
    [this.#phase, this.#step, this.#at] = [view.phase, step, now];
    if (view.ended) return `${phaseWord[view.phase]}. ${view.valueText}`;
    return view.valueText;
  }

  /** Lost for a while, and back: said once each. */
  #connection({ link, ended }, now) {
    if (link !== this.#link) [this.#link, this.#linkAt] = [link, now];
    if (ended || !HEARD.has(link) || link === this.#told || now - this.#linkAt < LASTING) return null;
    this.#told = link;
    return link === "live" ? linkWord.live : `${linkWord[link]}. ${linkHint[link]}.`;
  }
}

const HEARD = new Set(["live", "reconnecting", "polling"]);
