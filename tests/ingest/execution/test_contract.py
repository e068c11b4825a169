"""What every backend does: each test runs on each implementation."""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from ingest.context import ProcessContext, SessionInfo
from ingest.execution.backends import EventLoopBackend, ExecutorBackend, ThreadBackend
from ingest.execution.batch import BatchFile
from ingest.execution.protocol import Backend
from ingest.execution.select import select_backend
from ingest.outcome import (
    AsyncProcessor,
    Outcome,
    OutcomeRecord,
    ProcessingError,
    Processor,
)
from ingest.settings import Settings
from tests.support.ingest import fill
from tests.support.inline_backend import InlineBackend

KINDS = ["workers", "executor", "threads", "event loop", "inline"]


def bad_below_bad(path: Path) -> dict[str, str]:
    if path.name == "known":
        raise ProcessingError("broken", Outcome({"width": 3}))
    if path.parent.name == "bad":
        raise ValueError("bad")
    return {"name": path.name}


async def bad_below_bad_async(path: Path) -> None:
    bad_below_bad(path)


def describe_context(path: Path, context: ProcessContext) -> dict[str, Any]:
    context.logger.debug("%s", path)
    found = {"session": context.session_id, "name": context.name, "params": context.params}
    return {**found, "file": context.file}


async def describe_context_async(path: Path, context: ProcessContext) -> dict[str, Any]:
    return describe_context(path, context)


@asynccontextmanager
async def opened(
    kind: str,
    root: Path,
    process: Processor = bad_below_bad,
    process_async: AsyncProcessor = bad_below_bad_async,
) -> AsyncIterator[Backend]:
    """Open a backend whose processor fails for files in a folder `bad`."""
    settings = Settings(root=root, workers=1)
    async with AsyncExitStack() as cleanup:
        threads = cleanup.enter_context(ThreadPoolExecutor(2))
        if kind == "workers":
            yield await select_backend(settings, process, None, threads, cleanup)
        elif kind == "executor":
            yield ExecutorBackend(threads, process, 1, 30.0)
        elif kind == "threads":
            backend = ThreadBackend(process, 1, 30.0)
            cleanup.callback(backend.close)
            yield backend
        elif kind == "event loop":
            yield EventLoopBackend(process_async, 1, 30.0, threads)
        else:
            yield InlineBackend(process)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    fill(root, ["a", "bad/b", "c"])
    return root


@pytest.mark.parametrize("kind", KINDS)
async def test_batches_return_the_outcome_of_each_file_once(kind: str, root: Path) -> None:
    """A result covers the first files of its batch, at least one; the rest is run again."""
    files = [BatchFile(n, path) for n, path in enumerate((b"a", b"bad/b", b"c", b"gone"), 1)]
    records: list[OutcomeRecord] = []
    failed: list[int] = []
    async with opened(kind, root) as backend:
        await backend.check()
        assert backend.concurrency >= 1
        while files:
            result = await backend.run(str(root), files[: backend.batch_files])
            assert result.finished == len(result.outcomes) >= 1
            records += map(OutcomeRecord._make, result.outcomes)
            failed += (n for n, _ in result.failed)
            files = files[result.finished :]
    assert [(record.n, record.path, record.status) for record in records] == [
        (1, b"a", "done"), (2, b"bad/b", "error"), (3, b"c", "done"), (4, b"gone", "error"),
    ]  # fmt: skip
    assert failed == [2, 4]


@pytest.mark.parametrize("kind", KINDS)
async def test_error_keeps_what_is_known_of_its_file(kind: str, root: Path) -> None:
    """The outcome of a ProcessingError is recorded, wherever the processor runs."""
    fill(root, ["bad/known"])
    async with opened(kind, root) as backend:
        result = await backend.run(str(root), [BatchFile(1, b"bad/known")])
    record = OutcomeRecord._make(result.outcomes[0])
    assert (record.status, record.error, record.metadata) == ("error", "broken", '{"width":3}')


@pytest.mark.parametrize("kind", KINDS)
async def test_file_with_a_known_fingerprint_is_skipped(kind: str, root: Path) -> None:
    """Its processor is not called."""
    status = (root / "bad" / "b").stat()
    known = frozenset({(status.st_size, status.st_mtime_ns)})
    async with opened(kind, root) as backend:
        result = await backend.run(str(root), [BatchFile(1, b"bad/b", known)])
    assert (result.finished, result.skipped, result.failed) == (1, 1, [])


@pytest.mark.parametrize("kind", KINDS)
async def test_processor_of_two_arguments_gets_a_context(kind: str, root: Path) -> None:
    """Session, name, path below the root and params, wherever the processor runs."""
    session = SessionInfo("s", "Lisbon", {"album": [1]})
    async with opened(kind, root, describe_context, describe_context_async) as backend:
        result = await backend.run(str(root), [BatchFile(1, b"bad/b")], session)
    record = OutcomeRecord._make(result.outcomes[0])
    assert orjson.loads(record.metadata or "") == {
        "session": "s", "name": "Lisbon", "params": {"album": [1]}, "file": "bad/b",
    }  # fmt: skip
