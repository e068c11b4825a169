/** Follows one session: streams, falls back to polling, and comes back to streaming. */

import { paths } from "./api.js";
import { fetchStatus, openPoll } from "./poll.js";
import { openStream } from "./stream.js";
import { finished, supersedes } from "../state/session_state.js";

/** Comments are invisible to EventSource: so long a silence is checked against `status`. */
export const SILENCE = 20_000;
/** A frame may be on its way while `status` answers: so long it may still take. */
export const GRACE = 1000;
/** A server that has not answered by then is as good as gone, however open its connections are. */
export const CHECK_TIME = 5000;
/** When streaming is tried again while polling, in milliseconds after each failure. */
export const TRIALS = [5000, 15_000, 30_000, 60_000];
/** A stream that lived so long starts the row of trials anew. */
export const LASTING = 60_000;

/**
 * The snapshots of session `id`, by whatever way works, until it ends or is closed.
 *
 * `on.snapshot(snapshot, fresh)`: newer than the one before; `fresh` if it was sent as it
 * happened, so that its lag can be measured. `on.link(link)`: one of "live",
 * "reconnecting", "polling", and at last "finished", "gone" or "denied".
 *
 * `env` holds EventSource (if there is one), fetch, setTimeout, clearTimeout and now.
 */
export class Connection {
  #id;
  #env;
  #on;
  #stream = null;
  #poll = null;
  #link = "connecting";
  #newest = null;
  #frames = 0;
  #streamingSince = null;
  #trials = 0;
  #trialTimer = 0;
  #silenceTimer = 0;
  #checking = false;
  #closed = false;

  constructor(id, env, on) {
    this.#id = id;
    this.#env = env;
    this.#on = on;
    if (env.EventSource) this.#openStream();
    else this.#openPoll();
  }

  close() {
    this.#closed = true;
    this.#env.clearTimeout(this.#trialTimer);
    this.#env.clearTimeout(this.#silenceTimer);
    this.#closeStream();
    this.#closePoll();
  }

  /** Looks after the connection at once: the machine has slept, or the network is back. */
  check() {
    if (this.#closed) return;
    if (this.#poll !== null) {
      this.#closePoll();
      this.#openPoll();
      if (this.#stream === null) this.#openStream();
    } else {
      this.#checkSilence();
    }
  }

  #say(link) {
    if (this.#closed || this.#link === link) return;
    this.#link = link;
    this.#on.link(link);
  }

  #end(link) {
    this.close();
    this.#closed = false;
    this.#say(link);
    this.#closed = true;
  }

  #take(snapshot, fresh) {
    if (supersedes(snapshot, this.#newest)) {
      this.#newest = snapshot;
      this.#on.snapshot(snapshot, fresh);
    }
    if (finished(snapshot)) this.#end("finished");
  }

  // Streaming

  #openStream() {
    if (this.#closed || !this.#env.EventSource || this.#stream !== null) return;
    this.#env.clearTimeout(this.#trialTimer);
    this.#streamingSince = null;
    this.#stream = openStream(paths.stream(this.#id), this.#env, {
      frame: (snapshot, fresh) => this.#onFrame(snapshot, fresh),
      open: () => this.#onCarrying(),
      lost: () => this.#poll === null && this.#say("reconnecting"),
      failed: () => this.#onFailed(),
    });
  }

  #closeStream() {
    this.#stream?.close();
    this.#stream = null;
  }

  #onFrame(snapshot, fresh) {
    this.#frames += 1;
    this.#onCarrying();
    this.#take(snapshot, fresh);
  }

  #onCarrying() {
    this.#streamingSince ??= this.#env.now();
    this.#closePoll();
    this.#say("live");
    this.#armSilence();
  }

  #onFailed() {
    this.#stream = null;
    this.#env.clearTimeout(this.#silenceTimer);
    const lived = this.#streamingSince === null ? 0 : this.#env.now() - this.#streamingSince;
    if (lived >= LASTING) this.#trials = 0;
    if (this.#link === "live") this.#say("reconnecting");
    this.#planTrial();
    if (this.#poll === null) this.#openPoll();
  }

  #planTrial() {
    this.#env.clearTimeout(this.#trialTimer);
    const pause = TRIALS[Math.min(this.#trials, TRIALS.length - 1)];
    this.#trials += 1;
    this.#trialTimer = this.#env.setTimeout(() => this.#openStream(), pause);
  }

  // Silence

  #armSilence() {
    this.#env.clearTimeout(this.#silenceTimer);
    this.#silenceTimer = this.#env.setTimeout(() => this.#checkSilence(), SILENCE);
  }

  async #checkSilence() {
    if (this.#checking || this.#stream === null) return;
    this.#checking = true;
    const frames = this.#frames;
    const controller = new AbortController();
    const timer = this.#env.setTimeout(() => controller.abort(), CHECK_TIME);
    const answer = await fetchStatus(this.#env.fetch, this.#id, null, null, controller.signal).catch(() => null);
    this.#env.clearTimeout(timer);
    this.#checking = false;
    if (this.#closed || this.#stream === null || this.#frames !== frames) return;
    if (answer === null || answer.status === 401 || answer.status === 404) this.#breakStream();
    else if (answer.status === 200 && supersedes(answer.snapshot, this.#newest)) this.#doubt(answer.snapshot);
    else this.#armSilence();
  }

  #doubt(snapshot) {
    this.#take(snapshot, false);
    if (this.#closed) return;
    this.#silenceTimer = this.#env.setTimeout(() => this.#breakStream(), GRACE); // a frame disarms it
  }

  #breakStream() {
    this.#closeStream();
    this.#onFailed();
  }

  // Polling

  #openPoll() {
    if (this.#closed) return;
    let first = true;
    this.#poll = openPoll(this.#id, this.#env, {
      snapshot: (snapshot) => {
        const fresh = !first;
        first = false;
        this.#take(snapshot, fresh);
      },
      alive: (failures) => this.#onPollAlive(failures),
      failed: (failures) => {
        first = true;
        if (failures > 1) this.#say("reconnecting");
      },
      refused: (status) => this.#onRefused(status),
    });
  }

  #closePoll() {
    this.#poll?.close();
    this.#poll = null;
  }

  #onPollAlive(failures) {
    this.#say("polling");
    // The server was away and is back: most likely streaming is, too.
    if (failures > 1 && this.#stream === null) this.#openStream();
  }

  #onRefused(status) {
    if (status === 404) this.#end("gone");
    else if (status === 401) this.#end("denied");
    else this.#streamOnly();
  }

  /** Polling is switched off at this server (410, whatever the id): its stream has the last word. */
  async #streamOnly() {
    this.#closePoll();
    this.#say("reconnecting");
    const answer = await this.#env.fetch(paths.stream(this.#id), { method: "HEAD" }).catch(() => null);
    if (this.#closed || this.#poll !== null) return;
    if (answer?.status === 404) this.#end("gone");
    else if (answer?.status === 401) this.#end("denied");
  }
}
