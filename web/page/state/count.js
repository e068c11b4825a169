/** Counts the files in a folder, within limits. */

const MOST_FOLDERS = 200;
const CONCURRENCY = 3;

/**
 * Return the number of files in the folder of `listing`, and below it if `recursive`: {files, whole}.
 *
 * `whole` is false if there may be more files: too many requests were needed, one failed, or the number of
 * files directly in the folder is unknown. `list(path)` returns the response of the directories route;
 * `own` is the number of files directly in the folder, if the parent folder's listing has it.
 * `below(path, files, whole)` is called for each folder inside, when its count is complete or at the end.
 *
 * @param {(path: string, files: number, whole: boolean) => void} [below]
 */
export async function countFiles(listing, own, recursive, list, below = () => {}) {
  const known = listing.files ?? own ?? null;
  const direct = known ?? 0;
  if (!recursive) return { files: direct, whole: known !== null };
  const branches = listing.directories.map(({ path, files }) => ({ path, files, open: 1 }));
  const queue = listing.directories.map(({ path }, i) => ({ path, branch: branches[i] }));
  let asked = 0;
  const work = async () => {
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
  // A worker that finds the queue empty ends; the others process what is added later.
  const results = await Promise.allSettled(Array.from({ length: CONCURRENCY }, work));
  const whole = known !== null && results.every(({ status }) => status === "fulfilled");
  for (const { path, files, open } of branches) if (open > 0) below(path, files, false);
  return { files: branches.reduce((sum, branch) => sum + branch.files, direct), whole };
}
