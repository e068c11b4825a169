"""
The files of one session that wait to be run, and how many of them make the next batch.

A file is in the queue, or in a batch that runs, or done with. Files that a batch did not begin
return to the front. The files of a lost batch are queued to run alone, before all others, so that
the one that caused the loss is found. One that is lost alone is run again where the cause may be
outside of it (somebody killed its worker, or memory was short), up to TRIES times in all; the last
time while no other batch of the session runs (`is_last_try`).

A batch grows while its predecessors need less than half of the time that the backend aims at.
"""

from collections import Counter, deque
from collections.abc import Iterable, Sequence

from ingest.execution.batch import BatchFile, BatchResult
from ingest.execution.protocol import Backend

FIRST_BATCH = 8
"""Files in a session's first batch, when it is not known how long a file takes."""

TRIES = 3
"""How often a file has to end its worker, alone, before it is an error."""


class BatchQueue:
    """Cuts waiting files into batches that suit `backend`."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._waiting: deque[BatchFile] = deque()
        self._alone: deque[BatchFile] = deque()
        self._size = FIRST_BATCH
        self._losses: Counter[int] = Counter()

    @property
    def is_last_try(self) -> bool:
        """Whether the next batch is a file that is an error if it is lost once more."""
        return bool(self._alone) and self._losses[self._alone[0].n] == TRIES - 1

    def __len__(self) -> int:
        return len(self._waiting) + len(self._alone)

    @property
    def runs_alone(self) -> bool:
        """Whether files of a lost batch wait to run alone."""
        return bool(self._alone)

    def extend(self, files: Iterable[BatchFile]) -> None:
        """Add files to the end."""
        self._waiting.extend(files)

    def next_batch(self) -> list[BatchFile]:
        """Return the files of the next batch; they leave the queue."""
        if self._alone:
            return [self._alone.popleft()]
        size = min(self._size, self._backend.batch_files, len(self._waiting))
        return [self._waiting.popleft() for _ in range(size)]

    def take_result(self, batch: Sequence[BatchFile], result: BatchResult) -> None:
        """Queue the files that were not begun again, and adapt the size of later batches."""
        not_begun = batch[result.finished :]
        self._waiting.extendleft(reversed(not_begun))
        if not_begun:
            self._size = max(1, result.finished)
        elif result.seconds < self._backend.batch_seconds / 2 and result.finished == self._size:
            self._size = min(2 * self._size, self._backend.batch_files)

    def run_alone(self, batch: Sequence[BatchFile], *, may_pass: bool = False) -> bool:
        """
        Queue each file of a lost batch to run alone.

        Return False if it was alone already, and its loss cannot be an accident: unless the loss
        `may_pass`, or after TRIES losses.
        """
        if len(batch) == 1:
            n = batch[0].n
            self._losses[n] += 1
            if not may_pass or self._losses[n] >= TRIES:
                del self._losses[n]
                return False
        self._alone.extend(batch)
        return True

    def put_back(self, files: Sequence[BatchFile]) -> None:
        """Queue files again, before those that wait."""
        self._waiting.extendleft(reversed(files))

    def take_all(self) -> list[BatchFile]:
        """Return all files; they leave the queue."""
        files = [*self._alone, *self._waiting]
        self._alone.clear()
        self._waiting.clear()
        return files
