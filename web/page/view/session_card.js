/** Paints the view of a session into its card. */

import { paths } from "../net/api.js";
import { setAttribute, setMessage, setParts, setPath, setText } from "./dom.js";
import { plotPaths } from "../state/plot.js";
import { link as linkWord, linkHint, phase as phaseWord, say, text, units } from "../strings.js";

/** Least milliseconds between two drawings of the plot. */
const PLOT_GAP = 250;
/** From this number of files on, all counts use a smaller font to fit. */
const MILLION = 1_000_000;
/** Seconds without a connection before a note is shown; some proxies cause shorter losses every minute. */
const LONG_AWAY = 2;

/** Return the icon for how a session ended, or null while it runs; with failed files it is not the check mark. */
export function endIcon(phase, { failed, total }) {
  if (phase === "cancelled") return "cancelled";
  if (phase === "failed" || (phase === "completed" && failed > 0)) return "error";
  if (phase === "completed") return total === 0 ? "skipped" : "done";
  return null;
}

const ENDINGS = {
  completed: (counts, time) => say.completed(counts, time),
  cancelled: (counts, time) => say.cancelled(counts, time),
  failed: (_counts, _time, error) => say.stopped(error ?? ""),
};

export class SessionCard {
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
    this.#paintCurrent(view);
    this.#paintFacts(view);
    this.#paintEnd(view);
  }

  #paintBadge({ link, lag, away }) {
    const { badge, linkWord: word, lag: number } = this.#at;
    setAttribute(badge, "data-link", link);
    setText(word, linkWord[link]);
    if (away !== null) setText(number, away < 1 ? "" : units.duration(away));
    else setText(number, lag === null ? "" : say.lag(lag.ms, lag.about));
    const hint = lag === null ? linkHint[link] : `${linkHint[link]}. ${say.lagHint(lag.about)}.`;
    if (badge.title !== hint) badge.title = hint;
  }

  /** Show the notice of a session that is gone; without a snapshot the rest of the card is hidden. */
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
    setMessage(word, phase === "waiting" && link !== "connecting" ? null : phaseWord[phase]);
    setText(large, percent === null ? units.number(counts.total) : say.percent(percent));
    setText(tally, percent === null ? say.foundTally(counts.total) : say.tally(counts.processed, counts.total));
    setAttribute(bar, "aria-valuenow", percent);
    setAttribute(bar, "aria-valuetext", valueText);
    setParts(bar, parts);
    for (const [kind, dd] of this.#counts) setText(dd, units.number(counts[kind]));
    this.#failed.parentElement.toggleAttribute("data-long", counts.total >= MILLION);
    this.#failed.toggleAttribute("data-some", counts.failed > 0);
  }

  /** Show the current file, or the note that the connection is lost. */
  #paintCurrent({ phase, link, away, current, ended }) {
    const { linkNote: note, currentLine, currentWord: word, current: path } = this.#at;
    const lost = away !== null && away >= LONG_AWAY;
    const finding = phase === "finding";
    setMessage(note, lost ? `${linkHint[link]}.` : null);
    currentLine.hidden = ended || lost || (current === null && !finding);
    setText(word, finding ? text.findingNote : text.current);
    setPath(path, current ?? "");
  }

  #paintFacts({ rate, eta, elapsed, bytes, ended, endedAt }) {
    const { rate: speed, etaWord, eta: time, elapsed: since, bytes: size } = this.#at;
    setText(speed, say.rate(rate));
    setText(etaWord, ended ? text.ended : text.eta);
    if (ended) setText(time, endedAt === null ? "–" : units.moment(new Date(endedAt), new Date()));
    else setText(time, eta === null ? "–" : say.aboutTime(units.estimate(eta)));
    setText(since, elapsed === null ? "–" : units.duration(elapsed));
    setText(size, units.bytes(bytes));
  }

  #paintEnd({ ended, phase, counts, elapsed, jobError, link }) {
    const { summary, summaryWords, summaryIcon, retry, cancel, downloads } = this.#at;
    const time = units.duration(elapsed ?? 0);
    summary.hidden = !ended;
    if (ended) {
      setText(summaryWords, ENDINGS[phase](counts, time, jobError));
      const icon = endIcon(phase, counts);
      setAttribute(summary, "data-icon", icon);
      setAttribute(summaryIcon, "href", `#i-${icon}`);
    }
    const away = link === "gone" || link === "denied";
    this.#show(retry, ended && counts.failed > 0 && !away);
    this.#show(cancel, !ended && !away);
    this.#show(downloads, counts.processed > 0 && !away);
  }

  /** Show or hide an element; if it had the keyboard focus, move the focus to the heading. */
  #show(element, visible) {
    if (!visible && element.contains(document.activeElement)) this.#at.name.focus({ preventScroll: true });
    element.hidden = !visible;
  }

  /** Draw the plot, at most every PLOT_GAP milliseconds; its space is kept while there is nothing to draw. */
  plot(history, now, ended) {
    const { plot, peak } = this.#at;
    plot.hidden = ended && !history.drawable;
    if (!history.drawable || now - this.#plotted < PLOT_GAP) return;
    this.#plotted = now;
    const rates = history.points;
    const { line, before, area } = plotPaths(rates, history.unseen);
    setAttribute(plot.querySelector(".line"), "d", line);
    setAttribute(plot.querySelector(".before"), "d", before);
    setAttribute(plot.querySelector(".area"), "d", area);
    setText(peak, say.peak(say.rate(history.peak)));
    plot.setAttribute("aria-label", say.plot(say.rate(rates.at(-1)), say.rate(history.peak)));
  }

  actionError(message) {
    setMessage(this.#at.actionError, message);
  }
}
