/** The start of the page; if a script fails to load, as when the network changes, the page is reloaded. */

const RETRY = 1000;

import("./app.js").catch(async (error) => {
  // Reload once only; after that the text of index.html asks the user to reload.
  const [navigation] = /** @type {PerformanceNavigationTiming[]} */ (performance.getEntriesByType("navigation"));
  if (navigation?.type === "reload") throw error;
  do await new Promise((resolve) => setTimeout(resolve, RETRY));
  while (!(await responds()));
  location.reload();
});

/** Return whether the service responds: a reload without it would show the error page of the browser. */
async function responds() {
  try {
    return (await fetch("healthz", { cache: "no-store" })).ok;
  } catch {
    return false;
  }
}
