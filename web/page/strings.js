/** Every English word of the page: to translate it, translate this file and `signin.html`. */

export const LOCALE = "en";

const number = new Intl.NumberFormat(LOCALE);
const plural = (n, one, many) => `${number.format(n)} ${n === 1 ? one : many}`;
const files = (n) => plural(n, "file", "files");
const RETRY = "Retry of ";

/** Fixed texts, which index.html names in data-text, data-label and data-placeholder. */
export const text = {
  brand: "Ingest",
  skip: "Skip to the content",
  newSession: "New session",

  startTitle: "New session",
  startLead:
    "Pick a folder and press Start. You can watch every file land, and close this page at any time: the work goes on.",
  folder: "Folder",
  breadcrumbs: "Folder shown",
  folders: "Folders inside",
  folderKeys: "Arrow keys move, Enter opens, Backspace goes up.",
  filterFolders: "Filter these folders",
  noFolders: "No folders in here.",
  noMatchingFolders: "No folder matches.",
  loadingFolders: "Looking…",
  recursive: "Include the folders inside",
  which: "Which files",
  common: "Common sets",
  setAll: "All files",
  setImages: "Images",
  setVideo: "Video",
  setDocuments: "Documents",
  chosenPatterns: "Chosen patterns",
  addPattern: "Add a pattern",
  patternExample: "Pattern, like *.raw",
  add: "Add",
  options: "Options",
  limit: "Stop after",
  limitUnit: "files",
  limitExample: "no limit",
  skipExisting: "Skip files that are known and unchanged",
  start: "Start",
  starting: "Starting…",

  sessions: "Sessions",
  noSessions: "None yet. The first one shows up here.",
  listStale: "The list cannot be reached just now.",

  session: "Session",
  progress: "Progress",
  done: "Done",
  skipped: "Skipped",
  failed: "Failed",
  left: "Left",
  speed: "Files per second",
  eta: "Time left",
  ended: "Ended",
  elapsed: "Elapsed",
  size: "Data read",
  current: "Now",
  findingNote: "Looking through the folders. Work on the files begins when all are found.",
  cancel: "Cancel",
  retry: "Retry failed files",
  cancelTitle: "Cancel this session?",
  cancelBody: "Files that are finished stay recorded. The rest is left as it is.",
  cancelYes: "Cancel session",
  cancelNo: "Keep going",
  close: "Close",

  errors: "What went wrong",
  errorsList: "Errors, newest first",
  errorLoading: "Loading…",
  errorUnavailable: "This server no longer hands out single errors. The report has them all.",

  report: "Files",
  reportShow: "Show the files so far",
  reportReload: "Read again",
  search: "Search names and messages",
  outcome: "Outcome",
  type: "Type",
  anyOutcome: "Any outcome",
  anyType: "Any type",
  typeImage: "Images",
  typeVideo: "Video",
  typeAudio: "Audio",
  typeDocument: "Documents and text",
  typeOther: "Other",
  columnFile: "File",
  columnOutcome: "Outcome",
  columnType: "Type",
  columnSize: "Size",
  reportPartly: "The report broke off; what arrived is shown.",
  more: "Show more",
  downloads: "Download the report",
  downloadWord: "Report",
  ndjson: "NDJSON",
  csv: "CSV",

  detailTime: "Time",
  detailMessage: "Message",
  detailRecord: "Record",

  goneTitle: "This session is not there any more",
  goneBody: "The server does not know it. It may have been started elsewhere, or its time is over.",
  deniedTitle: "You are signed out",
  deniedBody: "The server no longer accepts this browser's sign-in. The session itself goes on.",
  signIn: "Sign in again",
};

/** What each word of the contract is called on the page. */
export const link = {
  connecting: "Connecting",
  live: "Live",
  reconnecting: "Reconnecting",
  polling: "Polling",
  finished: "Finished",
  gone: "Gone",
  denied: "Signed out",
};

export const linkHint = {
  connecting: "Waiting for the first word from the server",
  live: "Every change is pushed to this page",
  reconnecting: "The connection is lost. This page reconnects by itself; nothing is missed",
  polling: "Live updates do not get through to here, so the page asks for each change",
  finished: "Nothing more will change",
  gone: "The server does not know this session",
  denied: "Sign in to go on watching",
};

export const phase = {
  waiting: "Connecting…",
  finding: "Finding files",
  processing: "In progress",
  completed: "Completed",
  cancelled: "Cancelled",
  failed: "Stopped",
};

export const outcome = { done: "Done", skipped: "Skipped", error: "Failed" };

export const outcomeOf = (status) => outcome[status] ?? String(status);

/** Sentences with something in them. */
export const say = {
  files,
  found: (n) => `${files(n)} found so far`,
  foundTally: (n) => `${n === 1 ? "file" : "files"} found so far`,
  tally: (processed, total) => `${number.format(processed)} of ${files(total)}`,
  percent: (n) => `${number.format(n)}%`,
  valueFinding: (n) => `Finding files: ${number.format(n)} so far`,
  valueText: (percent, v) =>
    `${percent} percent: ${number.format(v.done)} done, ${number.format(v.skipped)} skipped, ` +
    `${number.format(v.failed)} failed, of ${files(v.total)}`,
  title: (percent, name) => `${percent}% · ${name || text.brand}`,
  titleFinding: (n, name) => `${number.format(n)} found · ${name || text.brand}`,
  titleEnd: (word, percent, name) =>
    [word, percent !== null && `${percent}%`, name || text.brand].filter(Boolean).join(" · "),
  completed: (v, elapsed) => {
    if (v.total === 0) return "No file matched. Another folder, or other patterns, may hold what you want.";
    if (v.failed > 0) return `Finished in ${elapsed}. ${files(v.failed)} failed and can be tried again.`;
    if (v.skipped === v.total) return `Finished in ${elapsed}. Nothing was new: every file was known and unchanged.`;
    return `Finished in ${elapsed}, without an error.`;
  },
  cancelled: (v, elapsed) =>
    v.total === 0
      ? `Cancelled after ${elapsed}, before a file was found.`
      : `Cancelled after ${elapsed}. ${number.format(v.left)} of ${files(v.total)} were left as they are.`,
  stopped: (message) =>
    `The session could not go on: ${message}\n` +
    `What is finished stays recorded. When the cause is mended, start again with “${text.skipExisting}”.`,
  lag: (ms, about) => `${about ? "≈ " : ""}${number.format(ms)} ms`,
  lagHint: (about) =>
    about
      ? "From the change to this page. The two clocks differ; this is an estimate."
      : "From the change to this page",
  rate: (n) => number.format(n >= 100 ? Math.round(n) : Math.round(n * 10) / 10),
  plot: (now, peak) => `Files per second over the session: now ${now}, at most ${peak}`,
  peak: (n) => `at most ${n} files per second`,
  aboutTime: (duration) => `about ${duration}`,
  sessionName: (id) => `${text.session} ${id.slice(0, 8)}`,
  retryName: (name) => (name.startsWith(RETRY) ? name : RETRY + name),
  startCount: (n) => `${text.start} · ${files(n)}`,
  /** What a session takes its files from; a folder of null is the root. */
  from: (folder, recursive) => {
    if (folder === null) return recursive ? "all folders" : "the top folder alone";
    return recursive ? `“${folder}” and the folders inside` : `“${folder}” alone`;
  },
  takes: (from, every, count) => {
    const known = count && count.files > 0;
    if (every) return known && !count.whole ? `At least ${files(count.files)}, from ${from}.` : `From ${from}.`;
    if (!known) return `The files that match, from ${from}.`;
    return `Those of ${count.whole ? "" : "at least "}${files(count.files)} that match, from ${from}.`;
  },
  filesBelow: (n) => (n === 0 ? "empty" : files(n)),
  filesAtLeast: (n) => (n === 0 ? "" : `${number.format(n)}+ files`),
  foldersCut: (shown, all) => `${number.format(shown)} of ${number.format(all)} folders shown; filter to see others.`,
  root: "All folders",
  upTo: (name) => `Up to ${name}`,
  removePattern: (pattern) => `Remove ${pattern}`,
  errorCount: (n) => plural(n, "error", "errors"),
  errorsCut: (n) => `The newest ${number.format(n)} are listed; the report has them all.`,
  reportKept: (shown, read) => `${number.format(shown)} of ${files(read)} match.`,
  reportAll: (shown) => `${files(shown)}.`,
  reportNone: (read) => (read === 0 ? "No file is finished yet." : `None of ${files(read)} matches.`),
  reportCut: (kept) => `The first ${number.format(kept)} that match are listed; the download has them all.`,
  reportReading: (read) => `Reading… ${files(read)} so far.`,
  listCounts: (v) =>
    [
      v.done && `${number.format(v.done)} done`,
      v.skipped && `${number.format(v.skipped)} skipped`,
      v.failed && `${number.format(v.failed)} failed`,
    ]
      .filter(Boolean)
      .join(" · ") || (v.total === 0 ? "no files" : "0 done"),
};

/** What went wrong between the page and the server. */
export const trouble = {
  network: "The server cannot be reached. Check the connection and try again.",
  unauthorized: "You are signed out. Sign in again to go on.",
  busy: "The server has as many sessions running as it can take. Try again in a moment.",
  answer: (status) => `The server answered with ${status}.`,
  folderGone: "This folder is not there.",
  folderForbidden: "This folder is outside of what may be read.",
  limit: "Give a whole number from 1 up, or leave this empty for no limit.",
};

const two = (n) => String(n).padStart(2, "0");
const clock = (date) => `${two(date.getHours())}:${two(date.getMinutes())}`;

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

export const units = {
  bytes(n) {
    let i = 0;
    let value = n;
    while (value >= 999.5 && i < UNITS.length - 1) [value, i] = [value / 1000, i + 1];
    const digits = i === 0 || value >= 99.5 ? 0 : 1;
    return `${value.toFixed(digits)} ${UNITS[i]}`;
  },
  /** Seconds in the two largest units that matter. */
  duration(seconds) {
    const s = Math.max(0, Math.round(seconds));
    if (seconds < 1) return "under 1 s";
    if (s < 60) return `${s} s`;
    const minutes = Math.floor(s / 60);
    if (minutes < 60) return `${minutes} min ${s % 60} s`;
    const hours = Math.floor(minutes / 60);
    if (hours < 48) return `${hours} h ${minutes % 60} min`;
    return `${Math.floor(hours / 24)} d ${hours % 24} h`;
  },
  number: (n) => number.format(n),
  /** What is only guessed, no finer than a guess is worth. */
  estimate(seconds) {
    const minutes = Math.round(seconds / 60);
    if (seconds < 60) return units.duration(seconds);
    if (seconds < 600) return `${Math.floor(seconds / 60)} min ${Math.floor((seconds % 60) / 10) * 10} s`;
    if (minutes < 60) return `${minutes} min`;
    if (minutes < 600) return `${Math.floor(minutes / 60)} h ${Math.floor((minutes % 60) / 5) * 5} min`;
    return minutes < 48 * 60 ? `${Math.round(minutes / 60)} h` : `${Math.round(minutes / 1440)} days`;
  },
  time: (date) => `${clock(date)}:${two(date.getSeconds())}`,
  full: (date) =>
    `${date.toLocaleDateString(LOCALE, { day: "numeric", month: "short", year: "numeric" })}, ${units.time(date)}`,
  /** A time of today, else the day with it. */
  moment(date, now) {
    if (date.toDateString() === now.toDateString()) return clock(date);
    return `${date.toLocaleDateString(LOCALE, { day: "numeric", month: "short" })}, ${clock(date)}`;
  },
};
