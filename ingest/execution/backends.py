"""Where a batch gets done: in an executor, or on the event loop."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ingest.errors import ExecutorError, MessageError
from ingest.execution.batch import (
    BUDGET,
    BatchFile,
    BatchResult,
    BatchResultBuilder,
    describe,
    fingerprint,
    look,
    run_batch,
)
from ingest.outcome import AsyncProcessor, Processor, check
from ingest.paths import locate
from ingest.workers.pool import PoolBroken, PoolClosed, PoolError, WorkerPool

logger = logging.getLogger("ingest")

T = TypeVar("T")

BATCH_FILES = 256
"""Files in a batch at most: 20 ms of the smallest."""

AHEAD = 2
"""Batches for each worker: one runs and one waits, so that none is idle for a turn of the loop."""

ASYNC_FILES = 8
"""Files for each of the `workers` that an async processor has under way: it mostly waits."""


CHECKS = 10
"""Looks, within one time-out, at how a call in an executor stands."""


MARKING = frozenset({"concurrent.futures.thread", "concurrent.futures.process"})
"""Modules of executors that mark a call as running. The second is not imported: it is large."""


class BatchError(MessageError):
    """A batch was lost as a whole; the text says how."""


class BatchTimedOutError(BatchError):
    """A batch was given up, and may run on."""


@dataclass(slots=True, eq=False)
class Waiting:
    """A batch in an executor; it cannot have begun to run before `since`."""

    since: float


class Backend(Protocol):
    """Does batches, `concurrency` of them at once, of `batch_files` at most."""

    concurrency: int
    batch_files: int

    async def do(self, root: str, items: Sequence[BatchFile]) -> BatchResult:
        """
        Process `items`, or the first few of them.

        Raises:
            BatchError: nothing came back; a file of the batch ended its worker, say.
            ExecutorError: no batch can be done any more.
        """

    async def check(self) -> None:
        """
        Find out whether there is something that does batches.

        Raises:
            ExecutorError: there is not.
        """


class ExecutorBackend:
    """
    Batches done by a synchronous processor in an `Executor`, `concurrency` of them at once.

    With `timeout`, a batch that runs longer is given up from here; the pool of our own ends the
    worker itself and needs none.
    """

    batch_files = BATCH_FILES

    def __init__(
        self, executor: Executor, process: Processor, concurrency: int, timeout: float | None
    ) -> None:
        self._executor = executor
        self._process = process
        self._timeout = timeout
        self.concurrency = concurrency
        self._under_way: list[Waiting] = []  # in the order in which they were submitted
        # Others may mark no call as running, or only once it is done.
        self._tells_of_runs = any(kind.__module__ in MARKING for kind in type(executor).__mro__)

    async def do(self, root: str, items: Sequence[BatchFile]) -> BatchResult:
        packed = [(item.n, item.path, item.known) for item in items]
        try:
            future = self._executor.submit(run_batch, self._process, root, packed, BUDGET)
        except Exception as error:
            raise ExecutorError(f"the executor takes no more work: {error}") from error
        wrapped = asyncio.wrap_future(future)
        try:
            await self._wait(future, wrapped)
        except asyncio.CancelledError:
            wrapped.cancel()
            raise
        if wrapped.cancelled():
            raise ExecutorError("the executor was shut down, or cancelled a batch")
        # Asked for, not raised: a KeyboardInterrupt out of a worker must not end this loop.
        failure = wrapped.exception()
        if failure is None:
            return wrapped.result()
        if isinstance(failure, PoolBroken | PoolClosed):
            raise ExecutorError(str(failure)) from failure
        text = str(failure) if isinstance(failure, PoolError) else describe(failure, root)
        raise BatchError(text) from failure

    async def check(self) -> None:
        pool = self._executor
        if isinstance(pool, WorkerPool) and not pool.statistics().workers:
            # None could be started, and the next attempt is made when there is something to do.
            try:
                await asyncio.wrap_future(pool.submit(int))
            except PoolError as error:
                raise ExecutorError(str(error)) from error

    async def _wait(
        self, future: "Future[BatchResult]", wrapped: "asyncio.Future[BatchResult]"
    ) -> None:
        """Wait until it is done, or has been running for the time-out and up to a tenth more."""
        if self._timeout is None:
            await asyncio.wait([wrapped])
            return
        loop = asyncio.get_running_loop()
        waiting = Waiting(loop.time())
        self._under_way.append(waiting)
        try:
            while not (await asyncio.wait([wrapped], timeout=self._timeout / CHECKS))[0]:
                # A future does not tell since when it runs, at most that it does.
                if future.running():
                    self._tells_of_runs = True
                elif self._tells_of_runs:
                    waiting.since = loop.time()
                if loop.time() - waiting.since > self._timeout:
                    wrapped.cancel()  # nothing can end it; its thread or process is left to it
                    raise BatchTimedOutError(f"timed out after {self._timeout:g} s")
        finally:
            self._gone(waiting, loop.time())

    def _gone(self, waiting: Waiting, now: float) -> None:
        # A later one may have waited for just this, even if it is said to run: a pool of processes
        # reports calls as running that it has only queued.
        at = self._under_way.index(waiting)
        del self._under_way[at]
        for later in self._under_way[at:]:
            later.since = now


class ThreadBackend(ExecutorBackend):
    """
    Batches done in `workers` threads of our own.

    A file that hangs has its thread for good, so the others are given new ones when it is given
    up; those that waited behind it go there.
    """

    def __init__(self, process: Processor, workers: int, timeout: float) -> None:
        self._workers = workers
        super().__init__(self._threads(), process, AHEAD * workers, timeout)

    async def do(self, root: str, items: Sequence[BatchFile]) -> BatchResult:
        while True:
            threads = self._executor
            try:
                return await super().do(root, items)
            except BatchTimedOutError:
                if threads is self._executor:
                    self._change_threads()
                raise
            except ExecutorError:
                if threads is self._executor:
                    raise

    def close(self) -> None:
        """Start no further batch; running ones are not waited for."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _change_threads(self) -> None:
        logger.warning(
            "a file timed out after %g s and cannot be stopped: its thread stays with it, and the "
            "other files run in new threads",
            self._timeout,
        )
        left, self._executor = self._executor, self._threads()
        left.shutdown(wait=False, cancel_futures=True)

    def _threads(self) -> Executor:
        return ThreadPoolExecutor(self._workers, "ingest-processor")


class EventLoopBackend:
    """
    Files done by an async processor on the event loop, one a batch.

    Each is looked at in `threads` first, and `timeout` is for both.
    """

    batch_files = 1

    def __init__(
        self, process: AsyncProcessor, workers: int, timeout: float, threads: Executor
    ) -> None:
        self._process = process
        self._timeout = timeout
        self._threads = threads
        self.concurrency = ASYNC_FILES * workers

    async def do(self, root: str, items: Sequence[BatchFile]) -> BatchResult:
        (item,) = items
        reporter = BatchResultBuilder()
        begun = time.perf_counter()
        loop = asyncio.get_running_loop()
        until = loop.time() + self._timeout
        path = locate(root, item.path)
        status = None
        try:
            status = await self._in_time(loop.run_in_executor(self._threads, look, path), until)
            if fingerprint(status) in item.known:
                reporter.skipped(item, status)
            else:
                call = asyncio.ensure_future(_contained(self._process, Path(path), root))
                returned = await self._in_time(call, until)
                reporter.done(item, status, check(returned, status.st_size))
        except Exception as error:  # noqa: BLE001 - a file's error, whatever it is
            reporter.failed(item, describe(error, root), status)
        return reporter.report(time.perf_counter() - begun)

    async def check(self) -> None:
        """Nothing: the event loop is there."""

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


async def _contained(process: AsyncProcessor, path: Path, root: str) -> object:
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
