/** File names as text that cannot mislead: nothing in them hides, breaks lines or turns text round. */

// Control characters, line separators, and the marks that reverse or isolate text.
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** `name` with what cannot be seen made visible, as a control picture or a code point. */
export function visible(name) {
  return name.replace(UNSEEN, (c) => {
    const code = c.codePointAt(0);
    if (code < 0x20) return String.fromCodePoint(0x2400 + code);
    return `‹U+${code.toString(16).toUpperCase().padStart(4, "0")}›`;
  });
}

/** The folder part, with its slash, and the rest: of a long path the end says most. */
export function split(path) {
  const at = path.lastIndexOf("/") + 1;
  return [path.slice(0, at), path.slice(at)];
}
