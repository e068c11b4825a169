/** How many files lie in a folder: an answer within a moment, or none. */

const MOST_FOLDERS = 60;
const LANES = 3;

/**
 * The number of files in the folder of `listing`, and below it if `recursive`.
 *
 * Null if it would take too many questions, or if the folder's own number is not known.
 * `list(path)` gives what the directories route answers; `own` is the number of files right
 * in the folder, if it is known from the folder above.
 */
export async function countFiles(listing, own, recursive, list) {
  const right = listing.files ?? own;
  if (right === undefined || right === null) return null;
  if (!recursive) return right;
  const queue = [...listing.directories];
  let total = right;
  let asked = 0;
  const lane = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      total += next.files;
      asked += 1;
      if (asked > MOST_FOLDERS) throw new RangeError("too many folders");
      const { directories } = await list(next.path);
      queue.push(...directories);
    }
  };
  // Lanes that find the queue empty may leave early; the rest finish what is found later.
  return Promise.all(Array.from({ length: LANES }, lane)).then(
    () => total,
    () => null,
  );
}
