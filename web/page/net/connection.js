/**
 * One tab's connection to one session.
 *
 * States: streaming; polling, with attempts to stream again in between; ended. A stream that brings no
 * first frame, is refused or is lost three times in ten seconds is replaced by long polling. While
 * polling, streaming is tried again after 5, 15, 30 and then every 60 seconds, and at once when a server
 * that was away responds again. A stream without an event for 20 seconds is compared with `status`.
 *
 * Callers: SharedConnection, in the tab that holds the lock. Guarantees: the snapshots passed on never
 * go back, and after the end or `close()` no timer, stream or request is left.
 */

import { paths } from "./api.js";
import { fetchStatus, openPoll } from "./poll.js";
import { openStream } from "./stream.js";
import { finished, supersedes } from "../state/session_state.js";

/** Milliseconds without an event, after which the stream is compared with `status`: EventSource hides heartbeats. */
export const SILENCE = 20_000;
/** Milliseconds that a frame may arrive after a `status` response with a newer snapshot. */
export const GRACE = 1000;
/** Milliseconds after which a `status` request without a response counts as a lost connection. */
export const CHECK_TIME = 5000;
/** Milliseconds from each failure to the next attempt to stream while polling. */
export const ATTEMPTS = [5000, 15_000, 30_000, 60_000];
/** A stream that lasted this long resets the pauses between attempts. */
export const LASTING = 60_000;

/**
 * Receives the snapshots of session `id` by stream or by polling until the session ends or `close()` is called.
 *
 * `on.snapshot(snapshot, fresh)` is called with each newer snapshot; `fresh` is true if it was sent when it
 * changed, so that its lag can be measured. `on.link(link)` is called with "live", "reconnecting" or
 * "polling", and finally with "finished", "gone" or "denied".
 *
 * `env` has EventSource (or null), fetch, setTimeout, clearTimeout and now.
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
  #failures = 0;
  #attemptTimer = 0;
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
    this.#env.clearTimeout(this.#attemptTimer);
    this.#env.clearTimeout(this.#silenceTimer);
    this.#closeStream();
    this.#closePoll();
  }

  /** Check the connection now, after the computer slept or the network came back. */
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

  #setLink(link) {
    if (this.#closed || this.#link === link) return;
    this.#link = link;
    this.#on.link(link);
  }

  #end(link) {
    this.close();
    this.#closed = false;
    this.#setLink(link);
    this.#closed = true;
  }

  #accept(snapshot, fresh) {
    if (supersedes(snapshot, this.#newest)) {
      this.#newest = snapshot;
      this.#on.snapshot(snapshot, fresh);
    }
    if (finished(snapshot)) this.#end("finished");
  }

  // Streaming

  #openStream() {
    if (this.#closed || !this.#env.EventSource || this.#stream !== null) return;
    this.#env.clearTimeout(this.#attemptTimer);
    this.#streamingSince = null;
    this.#stream = openStream(paths.stream(this.#id), this.#env, {
      frame: (snapshot, fresh) => this.#onFrame(snapshot, fresh),
      open: () => this.#onStreaming(),
      lost: () => this.#poll === null && this.#setLink("reconnecting"),
      failed: () => this.#onFailed(),
    });
  }

  #closeStream() {
    this.#stream?.close();
    this.#stream = null;
  }

  #onFrame(snapshot, fresh) {
    this.#frames += 1;
    this.#onStreaming();
    this.#accept(snapshot, fresh);
  }

  #onStreaming() {
    this.#streamingSince ??= this.#env.now();
    this.#closePoll();
    this.#setLink("live");
    this.#armSilence();
  }

  #onFailed() {
    this.#stream = null;
    this.#env.clearTimeout(this.#silenceTimer);
    const lasted = this.#streamingSince === null ? 0 : this.#env.now() - this.#streamingSince;
    if (lasted >= LASTING) this.#failures = 0;
    if (this.#link === "live") this.#setLink("reconnecting");
    this.#scheduleAttempt();
    if (this.#poll === null) this.#openPoll();
  }

  #scheduleAttempt() {
    this.#env.clearTimeout(this.#attemptTimer);
    const pause = ATTEMPTS[Math.min(this.#failures, ATTEMPTS.length - 1)];
    this.#failures += 1;
    this.#attemptTimer = this.#env.setTimeout(() => this.#openStream(), pause);
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
    if (answer === null || answer.status === 401 || answer.status === 404) this.#failStream();
    else if (answer.status === 200 && supersedes(answer.snapshot, this.#newest)) this.#awaitFrame(answer.snapshot);
    else this.#armSilence();
  }

  #awaitFrame(snapshot) {
    this.#accept(snapshot, false);
    if (this.#closed) return;
    this.#silenceTimer = this.#env.setTimeout(() => this.#failStream(), GRACE); // the next frame clears it
  }

  #failStream() {
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
        this.#accept(snapshot, fresh);
      },
      alive: (failures) => this.#onPollAlive(failures),
      failed: (failures) => {
        first = true;
        if (failures > 1) this.#setLink("reconnecting");
      },
      refused: (status) => this.#onRefused(status),
    });
  }

  #closePoll() {
    this.#poll?.close();
    this.#poll = null;
  }

  #onPollAlive(failures) {
    this.#setLink("polling");
    // The server was unreachable and responds again, so streaming probably works again, too.
    if (failures > 1 && this.#stream === null) this.#openStream();
  }

  #onRefused(status) {
    if (status === 404) this.#end("gone");
    else if (status === 401) this.#end("denied");
    else this.#streamOnly();
  }

  /** Ask the stream whether the session exists: this server has polling disabled (410 for any id). */
  async #streamOnly() {
    this.#closePoll();
    this.#setLink("reconnecting");
    const answer = await this.#env.fetch(paths.stream(this.#id), { method: "HEAD" }).catch(() => null);
    if (this.#closed || this.#poll !== null) return;
    if (answer?.status === 404) this.#end("gone");
    else if (answer?.status === 401) this.#end("denied");
  }
}
