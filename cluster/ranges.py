"""
The job that processes a range of a session's files, in batches in this host's own workers.

States: reading what is pending -> processing -> recording the end. Outcomes are recorded at once
the first time, then every RECORD_SECONDS, while the next batches run. After RANGE_SECONDS the rest
of the range is given back, so that sessions alternate however slow a file is; when it is done, a
next range is handed out, sized by the rate of this one. Both are recorded in one transaction with
the last outcomes: a job that is run again finds nothing to do.

Guarantees:

- whatever ends the job, each file is recorded, given back, or left to the job's next run;
- a file that cannot be found is looked at again for some seconds before it is an error: a network
  file system shows a new file late, and one that was replaced not at all for a while;
- a job that failed ATTEMPTS times is split down to the file, and a file that failed as often is
  recorded as an error;
- a lost database is waited for; it counts as no attempt.
"""

import asyncio
import contextlib
import errno
import os
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from cluster.change import FileRange, SessionEndedError
from cluster.ledger import Ledger
from cluster.reader import LedgerReader, PendingFiles, SessionJob
from cluster.roots import RootDiffersError, check_root
from cluster.tasks import stop
from ingest.context import SessionInfo
from ingest.errors import CatalogueError
from ingest.execution.batch import BatchFile, BatchResult, FileProgress, failure
from ingest.execution.batch_queue import BatchQueue
from ingest.execution.protocol import Backend, BatchError, Report, ReportingBackend
from ingest.outcome import OutcomeRecord

T = TypeVar("T")

RunBatch: TypeAlias = Callable[[Sequence[BatchFile], Report], Awaitable[BatchResult]]

RANGE_SECONDS = 1.0
"""Seconds after which the rest of a range is given back."""

AIM_SECONDS = 0.5
"""Seconds that the next range is sized for: one that takes longer than expected is still whole."""

RECORD_SECONDS = 0.1
"""Seconds between two records of one range: a commit of a batch each costs more than its files."""

REPORT_SECONDS = 0.5
"""Seconds without an outcome after which it is recorded how far a file that takes long is."""

RANGE_FILES = 5000
"""The most files of a range, which are in memory."""

ATTEMPTS = 3
"""Runs of a job that fail before it is split, or its file is an error."""

AGAIN_SECONDS = (0.5, 0.5, 1.0)
"""Seconds before each further look at files that were not found."""

RETRY_SECONDS = 0.5
"""Seconds between two attempts to reach the database."""

NOT_FOUND = frozenset({os.strerror(errno.ENOENT), os.strerror(errno.ESTALE)})
"""Errors of files that may be there a moment later."""


class RangeJob:
    """
    Processes ranges below `root` with `backend`.

    Once `stopping` is set, files that were not begun return to the queue.
    """

    def __init__(
        self,
        ledger: Ledger,
        reader: LedgerReader,
        backend: Backend,
        root: Path,
        stopping: asyncio.Event,
    ) -> None:
        self._ledger = ledger
        self._reader = reader
        self._backend = backend
        self._root = root
        self._stopping = stopping
        self._running: dict[int, set[RangeRun]] = {}

    async def run(self, files: FileRange, attempts: int) -> None:
        """
        Process a range; `attempts` are the runs of its job that failed.

        Raises:
            RootDiffersError: the session's files are not below this host's root; the range was
                given back.
            ExecutorError: this host can run no batch; the files were given back.
        """
        with contextlib.suppress(SessionEndedError):
            session = await _patiently(self._reader.session_job, files.session)
            if session is None or session.status.terminal:
                return
            try:
                await check_root(self._root, session.root_key)
            except RootDiffersError:  # a new job counts no failed attempt
                whole = [(files.low, files.high)]
                await _patiently(self._ledger.split, files.session, whole)
                raise
            pending = await _patiently(
                self._reader.pending, files.session, files.low, files.high, RANGE_FILES
            )
            if attempts >= ATTEMPTS:
                await self._narrow(files, pending)
            else:
                await self._process(files, session, pending)

    def end(self, session: int) -> None:
        """Drop the files of a session that has ended."""
        for run in self._running.get(session, ()):
            run.ended.set()

    async def _process(self, files: FileRange, session: SessionJob, pending: PendingFiles) -> None:
        known: dict[bytes, frozenset[tuple[int, int]]] = {}
        if session.request.skip_existing:
            paths = [file.path for file in pending.files]
            known = dict(await _patiently(self._reader.fingerprints, session.root, paths))
        queue = BatchQueue(self._backend)
        queue.extend(
            BatchFile(file.n, file.path, known.get(file.path, frozenset()), file.size)
            for file in pending.files
        )
        root = str(self._root.resolve())
        run = RangeRun(
            self._ledger,
            partial(self._run_batch, root, session),
            files,
            queue,
            pending.following,
            self._stopping,
        )
        running = self._running.setdefault(files.session, set())
        running.add(run)
        try:
            await run.run()
        finally:
            running.discard(run)
            if not running:
                self._running.pop(files.session, None)

    async def _run_batch(
        self, root: str, session: SessionJob, batch: Sequence[BatchFile], report: Report
    ) -> BatchResult:
        info = SessionInfo(session.id, session.request.name, session.request.params)
        if isinstance(self._backend, ReportingBackend):
            return await self._backend.run_reporting(root, batch, report, info)
        return await self._backend.run(root, batch, info)

    async def _narrow(self, files: FileRange, pending: PendingFiles) -> None:
        """Split a range that failed too often; record a file that was alone in one as an error."""
        number, left = files.session, pending.files
        halves: list[tuple[int, int]] = []
        if len(left) == 1:
            message = f"no worker could finish it in {ATTEMPTS} attempts"
            file = BatchFile(left[0].n, left[0].path)
            await _patiently(self._ledger.record_failure, number, file, message)
        elif left:
            middle = len(left) // 2
            halves = [(left[0].n, left[middle - 1].n), (left[middle].n, left[-1].n)]
        if pending.following:
            halves.append((pending.following, files.high))
        if halves:
            await _patiently(self._ledger.split, number, halves)


class RangeRun:
    """
    One run of a range's job, of the files in `queue`.

    `following` is the number from which the range has more files than were read, or None. Setting
    `ended` says that the session has ended.
    """

    def __init__(
        self,
        ledger: Ledger,
        run_batch: RunBatch,
        files: FileRange,
        queue: BatchQueue,
        following: int | None,
        stopping: asyncio.Event,
    ) -> None:
        self.ended = asyncio.Event()
        self._ledger = ledger
        self._run_batch = run_batch
        self._files = files
        self._queue = queue
        self._following = following
        self._stopping = stopping
        self._clock = asyncio.get_running_loop().time
        self._begun = self._clock()
        self._batch: Sequence[BatchFile] = ()
        self._missing: list[BatchFile] = []
        self._unrecorded: list[OutcomeRecord] = []
        self._sizes: dict[int, int] = {}
        self._seconds = 0.0
        self._progress: FileProgress | None = None
        self._finished = 0
        self._handed_on = False
        self._some = asyncio.Event()
        self._recording = asyncio.Lock()

    async def run(self) -> None:
        """
        Process the range.

        Raises:
            SessionEndedError: nothing more is to be recorded.
            ExecutorError: no batch can be run; the files were given back.
        """
        ended = asyncio.create_task(self.ended.wait())
        recorder = asyncio.create_task(self._record_regularly())
        work = asyncio.create_task(self._process())
        try:
            done, _ = await asyncio.wait(
                [ended, recorder, work], return_when=asyncio.FIRST_COMPLETED
            )
            for task in done - {ended}:
                task.result()
        except SessionEndedError:
            raise
        except BaseException:
            # Given back, the files go on elsewhere at once, and it counts as no failed attempt.
            await asyncio.shield(asyncio.create_task(self._give_back(work)))
            raise
        finally:
            await stop(ended, recorder, work)

    async def _process(self) -> None:
        await self._run_batches(is_last_look=False)
        await self._hand_on()
        for seconds in AGAIN_SECONDS:
            if not self._missing or self._stopping.is_set():
                break
            await asyncio.sleep(seconds)
            self._queue.extend(self._missing)
            self._missing = []
            await self._run_batches(is_last_look=seconds is AGAIN_SECONDS[-1])
        await self._record(rest=self._left())

    async def _run_batches(self, *, is_last_look: bool) -> None:
        while self._queue and not self._is_over():
            batch = self._batch = self._queue.next_batch()
            try:
                result = await self._run_batch(batch, self._report)
                self._queue.take_result(batch, result)
            except BatchError as error:
                if self._queue.run_alone(batch):
                    self._batch = ()
                    continue
                result = failure(batch[0], str(error))
            self._batch = ()
            self._take(batch, result, is_last_look=is_last_look)

    def _is_over(self) -> bool:
        if self._stopping.is_set():
            return True
        is_late = self._clock() - self._begun > RANGE_SECONDS
        return is_late and not self._handed_on and not self._queue.runs_alone

    def _take(self, batch: Sequence[BatchFile], result: BatchResult, *, is_last_look: bool) -> None:
        for file, row in zip(batch, result.outcomes, strict=False):  # the rest was not begun
            outcome = OutcomeRecord._make(row)
            if outcome.error in NOT_FOUND and not is_last_look:
                self._missing.append(file)
            else:
                self._unrecorded.append(outcome)
                self._sizes[file.n] = file.size
        self._seconds += result.seconds
        self._progress = None
        self._finished += result.finished
        self._some.set()

    def _report(self, progress: FileProgress) -> None:
        self._progress = progress

    async def _hand_on(self) -> None:
        """Return to the queue what is not begun, or else queue the session's next range."""
        rest = self._numbers(self._queue.take_all())
        took = max(self._clock() - self._begun, 0.001)
        size = int(self._finished / took * AIM_SECONDS)
        await self._record(rest=rest, next_files=max(1, min(size, RANGE_FILES)))
        self._handed_on = True

    def _left(self) -> tuple[int, int] | None:
        """Return the first and last number of the files without an outcome, if there are any."""
        return self._numbers([*self._batch, *self._queue.take_all(), *self._missing])

    def _numbers(self, files: Sequence[BatchFile]) -> tuple[int, int] | None:
        """Return the first and last number of `files` and of those that were not read."""
        numbers = [file.n for file in files]
        if self._following is not None and not self._handed_on:
            numbers += [self._following, self._files.high]
        return (min(numbers), max(numbers)) if numbers else None

    async def _give_back(self, work: asyncio.Task[None]) -> None:
        await stop(work)
        with contextlib.suppress(SessionEndedError):
            await self._record(rest=self._left())

    async def _record_regularly(self) -> None:
        """Record outcomes as they come, or else how far a file that takes long is."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(REPORT_SECONDS):
                    await self._some.wait()
            self._some.clear()
            await self._record()
            await asyncio.sleep(RECORD_SECONDS)

    async def _record(
        self, *, rest: tuple[int, int] | None = None, next_files: int | None = None
    ) -> None:
        async with self._recording:
            outcomes, self._unrecorded = self._unrecorded, []
            seconds, self._seconds = self._seconds, 0.0
            under_way = self._under_way()
            if not (outcomes or under_way or rest or next_files):
                return
            record = partial(
                self._ledger.record,
                sizes=self._sizes,
                seconds=seconds,
                under_way=under_way,
                rest=rest,
                next_files=next_files,
            )
            try:
                await _patiently(record, self._files.session, outcomes)
            except asyncio.CancelledError:
                self._unrecorded = [*outcomes, *self._unrecorded]
                raise

    def _under_way(self) -> dict[BatchFile, FileProgress]:
        """Return what was reported of a file since the last record, if it is still processed."""
        progress, self._progress = self._progress, None
        if progress is None:
            return {}
        return {file: progress for file in self._batch if file.n == progress.n}


async def _patiently(call: Callable[..., Awaitable[T]], *arguments: Any) -> T:
    """Return what `call` returns; call it again while the database cannot be reached."""
    while True:
        try:
            return await call(*arguments)
        except CatalogueError:
            await asyncio.sleep(RETRY_SECONDS)
