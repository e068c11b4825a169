/** Paints what is known of a session into its card. */

import { paths } from "./api.js";
import { part, setAttribute, setMessage, setParts, setPath, setText } from "./dom.js";
import { plotPaths } from "./plot.js";
import { link as linkWord, linkHint, phase as phaseWord, say, text, units } from "./strings.js";

/** Milliseconds between two drawings of the plot: its points change no faster. */
const PLOT_GAP = 250;

const ENDINGS = {
  completed: (counts, time) => say.completed(counts, time),
  cancelled: (counts, time) => say.cancelled(counts, time),
  failed: (_counts, _time, error) => say.stopped(error ?? ""),
};

export class WatchCard {
  #root;
  #at = {};
  #counts;
  #failed;
  #plotted = -Infinity;

  constructor(root, id, name) {
    this.#root = root;
    for (const element of root.querySelectorAll("*")) {
      for (const key of Object.keys(element.dataset)) this.#at[key] ??= element;
    }
    this.#counts = [...root.querySelectorAll("[data-count]")].map((dd) => [dd.dataset.count, dd]);
    this.#failed = root.querySelector('[data-kind="error"]');
    setText(this.#at.name, name);
    setText(this.#at.id, id.length > 16 ? `${id.slice(0, 8)}…` : id);
    this.#at.id.title = id;
    this.#at.ndjson.href = paths.report(id);
    this.#at.csv.href = paths.csv(id);
  }

  paint(view) {
    setAttribute(this.#root, "data-phase", view.phase);
    this.#paintBadge(view);
    this.#paintNotice(view);
    this.#paintBar(view);
    this.#paintFacts(view);
    this.#paintEnd(view);
  }

  #paintBadge({ link, lag }) {
    const { badge, linkWord: word, lag: number } = this.#at;
    setAttribute(badge, "data-link", link);
    setText(word, linkWord[link]);
    setText(number, lag === null ? "" : say.lag(lag.ms, lag.about));
    const hint = lag === null ? linkHint[link] : `${linkHint[link]}. ${say.lagHint(lag.about)}.`;
    if (badge.title !== hint) badge.title = hint;
  }

  /** A session that is gone, and of which nothing was ever seen, has only that to say. */
  #paintNotice({ link, phase }) {
    const { notice, noticeTitle, noticeBody, noticeLink, body } = this.#at;
    const gone = link === "gone";
    notice.hidden = !gone;
    body.hidden = gone && phase === "waiting";
    if (!gone) return;
    setText(noticeTitle, text.goneTitle);
    setText(noticeBody, text.goneBody);
    setText(noticeLink, text.newSession);
    setAttribute(noticeLink, "href", "#");
  }

  #paintBar({ phase, link, percent, counts, parts, valueText }) {
    const { phaseWord: word, percent: large, tally, bar } = this.#at;
    setText(word, phase === "waiting" && link !== "connecting" ? "" : phaseWord[phase]);
    setText(large, percent === null ? units.number(counts.total) : say.percent(percent));
    setText(tally, percent === null ? say.foundTally(counts.total) : say.tally(counts.processed, counts.total));
    setAttribute(bar, "aria-valuenow", percent);
    setAttribute(bar, "aria-valuetext", valueText);
    setParts(bar, parts);
    for (const [kind, dd] of this.#counts) setText(dd, units.number(counts[kind]));
    this.#failed.toggleAttribute("data-some", counts.failed > 0);
  }

  #paintFacts({ current, rate, eta, elapsed, bytes, ended }) {
    const { currentLine, current: path, rate: speed, eta: time, etaLine, elapsed: since, bytes: size } = this.#at;
    currentLine.hidden = ended;
    currentLine.toggleAttribute("data-idle", current === null); // keeps its place
    setPath(path, current ?? "");
    setText(speed, say.rate(rate));
    etaLine.hidden = ended;
    setText(time, eta === null ? "–" : say.aboutTime(units.duration(eta)));
    setText(since, elapsed === null ? "–" : units.duration(elapsed));
    setText(size, units.bytes(bytes));
  }

  #paintEnd({ ended, phase, counts, elapsed, jobError, link }) {
    const { summary, retry, cancel, downloads } = this.#at;
    const time = units.duration(elapsed ?? 0);
    setMessage(summary, ended ? ENDINGS[phase](counts, time, jobError) : null);
    const away = link === "gone" || link === "denied";
    retry.hidden = !ended || counts.failed === 0 || away;
    cancel.hidden = ended || away;
    downloads.hidden = counts.processed === 0 || away;
  }

  /** Draws the plot anew, if it is time. */
  plot(history, now) {
    if (!history.drawable || now - this.#plotted < PLOT_GAP) return;
    this.#plotted = now;
    const { plot, peak } = this.#at;
    const rates = history.points;
    const { line, area } = plotPaths(rates);
    plot.hidden = false;
    setAttribute(plot.querySelector(".line"), "d", line);
    setAttribute(plot.querySelector(".area"), "d", area);
    setText(peak, say.peak(say.rate(history.peak)));
    plot.setAttribute("aria-label", say.plot(say.rate(rates.at(-1)), say.rate(history.peak)));
  }

  actionError(message) {
    setMessage(this.#at.actionError, message);
  }
}
