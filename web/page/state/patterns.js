/** The patterns chosen in the form: common sets and typed patterns. */

export const SETS = {
  images: ["*.jpg", "*.jpeg", "*.png", "*.gif", "*.webp", "*.heic", "*.tif", "*.tiff", "*.bmp", "*.avif"],
  video: ["*.mp4", "*.mov", "*.m4v", "*.mkv", "*.webm", "*.avi", "*.mpg", "*.mpeg"],
  documents: [
    "*.pdf",
    "*.txt",
    "*.md",
    "*.csv",
    "*.doc",
    "*.docx",
    "*.odt",
    "*.xls",
    "*.xlsx",
    "*.ods",
    "*.ppt",
    "*.pptx",
  ],
};

/** The first choice: every file. */
export const EVERY = Object.freeze([]);

const unique = (patterns) => [...new Set(patterns.map((p) => p.trim()).filter(Boolean))];

/** Return `chosen` with the typed patterns, which may be separated by bars, commas or spaces. */
export const withTyped = (chosen, typed) => unique([...chosen, ...typed.split(/[|,\s]+/)]).filter((p) => p !== "*");

export const without = (chosen, pattern) => chosen.filter((p) => p !== pattern);

export const has = (chosen, set) => (set === "all" ? chosen.length === 0 : SETS[set].every((p) => chosen.includes(p)));

/** Return `chosen` after a press on the button of `set`. */
export function toggled(chosen, set) {
  if (set === "all") return EVERY;
  if (has(chosen, set)) return chosen.filter((p) => !SETS[set].includes(p));
  return unique([...chosen, ...SETS[set]]);
}

/** Return the patterns as the service expects them. */
export const joined = (chosen) => (chosen.length === 0 ? "*" : chosen.join("|"));
