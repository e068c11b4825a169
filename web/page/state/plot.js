/** The rate over the session, as two SVG paths. */

const WIDTH = 600;
const HEIGHT = 72;
const TOP = 6;

/**
 * Return the paths {line, before, area} of the rates over the width of the plot.
 *
 * The first `unseen` points are an average from before the page was opened: `before` joins them, and `line`
 * begins at the last of them.
 */
export function plotPaths(rates, unseen = 0) {
  const peak = Math.max(...rates, Number.MIN_VALUE);
  const step = WIDTH / Math.max(1, rates.length - 1);
  const points = rates.map((rate, i) => `${round(i * step)} ${round(HEIGHT - 1 - (rate / peak) * (HEIGHT - TOP))}`);
  const from = Math.max(0, Math.min(unseen, points.length) - 1);
  return {
    line: `M${points.slice(from).join("L")}`,
    before: from > 0 ? `M${points.slice(0, from + 1).join("L")}` : "",
    area: `M${points.join("L")}L${WIDTH} ${HEIGHT}L0 ${HEIGHT}Z`,
  };
}

const round = (n) => Math.round(n * 10) / 10;
