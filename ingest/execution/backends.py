"""The backends of the service: an executor (the worker pool is one), threads, the event loop."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from ingest.context import SessionInfo, with_context
from ingest.errors import ExecutorError, NoWorkerError
from ingest.execution.batch import (
    BUDGET,
    LONG,
    BatchFile,
    BatchResult,
    BatchResultBuilder,
    FileProgress,
    describe,
    fingerprint,
    look,
    run_batch,
)
from ingest.execution.protocol import BatchError, Report
from ingest.execution.time_limit import run_batch_in_time
from ingest.outcome import AsyncProcessor, Processor, Returned, check
from ingest.paths import locate
from ingest.workers.pool import PoolBroken, PoolClosed, PoolError, WorkerDied, WorkerPool

T = TypeVar("T")

BATCH_FILES = 256
"""The most files in a batch: those of 20 ms, if they are as small as can be."""

AHEAD = 2
"""Batches for each worker: one runs and one waits, so that no worker waits for the event loop."""

ASYNC_FILES = 8
"""Files that an async processor has under way for each of the `workers`: it mostly waits."""


class ExecutorBackend:
    """
    Runs batches with a synchronous processor in an `Executor`, `concurrency` of them at once.

    `timeout` is the time limit of a file, which is kept where the batch runs, however long the
    batch waited in the executor. None for the worker pool, which has a time limit of its own. An
    executor that loses a call must fail its future, or the session waits for it until cancelled.
    """

    batch_files = BATCH_FILES
    batch_seconds = BUDGET

    def __init__(
        self, executor: Executor, process: Processor, concurrency: int, timeout: float | None
    ) -> None:
        self._executor = executor
        self._process = process
        self._timeout = timeout
        self.concurrency = concurrency

    async def run(
        self, root: str, files: Sequence[BatchFile], session: SessionInfo | None = None
    ) -> BatchResult:
        """Run a batch; see `Backend.run`."""
        return await self.run_reporting(root, files, _ignore, session)

    async def run_reporting(
        self,
        root: str,
        files: Sequence[BatchFile],
        report: Report,
        session: SessionInfo | None = None,
    ) -> BatchResult:
        """Run a batch; see `ReportingBackend`. Only the worker pool reports."""
        wrapped = asyncio.wrap_future(self._submit(root, files, _on_loop(report), session))
        try:
            await asyncio.wait([wrapped])
        except asyncio.CancelledError:
            wrapped.cancel()
            raise
        if wrapped.cancelled():
            raise ExecutorError("the executor was shut down, or cancelled a batch")
        # Asked for, not raised: a KeyboardInterrupt out of a worker must not end this loop.
        failure = wrapped.exception()
        if failure is None:
            return wrapped.result()
        if isinstance(failure, PoolBroken):
            raise NoWorkerError(str(failure)) from failure
        if isinstance(failure, PoolClosed):
            raise ExecutorError(str(failure)) from failure
        text = str(failure) if isinstance(failure, PoolError) else describe(failure, root)
        raise BatchError(text, may_pass=isinstance(failure, WorkerDied)) from failure

    async def check(self) -> None:
        """Raise ExecutorError if the worker pool can start no worker."""
        pool = self._executor
        if isinstance(pool, WorkerPool) and not pool.statistics().workers:
            # None could be started, and the next attempt is made when there is something to do.
            try:
                await asyncio.wrap_future(pool.submit(int))
            except PoolError as error:
                raise ExecutorError(str(error)) from error

    def _submit(
        self,
        root: str,
        files: Sequence[BatchFile],
        report: Report,
        session: SessionInfo | None,
    ) -> "Future[BatchResult]":
        packed = [(file.n, file.path, file.known, file.size) for file in files]
        batch = (with_context(self._process, root, session), root, packed, self.batch_seconds)
        try:
            if isinstance(self._executor, WorkerPool):
                return self._executor.submit_watched(report, run_batch, *batch)
            if self._timeout is None:
                return self._executor.submit(run_batch, *batch)
            return self._executor.submit(run_batch_in_time, *batch, self._timeout)
        except Exception as error:
            raise ExecutorError(f"the executor takes no more work: {error}") from error


class ThreadBackend(ExecutorBackend):
    """Runs batches in `workers` threads of this process."""

    def __init__(self, process: Processor, workers: int, timeout: float) -> None:
        self._threads = ThreadPoolExecutor(workers, "ingest-processor")
        super().__init__(self._threads, process, AHEAD * workers, timeout)

    def close(self) -> None:
        """Start no further batch; running ones are not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class EventLoopBackend:
    """
    Runs an async processor on the event loop, one file in a batch.

    Each file is checked in `threads` first; `timeout` covers the check and the processor.
    """

    batch_files = 1
    batch_seconds = BUDGET

    def __init__(
        self, process: AsyncProcessor, workers: int, timeout: float, threads: Executor
    ) -> None:
        self._process = process
        self._timeout = timeout
        self._threads = threads
        self.concurrency = ASYNC_FILES * workers

    async def run(
        self, root: str, files: Sequence[BatchFile], session: SessionInfo | None = None
    ) -> BatchResult:
        """Run a batch of one file; see `Backend.run`."""
        return await self.run_reporting(root, files, _ignore, session)

    async def run_reporting(
        self,
        root: str,
        files: Sequence[BatchFile],
        report: Report,
        session: SessionInfo | None = None,
    ) -> BatchResult:
        """Run a batch of one file; see `ReportingBackend`."""
        loop = asyncio.get_running_loop()
        handle = loop.call_later(LONG, report, FileProgress(files[0].n, LONG))
        try:
            return await self._run(root, files, session)
        finally:
            handle.cancel()

    async def _run(
        self, root: str, files: Sequence[BatchFile], session: SessionInfo | None
    ) -> BatchResult:
        (file,) = files
        process = with_context(self._process, root, session)
        builder = BatchResultBuilder()
        loop = asyncio.get_running_loop()
        until = loop.time() + self._timeout
        path = locate(root, file.path)
        status = None
        try:
            status = await self._in_time(loop.run_in_executor(self._threads, look, path), until)
            if fingerprint(status) in file.known:
                builder.skipped(file, status)
            else:
                call = asyncio.ensure_future(_contained(process, Path(path), root))
                returned = await self._in_time(call, until)
                builder.done(file, status, check(returned, status.st_size))
        except Exception as error:  # noqa: BLE001 - a file's error, whatever it is
            builder.raised(file, error, status, root)
        return builder.close()

    async def check(self) -> None:
        """Return: the event loop runs."""

    async def _in_time(self, call: "asyncio.Future[T]", until: float) -> T:
        try:
            timeout = until - asyncio.get_running_loop().time()
            done, _ = await asyncio.wait([call], timeout=max(0.0, timeout))
        except asyncio.CancelledError:
            _give_up(call)
            raise
        if done:
            if call.cancelled():  # by itself: raised here, it would pass for the session's end
                raise BatchError("the processor was cancelled from within")
            if isinstance(call.exception(), GeneratorExit):  # and so would this
                raise BatchError("the processor raised GeneratorExit")
            return call.result()
        _give_up(call)
        raise BatchError(f"timed out after {self._timeout:g} s")


def _ignore(_: FileProgress) -> None:
    return


def _on_loop(report: Report) -> Report:
    """Return what calls `report` on this event loop, from any thread and at any time."""
    loop = asyncio.get_running_loop()

    def call(progress: FileProgress) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(report, progress)

    return call


async def _contained(
    process: Callable[[Path], Awaitable[Returned]], path: Path, root: str
) -> object:
    try:
        return await process(path)
    except (Exception, asyncio.CancelledError, GeneratorExit):
        raise
    except BaseException as error:  # noqa: BLE001 - SystemExit in a task ends the loop, and the server
        raise BatchError(describe(error, root)) from None


def _give_up(call: "asyncio.Future[Any]") -> None:
    call.cancel()
    call.add_done_callback(consume_result)


def consume_result(call: "asyncio.Future[Any]") -> None:
    """Consume the result of an abandoned call, so that asyncio does not report it as lost."""
    with contextlib.suppress(BaseException):
        call.result()
