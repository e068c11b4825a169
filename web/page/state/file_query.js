/** What the table of files asks the server for. */

/** Files of one page of the table. */
export const PAGE = 50;

/** Return the query of a page for the filter {q, status, type, sort}, where "" takes everything. */
export function fileQuery(filter, after = null, limit = PAGE) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(filter)) if (value.trim() !== "") query.set(name, value.trim());
  query.set("limit", String(limit));
  if (after !== null) query.set("after", after);
  return query.toString();
}

/** Return whether the filter takes every file. */
export const takesAll = ({ q, status, type }) => q.trim() === "" && status === "" && type === "";
