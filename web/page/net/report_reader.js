/** Reads a session's report as it streams, and keeps a bounded number of records. */

/** Records kept of one reading: the page stays light whatever the report's length. */
export const KEPT = 1000;
/** Milliseconds of reading at a stretch: less than a frame, so the page stays smooth. */
const STRETCH = 8;

const DOCUMENTS = /^(text\/|application\/(pdf|rtf|epub|msword|vnd\.(ms-|oasis|openxml)))/;

/** The coarse type of a record, as the filter names it. */
export function typeOf(record) {
  const type = record.media_type ?? "";
  const top = type.slice(0, type.indexOf("/"));
  if (top === "image" || top === "video" || top === "audio") return top;
  return DOCUMENTS.test(type) ? "document" : "other";
}

/** A test of records for what the person at the page asked: {text, status, type}, "" for any. */
export function matcher({ text = "", status = "", type = "" }) {
  const needle = text.trim().toLowerCase();
  return (record) =>
    (status === "" || record.status === status) &&
    (type === "" || typeOf(record) === type) &&
    (needle === "" ||
      record.file.toLowerCase().includes(needle) ||
      (record.error ?? "").toLowerCase().includes(needle));
}

/**
 * Reads NDJSON from `body` (a ReadableStream of bytes).
 *
 * It stops at the first match beyond KEPT, so common questions cost little; a rare match
 * may need the whole report, which is read in short stretches between which `breathe()` is
 * awaited. `onRecords(new, read)` is called after each stretch. A last line without its end
 * is a report that broke off.
 *
 * Gives {kept, read, cut, broken}: `cut` if there are more that match.
 */
export async function readReport(body, matches, { now, breathe, onRecords }) {
  const lines = new Lines(body);
  const result = { kept: [], read: 0, cut: false, broken: false };
  let batch = [];
  let began = now();
  const flush = () => {
    if (batch.length) result.kept.push(...batch);
    onRecords(batch, result.read);
    batch = [];
  };
  try {
    for (let line = await lines.next(); line !== null; line = lines.buffered() ?? (await lines.next())) {
      if (line !== "") {
        const record = JSON.parse(line);
        result.read += 1;
        if (matches(record)) {
          if (result.kept.length + batch.length === KEPT) {
            result.cut = true;
            break;
          }
          batch.push(record);
        }
      }
      if (now() - began > STRETCH) {
        flush();
        await breathe();
        began = now();
      }
    }
  } catch (error) {
    if (error.name === "AbortError") throw error;
    result.broken = true;
  }
  flush();
  await lines.cancel();
  return result;
}

/** The lines of a stream of bytes, however they are split; null after the last. */
class Lines {
  #reader;
  #decoder = new TextDecoder();
  #text = "";
  #at = 0;
  #over = false;

  constructor(body) {
    this.#reader = body.getReader();
  }

  /** The next line that has already arrived, else null. */
  buffered() {
    const end = this.#text.indexOf("\n", this.#at);
    if (end < 0) return null;
    const line = this.#text.slice(this.#at, end);
    this.#at = end + 1;
    return line;
  }

  async next() {
    for (;;) {
      const line = this.buffered();
      if (line !== null) return line;
      if (this.#over) return this.#rest();
      const { value, done } = await this.#reader.read();
      this.#over = done;
      this.#text = this.#text.slice(this.#at) + this.#decoder.decode(value, { stream: !done });
      this.#at = 0;
    }
  }

  #rest() {
    const rest = this.#text.slice(this.#at);
    this.#text = "";
    this.#at = 0;
    return rest === "" ? null : rest;
  }

  async cancel() {
    await this.#reader.cancel().catch(() => {});
  }
}
