/** The texts of the page; a translation replaces this file and the texts of `signin.html`. */

export const LOCALE = "en";

const number = new Intl.NumberFormat(LOCALE);
const plural = (n, one, many) => `${number.format(n)} ${n === 1 ? one : many}`;
const files = (n) => plural(n, "file", "files");
const RETRY = "Retry of ";

/** Fixed texts, named by data-text, data-label and data-placeholder in index.html. */
export const text = {
  brand: "Ingest",
  skip: "Skip to the content",
  newSession: "New session",

  startTitle: "New session",
  startLead:
    "Choose a folder and press Start. The page shows the progress. You can close it at any time: the session continues.",
  folder: "Folder",
  breadcrumbs: "Current folder",
  folders: "Folders inside",
  folderKeys: "Arrow keys move, Enter opens, Backspace goes to the parent folder.",
  filterFolders: "Filter these folders",
  noFolders: "No folders inside.",
  noMatchingFolders: "No folder matches.",
  loadingFolders: "Loading…",
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
  skipExisting: "Skip files already ingested and unchanged",
  start: "Start",
  starting: "Starting…",

  sessions: "Sessions",
  noSessions: "No sessions yet.",
  listStale: "The list cannot be loaded. It is tried again every few seconds.",

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
  findingNote: "Searching the folders. Processing begins when all files are found.",
  cancel: "Cancel",
  retry: "Retry failed files",
  cancelTitle: "Cancel this session?",
  cancelBody: "Outcomes so far are kept. The remaining files are not processed.",
  cancelYes: "Cancel session",
  cancelNo: "Keep going",
  close: "Close",

  errors: "Errors",
  errorsList: "Errors, newest first",
  errorLoading: "Loading…",
  errorUnavailable: "This server does not return single errors. The report contains all of them.",

  report: "Files",
  reportReload: "Reload",
  search: "Search paths",
  outcome: "Outcome",
  type: "Type",
  anyOutcome: "Any outcome",
  anyType: "Any type",
  typeImage: "Images",
  typeVideo: "Video",
  typeAudio: "Audio",
  typeText: "Text",
  typePdf: "PDF",
  typeApplication: "Documents, archives, other",
  sort: "Order",
  sortFound: "In the order found",
  sortLast: "Last found first",
  sortPath: "By path",
  sortLargest: "Largest first",
  sortSmallest: "Smallest first",
  sortNewest: "Changed recently first",
  sortOldest: "Changed long ago first",
  columnFile: "File",
  columnOutcome: "Outcome",
  columnType: "Type",
  columnSize: "Size",
  reportReading: "Reading…",
  reportEmpty: "No file is finished yet.",
  reportNone: "No file matches.",

  wall: "Latest files",
  wallPaused: "Paused while the pointer is here",
  causes: "Errors by cause",
  more: "Show more",
  downloads: "Download the report",
  downloadWord: "Report",
  ndjson: "NDJSON",
  csv: "CSV",

  detailTime: "Time",
  detailMessage: "Message",
  detailWarning: "Warning",
  detailDimensions: "Pixels",
  detailModified: "Changed",
  detailHash: "SHA-256",
  copyPath: "Copy the path",
  copyHash: "Copy the hash",
  copied: "Copied",

  goneTitle: "This session no longer exists",
  goneBody: "The server does not have this session. It was removed because of its age, or started on another server.",
  deniedTitle: "You are signed out",
  deniedBody: "The server no longer accepts the sign-in of this browser. The session continues.",
  signIn: "Sign in again",
};

/** The words for the states of the connection. */
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
  connecting: "Waiting for the first response of the server",
  live: "The server streams each change to this page",
  reconnecting: "The connection is lost. This page reconnects by itself, and no change is missed",
  polling: "The stream does not reach this page, so the page polls for each change",
  finished: "The session has ended",
  gone: "The server does not have this session",
  denied: "Sign in to continue",
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

/** Texts with values. */
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
    if (v.total === 0) return "No file matched. Choose another folder or other patterns.";
    if (v.failed > 0) return `Finished in ${elapsed}. ${files(v.failed)} failed and can be retried.`;
    if (v.skipped === v.total)
      return `Finished in ${elapsed}. Every file was skipped: none has changed since it was ingested.`;
    return `Finished in ${elapsed} without errors.`;
  },
  cancelled: (v, elapsed) =>
    v.total === 0
      ? `Cancelled after ${elapsed}, before any file was found.`
      : `Cancelled after ${elapsed}. ${number.format(v.left)} of ${files(v.total)} were not processed.`,
  stopped: (message) =>
    `The session stopped: ${message}\n` +
    `Outcomes so far are kept. Correct the cause, then start again with “${text.skipExisting}”.`,
  lag: (ms, about) => `${about ? "≈ " : ""}${number.format(ms)} ms`,
  lagHint: (about) =>
    about
      ? "Time from the change to its receipt by this page, estimated because the two clocks differ"
      : "Time from the change to its receipt by this page",
  rate: (n) => number.format(n >= 100 ? Math.round(n) : Math.round(n * 10) / 10),
  plot: (now, peak) => `Files per second over the session: now ${now}, at most ${peak}`,
  peak: (n) => `at most ${n} files per second`,
  aboutTime: (duration) => `about ${duration}`,
  requestName: ({ directory, pattern, retry_of }) => {
    if (retry_of) return RETRY + retry_of.slice(0, 8);
    return [directory === "." ? say.root : directory, ...(pattern === "*" ? [] : [pattern])].join(" · ");
  },
  sessionName: (id) => `${text.session} ${id.slice(0, 8)}`,
  retryName: (name) => (name.startsWith(RETRY) ? name : RETRY + name),
  startCount: (n) => `${text.start} · ${files(n)}`,
  /** The folders that a session includes; a folder of null is the root. */
  from: (folder, recursive) => {
    if (folder === null) return recursive ? "all folders" : "the top folder only";
    return recursive ? `“${folder}” and the folders inside` : `“${folder}” only`;
  },
  takes: (from, every, count) => {
    const known = count && count.files > 0;
    if (every) return known && !count.whole ? `At least ${files(count.files)}, from ${from}.` : `From ${from}.`;
    if (!known) return `All matching files from ${from}.`;
    return `The matching files among ${count.whole ? "" : "at least "}${files(count.files)} from ${from}.`;
  },
  filesBelow: (n) => (n === 0 ? "empty" : files(n)),
  filesAtLeast: (n) => (n === 0 ? "" : `${number.format(n)}+ files`),
  foldersCut: (shown, all) =>
    `${number.format(shown)} of ${number.format(all)} folders are shown; use the filter to find others.`,
  root: "All folders",
  upTo: (name) => `Up to ${name}`,
  removePattern: (pattern) => `Remove ${pattern}`,
  errorCount: (n) => plural(n, "error", "errors"),
  errorsCut: (n) => `The newest ${number.format(n)} are listed; the report contains all of them.`,
  reportKept: (shown) => plural(shown, "file matches.", "files match."),
  reportAll: (all) => `${files(all)}.`,
  reportCut: (shown) => `The first ${number.format(shown)} matches are shown.`,
  tile: (name, word) => `${name}, ${word}`,
  bytes: (n) => (n < 1000 ? plural(n, "byte", "bytes") : `${units.bytes(n)} (${plural(n, "byte", "bytes")})`),
  causesCut: (n) => `Grouped are the first ${number.format(n)} errors.`,
  causeMore: (n) => `and ${files(n)} more; the table below lists them with the outcome “${text.failed}”.`,
  listCounts: (v) =>
    [
      v.done && `${number.format(v.done)} done`,
      v.skipped && `${number.format(v.skipped)} skipped`,
      v.failed && `${number.format(v.failed)} failed`,
    ]
      .filter(Boolean)
      .join(" · ") || (v.total === 0 ? "no files" : "0 done"),
};

/** The texts of failed requests. */
export const trouble = {
  network: "The server cannot be reached. Check the connection and try again.",
  unauthorized: "You are signed out. Sign in again to continue.",
  busy: "The server has reached its limit of running sessions. Try again in a moment.",
  answer: (status) => `The server responded with status ${status}.`,
  folderGone: "This folder does not exist.",
  folderForbidden: "This folder is not allowed.",
  limit: "Enter a whole number of at least 1, or leave this empty for no limit.",
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
  /** Return a duration in its two largest units. */
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
  /** Return an estimated duration, rounded according to its size. */
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
  /** Return the time, with the day unless it is today. */
  moment(date, now) {
    if (date.toDateString() === now.toDateString()) return clock(date);
    return `${date.toLocaleDateString(LOCALE, { day: "numeric", month: "short" })}, ${clock(date)}`;
  },
};
