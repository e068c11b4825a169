"""Batches that do not come back: no file may be lost with them."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ingest import Settings
from ingest.errors import ExecutorError
from ingest.execution.backends import EventLoopBackend, ExecutorBackend
from ingest.execution.batch import BatchFile
from ingest.manager import SessionManager
from ingest.publisher import EncodedSnapshot
from ingest.request import IngestRequest


class Cancelling(Executor):
    """Cancels what it is given, as one does that is shut down by its owner."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        del fn, args, kwargs
        future: Future[Any] = Future()
        future.cancel()
        future.set_running_or_notify_cancel()
        return future


async def leave(path: Path) -> None:
    raise SystemExit(path.name)


async def cancel_itself(path: Path) -> None:
    raise asyncio.CancelledError


def test_batch_cancelled_by_its_executor_is_an_error() -> None:
    """A batch that an executor cancels by itself raises, and is not taken for a cancelled task."""

    async def main() -> None:
        work = ExecutorBackend(Cancelling(), lambda _: None, 1, 1.0)
        with pytest.raises(ExecutorError, match="cancelled a batch"):
            await work.run("/", [BatchFile(1, b"a")])

    asyncio.run(main())


@pytest.mark.parametrize(
    ("process", "words"),
    [(leave, "SystemExit: a"), (cancel_itself, "cancelled from within")],
)
def test_async_processor_that_ends_its_task_costs_its_file(
    process: Callable[[Path], Any], words: str, tmp_path: Path
) -> None:
    """Neither sys.exit nor a cancellation inside an async processor reaches the event loop."""
    (tmp_path / "a").write_bytes(b"")

    async def main() -> str:
        with ThreadPoolExecutor(1) as threads:
            work = EventLoopBackend(process, 1, 30.0, threads)
            return str((await work.run(str(tmp_path), [BatchFile(1, b"a")])).outcomes)

    assert words in asyncio.run(main())


def test_session_whose_batches_are_cancelled_is_not_completed(tmp_path: Path) -> None:
    """A session that lost batches ends in error; only all files recorded make it completed."""
    (tmp_path / "a").write_bytes(b"")
    snapshots: list[bytes] = []
    ended = asyncio.Event()

    def publish(session_id: str, encoded: EncodedSnapshot, *, last: bool) -> None:
        del session_id
        snapshots.append(encoded.json)
        if last:
            ended.set()

    async def main() -> None:
        settings = Settings(root=tmp_path, database=tmp_path / "ingest.db")
        store = SessionManager(settings, publish, lambda _: None, executor=Cancelling())
        await store.open()
        await store.start(IngestRequest())
        async with asyncio.timeout(10):
            await ended.wait()
        await store.close()

    asyncio.run(main())
    assert b'"status":"error"' in snapshots[-1]
    assert b"cancelled a batch" in snapshots[-1]
