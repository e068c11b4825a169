/** Reads the report of a session while it arrives, and keeps a limited number of records. */

/** Records kept of one report, so that the page's memory is limited. */
export const KEPT = 1000;
/** Milliseconds of reading before the browser may paint: less than one frame. */
const READING_TIME = 8;

const DOCUMENTS = /^(text\/|application\/(pdf|rtf|epub|msword|vnd\.(ms-|oasis|openxml)))/;

/** Return the type of a record as the filter names it. */
export function typeOf(record) {
  const type = record.media_type ?? "";
  const top = type.slice(0, type.indexOf("/"));
  if (top === "image" || top === "video" || top === "audio") return top;
  return DOCUMENTS.test(type) ? "document" : "other";
}

/** Return a predicate of records for the filter {text, status, type}, where "" matches everything. */
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
 * Read NDJSON from `body` (a ReadableStream of bytes) and return {kept, read, more, incomplete}.
 *
 * Reading stops at the first match beyond KEPT (`more` is then true), so frequent matches cost little. A
 * rare match may need the whole report: every READING_TIME milliseconds `onRecords(new, read)` is called
 * and `yieldToBrowser()` awaited. If the response ends early or a line is not JSON, `incomplete` is true.
 */
export async function readReport(body, matches, { now, yieldToBrowser, onRecords }) {
  const lines = new Lines(body);
  const result = { kept: [], read: 0, more: false, incomplete: false };
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
            result.more = true;
            break;
          }
          batch.push(record);
        }
      }
      if (now() - began > READING_TIME) {
        flush();
        await yieldToBrowser();
        began = now();
      }
    }
  } catch (error) {
    if (error.name === "AbortError") throw error;
    result.incomplete = true;
  }
  flush();
  await lines.cancel();
  return result;
}

/** The lines of a stream of bytes. */
class Lines {
  #reader;
  #decoder = new TextDecoder();
  #text = "";
  #at = 0;
  #over = false;

  constructor(body) {
    this.#reader = body.getReader();
  }

  /** Return the next line if it has arrived, else null. */
  buffered() {
    const end = this.#text.indexOf("\n", this.#at);
    if (end < 0) return null;
    const line = this.#text.slice(this.#at, end);
    this.#at = end + 1;
    return line;
  }

  /** Return the next line, or null after the last. */
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
