/** Errors grouped by what they have in common. */

/** Files named for a cause; the table has all of them. */
export const NAMED = 20;

/** Return the message without the numbers and names in which errors of one cause differ. */
export function causeOf(message) {
  return message
    .replace(/(["'“‘`]).*?["'”’`]/g, "…")
    .replace(/\d[\d,. ]*\d|\d/g, "…")
    .replace(/\s*\([^()]*…[^()]*\)/g, "")
    .replace(/\s+/g, " ")
    .trim();
}

/** Return [{cause, count, files}], the most frequent cause first; a file is a record of the server. */
export function groupByCause(records) {
  const groups = new Map();
  for (const record of records) {
    const cause = causeOf(record.error ?? "");
    const group = groups.get(cause) ?? { cause, count: 0, files: [] };
    group.count += 1;
    if (group.files.length < NAMED) group.files.push(record);
    groups.set(cause, group);
  }
  for (const group of groups.values()) if (group.count === 1) group.cause = group.files[0].error ?? "";
  return [...groups.values()].sort((a, b) => b.count - a.count);
}
