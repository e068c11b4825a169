/** File names as text without invisible characters, line breaks or changes of the text direction. */

// Control characters, line separators, marks of text direction, and spaces without width.
const INVISIBLE =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;
const JOINERS = "\u200c\u200d";
const EMOJI = /^[\p{Extended_Pictographic}\ufe0f\u{1f3fb}-\u{1f3ff}]$/u;
const JOINING_SCRIPT =
  /^[\p{Script=Arabic}\p{Script=Syriac}\p{Script=Devanagari}\p{Script=Bengali}\p{Script=Gurmukhi}\p{Script=Gujarati}\p{Script=Tamil}\p{Script=Telugu}\p{Script=Kannada}\p{Script=Malayalam}\p{Script=Sinhala}]$/u;

/** Return `name` with each invisible character replaced by a control picture or its code point. */
export function visible(name) {
  return name.replace(INVISIBLE, (c, at) => {
    if (JOINERS.includes(c) && joins(name, at)) return c;
    const code = c.codePointAt(0);
    if (code < 0x20) return String.fromCodePoint(0x2400 + code);
    return `‹U+${code.toString(16).toUpperCase().padStart(4, "0")}›`;
  });
}

/** Return whether the joiner at `at` has its purpose: between emoji, or in a script that uses joiners. */
function joins(name, at) {
  const before = Array.from(name.slice(Math.max(0, at - 2), at)).at(-1) ?? "";
  const [after = ""] = name.slice(at + 1, at + 3);
  return [EMOJI, JOINING_SCRIPT].some((set) => set.test(before) && set.test(after));
}

/** Return the folder of a path, with its slash, and the file name. */
export function split(path) {
  const at = path.lastIndexOf("/") + 1;
  return [path.slice(0, at), path.slice(at)];
}
