/** The rate over the session, as two SVG paths. */

const WIDTH = 600;
const HEIGHT = 72;
const TOP = 6;

/** The paths {line, area} of rates over the plot's width; the highest stays below its upper edge. */
export function plotPaths(rates) {
  const peak = Math.max(...rates, Number.MIN_VALUE);
  const step = WIDTH / Math.max(1, rates.length - 1);
  const points = rates.map((rate, i) => `${round(i * step)} ${round(HEIGHT - 1 - (rate / peak) * (HEIGHT - TOP))}`);
  const line = `M${points.join("L")}`;
  return { line, area: `${line}L${WIDTH} ${HEIGHT}L0 ${HEIGHT}Z` };
}

const round = (n) => Math.round(n * 10) / 10;
