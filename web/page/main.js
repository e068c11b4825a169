/** The page's start: where a script was lost, as when the network changes, all are asked for again. */

const AGAIN = 1000;

import("./app.js").catch(async (error) => {
  // Once: after that the page says what to do, which needs no script.
  const [navigation] = /** @type {PerformanceNavigationTiming[]} */ (performance.getEntriesByType("navigation"));
  if (navigation?.type === "reload") throw error;
  do await new Promise((resolve) => setTimeout(resolve, AGAIN));
  while (!(await answers()));
  location.reload();
});

/** Whether the service is there: a reload without it would leave the browser's own error page. */
async function answers() {
  try {
    return (await fetch("healthz", { cache: "no-store" })).ok;
  } catch {
    return false;
  }
}
