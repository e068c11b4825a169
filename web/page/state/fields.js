/** What is known of a file, as labelled values. */

const WORDS = /[_.]+/g;

/** Return [[label, value], …] of nested metadata; a list of plain values is one value. */
export function fieldsOf(metadata, prefix = "") {
  return Object.entries(metadata ?? {}).flatMap(([name, value]) => {
    const label = prefix + (prefix === "" ? capital(name) : name).replace(WORDS, " ");
    if (value === null || value === "" || value === undefined) return [];
    if (Array.isArray(value)) {
      const plain = value.every((one) => typeof one !== "object" || one === null);
      return value.length === 0 ? [] : [[label, plain ? value.join(", ") : JSON.stringify(value)]];
    }
    if (typeof value === "object") return fieldsOf(value, `${label} · `);
    return [[label, String(value)]];
  });
}

const capital = (word) => word.slice(0, 1).toUpperCase() + word.slice(1);

/** Return the width and height of an image or film as text, or null. */
export function sizeOf(metadata) {
  const { display_width: width, display_height: height } = metadata ?? {};
  return Number.isInteger(width) && Number.isInteger(height) ? `${width} × ${height}` : null;
}

/** Return the extension of a file's name in capitals, of four characters at most. */
export function extensionOf(path) {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const at = name.lastIndexOf(".");
  return at > 0 ? name.slice(at + 1, at + 5).toUpperCase() : "";
}

/** Return whether the server may have a preview of a record. */
export const hasPreview = ({ status, media_type: type }) => status !== "error" && (type ?? "").startsWith("image/");
