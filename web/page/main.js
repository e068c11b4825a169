/** The page's start: where a script was lost, as when the network changes, all are asked for again. */

const AGAIN = 1000;

import("./app.js").catch((error) => {
  // Once: after that the page says what to do, which needs no script.
  if (performance.getEntriesByType("navigation")[0]?.type === "reload") throw error;
  setTimeout(() => location.reload(), AGAIN);
});
