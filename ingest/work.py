"""Where a batch gets done: in an executor, or on the event loop."""

import asyncio
import contextlib
import os
import time
from collections.abc import Sequence
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any, Protocol

from ingest.batch import BUDGET, Item, Report, Reporter, describe, look, run_batch
from ingest.errors import ExecutorError, MessageError
from ingest.outcome import AsyncProcessor, Processor, check
from ingest.pool import PoolBroken, PoolClosed, PoolError

BATCH_FILES = 256
"""Files in a batch at most: 20 ms of the smallest."""

ASYNC_FILES = 8
"""Files for each of the `workers` that an async processor has under way: it mostly waits."""


class BatchError(MessageError):
    """A batch was lost as a whole; the text says how."""


class Work(Protocol):
    """Does batches, `concurrency` of them at once, of `batch_files` at most."""

    concurrency: int
    batch_files: int

    async def do(self, root: str, items: Sequence[Item]) -> Report:
        """
        Process `items`, or the first few of them.

        Raises:
            BatchError: nothing came back; a file of the batch ended its worker, say.
            ExecutorError: no batch can be done any more.
        """


class ExecutorWork:
    """
    Batches done by a synchronous processor in an `Executor`.

    With `timeout`, a batch that runs longer is given up from here; the pool of our own ends the
    worker itself and needs none.
    """

    batch_files = BATCH_FILES

    def __init__(
        self, executor: Executor, process: Processor, workers: int, timeout: float | None
    ) -> None:
        self._executor = executor
        self._process = process
        self._timeout = timeout
        # One batch runs and one waits for each worker, which so is never idle for a loop's turn.
        self.concurrency = 2 * workers

    async def do(self, root: str, items: Sequence[Item]) -> Report:
        try:
            future = self._executor.submit(run_batch, self._process, root, items, BUDGET)
        except Exception as error:
            raise ExecutorError(f"the executor takes no more work: {error}") from error
        try:
            if self._timeout is None:
                return await asyncio.wrap_future(future)
            return await self._within(future, self._timeout)
        except TimeoutError:
            raise BatchError(f"took longer than {self._timeout:g} s") from None
        except asyncio.CancelledError:
            if future.cancelled() and not _is_being_cancelled():
                raise ExecutorError("the executor was shut down, or cancelled a batch") from None
            raise
        except (PoolBroken, PoolClosed) as error:
            raise ExecutorError(str(error)) from error
        except PoolError as error:
            raise BatchError(str(error)) from error
        except Exception as error:
            raise BatchError(describe(error, root)) from error

    async def _within(self, future: "Future[Report]", limit: float) -> Report:
        wrapped = asyncio.wrap_future(future)
        while True:
            done, _ = await asyncio.wait([wrapped], timeout=limit)
            if done:
                return wrapped.result()
            if future.running():
                # Nothing can end it; its thread or process is left to it.
                wrapped.cancel()
                raise TimeoutError


class AsyncWork:
    """Files done by an async processor on the event loop, one a batch."""

    batch_files = 1

    def __init__(self, process: AsyncProcessor, workers: int, timeout: float) -> None:
        self._process = process
        self._timeout = timeout
        self.concurrency = ASYNC_FILES * workers

    async def do(self, root: str, items: Sequence[Item]) -> Report:
        (item,) = items
        reporter = Reporter()
        begun = time.perf_counter()
        path = Path(root, os.fsdecode(item.path))
        status = None
        try:
            status = await asyncio.to_thread(look, path)
            if (status.st_size, status.st_mtime_ns) in item.known:
                reporter.skipped(item, status)
            else:
                reporter.done(item, status, check(await self._call(path), status.st_size))
        except Exception as error:  # noqa: BLE001 - a file's error, whatever it is
            reporter.failed(item, describe(error, root), status)
        return reporter.report(time.perf_counter() - begun)

    async def _call(self, path: Path) -> object:
        call = asyncio.ensure_future(_contained(self._process, path))
        try:
            done, _ = await asyncio.wait([call], timeout=self._timeout)
        except asyncio.CancelledError:
            call.cancel()
            raise
        if done:
            if call.cancelled():  # by itself: raised here, it would pass for the session's end
                raise BatchError("the processor was cancelled from within")
            return call.result()
        call.cancel()
        call.add_done_callback(_look_away)
        raise BatchError(f"took longer than {self._timeout:g} s")


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _contained(process: AsyncProcessor, path: Path) -> object:
    try:
        return await process(path)
    except SystemExit as error:  # a task that ends with it ends the event loop, and the server
        raise BatchError(f"the processor raised SystemExit: {error}") from None


def _look_away(call: "asyncio.Future[Any]") -> None:
    """Take what a call given up ends with, so that nobody is told that it was never asked."""
    with contextlib.suppress(BaseException):
        call.result()
