/** What a screen reader is told of a session: seldom enough to be listened to. */

import { phase as phaseWord } from "./strings.js";

const STEP = 10;
const LEAST_GAP = 10_000;

/** Decides when there is something to say; `now` is in milliseconds. */
export class Announcer {
  #phase = null;
  #step = -1;
  #at = -Infinity;

  /** The words for `view`, or null while they would only be noise. */
  next(view, now) {
    const step = view.percent === null ? -1 : Math.floor(view.percent / STEP);
    const turned = view.phase !== this.#phase;
    const moved = step > this.#step && now - this.#at >= LEAST_GAP;
    if (view.phase === "waiting" || (!turned && !moved)) return null;
    [this.#phase, this.#step, this.#at] = [view.phase, step, now];
    if (view.ended) return `${phaseWord[view.phase]}. ${view.valueText}`;
    return view.valueText;
  }
}
