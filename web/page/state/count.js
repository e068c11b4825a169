/** How many files lie in a folder: an answer within a moment, or the part that was found in it. */

const MOST_FOLDERS = 200;
const LANES = 3;

/**
 * The number of files in the folder of `listing`, and below it if `recursive`: {files, whole}.
 *
 * `whole` is false if there may be more: it would take too many questions, one of them failed,
 * or the folder's own number is not known. `list(path)` gives what the directories route
 * answers; `own` is the number of files right in the folder, if it is known from the folder
 * above. `below(path, files, whole)` is told of each folder inside, once all that it holds is
 * known, or at the end.
 *
 * @param {(path: string, files: number, whole: boolean) => void} [below]
 */
export async function countFiles(listing, own, recursive, list, below = () => {}) {
  const known = listing.files ?? own ?? null;
  const right = known ?? 0;
  if (!recursive) return { files: right, whole: known !== null };
  const branches = listing.directories.map(({ path, files }) => ({ path, files, open: 1 }));
  const queue = listing.directories.map(({ path }, i) => ({ path, branch: branches[i] }));
  let asked = 0;
  const lane = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const { path, branch } = next;
      asked += 1;
      if (asked > MOST_FOLDERS) throw new RangeError("too many folders");
      const { directories } = await list(path);
      for (const folder of directories) {
        branch.files += folder.files;
        queue.push({ path: folder.path, branch });
      }
      branch.open += directories.length - 1;
      if (branch.open === 0) below(branch.path, branch.files, true);
    }
  };
  // Lanes that find the queue empty may leave early; the rest finish what is found later.
  const lanes = await Promise.allSettled(Array.from({ length: LANES }, lane));
  const whole = known !== null && lanes.every(({ status }) => status === "fulfilled");
  for (const { path, files, open } of branches) if (open > 0) below(path, files, false);
  return { files: branches.reduce((sum, branch) => sum + branch.files, right), whole };
}
