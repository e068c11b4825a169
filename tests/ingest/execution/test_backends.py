"""Where batches are done: what executors and async processors may do, and what that becomes."""

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ingest.errors import ExecutorError
from ingest.execution.backends import EventLoopBackend, ExecutorBackend, ThreadBackend
from ingest.execution.batch import BatchFile, BatchResult
from ingest.execution.protocol import BatchError
from ingest.request import IngestRequest
from ingest.settings import Settings
from ingest.workers.pool import PoolClosed, WorkerDied
from tests.support.ingest import Gate, die_of_poison, fill, leave, opened
from tests.support.running import run, settle


class PanicError(BaseException):
    """What extension modules raise that let no `except Exception` take it."""


class Handed(Executor):
    """An executor whose calls the test begins and ends."""

    def __init__(self) -> None:
        self.futures: list[Future[Any]] = []
        self._calls: list[Callable[[], Any]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.futures.append(Future())
        self._calls.append(partial(fn, *args, **kwargs))
        return self.futures[-1]

    def run_all(self) -> None:
        """Run every call, without marking its future as running before."""
        for future, call in zip(self.futures, self._calls, strict=True):
            future.set_result(call())


def items(*names: str) -> list[BatchFile]:
    return [BatchFile(n, name.encode()) for n, name in enumerate(names, 1)]


def outcomes(report: BatchResult) -> list[Any]:
    return [row[2] for row in report.outcomes]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    fill(root, ["a", "b", "c"])
    return root


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


# Executors


@pytest.mark.parametrize("raised", [SystemExit(1), PanicError("out of bounds"), MemoryError()])
async def test_whatever_a_file_raises_is_its_own_error(
    root: Path, threads: ThreadPoolExecutor, raised: BaseException
) -> None:
    """SystemExit and other BaseExceptions end neither the batch nor the event loop."""

    def process(path: Path) -> None:
        if path.name == "b":
            raise raised

    work = ExecutorBackend(threads, process, 1, 30.0)
    report = await work.run(str(root), items("a", "b", "c"))
    assert outcomes(report) == ["done", "error", "done"]
    ((n, message),) = report.failed
    assert (n, message.partition(":")[0]) == (2, type(raised).__name__)


async def test_interrupt_in_a_worker_loses_the_batch_and_not_the_loop(
    root: Path, threads: ThreadPoolExecutor
) -> None:
    """Ctrl-C, which a foreign worker process receives too, is not an error of the current file."""

    def process(path: Path) -> None:
        raise KeyboardInterrupt

    with pytest.raises(BatchError, match="KeyboardInterrupt"):
        await ExecutorBackend(threads, process, 1, 30.0).run(str(root), items("a"))


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (WorkerDied("it exited with 3"), BatchError("it exited with 3")),
        (PoolClosed(), ExecutorError("the pool of worker processes is closed")),
        (BrokenProcessPool("broken"), BatchError("BrokenProcessPool: broken")),
        (TimeoutError("of the cluster"), BatchError("TimeoutError: of the cluster")),
    ],
)
async def test_failure_of_the_executor_is_told_from_that_of_a_batch(
    root: Path, raised: Exception, expected: Exception
) -> None:
    """A pool that is closed can do no more; a batch that is lost may be tried one by one."""
    executor = Handed()

    doing = asyncio.create_task(
        ExecutorBackend(executor, die_of_poison, 1, None).run(str(root), items("a"))
    )
    await settle()
    executor.futures[0].set_exception(raised)
    with pytest.raises(type(expected)) as told:
        await doing
    assert str(told.value) == str(expected)


async def test_batch_that_its_executor_cancelled_is_an_executors_error(root: Path) -> None:
    """It does not pass for the session's own cancellation, which would lose the files."""
    executor = Handed()

    doing = asyncio.create_task(
        ExecutorBackend(executor, die_of_poison, 1, 30.0).run(str(root), items("a"))
    )
    await settle()
    executor.futures[0].cancel()
    executor.futures[0].set_running_or_notify_cancel()
    with pytest.raises(ExecutorError, match="cancelled"):
        await doing


@pytest.mark.parametrize("timeout", [None, 30.0])
async def test_batch_that_is_given_up_is_not_begun_later(root: Path, timeout: float | None) -> None:
    """A batch that waits in the executor when its session ends is cancelled there."""
    executor = Handed()

    doing = asyncio.create_task(
        ExecutorBackend(executor, die_of_poison, 1, timeout).run(str(root), items("a"))
    )
    await settle()
    doing.cancel()
    await asyncio.wait([doing])
    assert doing.cancelled()
    await settle()
    assert executor.futures[0].cancelled()


def test_time_out_counts_from_when_the_batch_runs(root: Path, threads: ThreadPoolExecutor) -> None:
    """A batch may wait, behind other work of the host's, for longer than a file may take."""
    release = threading.Event()

    async def main() -> None:
        threads.submit(release.wait)
        doing = asyncio.create_task(
            ExecutorBackend(threads, die_of_poison, 1, 0.05).run(str(root), items("a"))
        )
        await asyncio.wait([doing], timeout=0.15)
        release.set()
        assert outcomes(await doing) == ["done"]

    try:
        run(main())
    finally:
        release.set()


async def test_time_out_does_not_count_the_wait_in_an_executor_that_marks_no_call_as_running(
    root: Path,
) -> None:
    """A cluster's queue may hold a batch for longer than a file may take."""
    executor = Handed()
    doing = asyncio.create_task(
        ExecutorBackend(executor, die_of_poison, 1, 0.05).run(str(root), items("a"))
    )
    await asyncio.wait([doing], timeout=0.15)
    executor.run_all()
    assert outcomes(await doing) == ["done"]


async def test_file_that_hangs_costs_no_other_file_of_its_batch(root: Path) -> None:
    """Those before it are done, and those behind it are not begun, wherever the batch runs."""
    release = threading.Event()

    def process(path: Path) -> None:
        if path.name == "b":
            release.wait()

    executor = Handed()
    doing = asyncio.create_task(
        ExecutorBackend(executor, process, 1, 0.05).run(str(root), items("a", "b", "c"))
    )
    await settle()
    executor.run_all()
    result = await doing
    assert (outcomes(result), result.finished) == (["done", "error"], 2)
    assert result.failed == [(2, "timed out after 0.05 s")]
    release.set()


async def test_late_end_of_a_file_that_timed_out_is_discarded(root: Path) -> None:
    """What its thread returns in the end changes no result that was handed over."""
    release, ended = threading.Event(), threading.Event()

    def process(path: Path) -> None:
        release.wait()
        ended.set()

    executor = Handed()
    doing = asyncio.create_task(
        ExecutorBackend(executor, process, 1, 0.01).run(str(root), items("a"))
    )
    await settle()
    executor.run_all()
    result = await doing
    release.set()
    assert await asyncio.to_thread(ended.wait, 30)
    assert (outcomes(result), result.done) == (["error"], 0)


async def test_file_that_takes_too_long_in_a_thread_is_an_error(root: Path) -> None:
    """Its thread is left to it, and the session goes on in the others."""
    release = threading.Event()

    def process(path: Path) -> None:
        if path.name == "b":
            release.wait()

    settings = Settings(root=root, database=root.parent / "ingest.db", workers=1, file_timeout=0.05)

    with ThreadPoolExecutor(3) as executor:
        try:
            async with opened(settings, process=process, executor=executor) as (store, watcher):
                end = await watcher.end(await store.start(IngestRequest()))
                assert (end["status"], end["stats"]["done"]) == ("completed", 2)
                (error,) = end["errors"]
                assert (error["file"], error["message"]) == ("b", "timed out after 0.05 s")
        finally:
            release.set()


def test_file_that_hangs_in_a_thread_of_our_own_holds_up_no_other(root: Path) -> None:
    """Files behind it, and those of other sessions, are processed."""
    release = threading.Event()

    def process(path: Path) -> None:
        if path.name == "b":
            release.wait()

    settings = Settings(root=root, database=root.parent / "ingest.db", workers=1, file_timeout=0.05)

    async def main() -> None:
        async with opened(settings, process=process) as (store, watcher):
            session_id = await store.start(IngestRequest())
            other = await store.start(IngestRequest(pattern="a|c"))
            assert (await watcher.end(other))["stats"]["done"] == 2
            end = await watcher.end(session_id)
            assert (end["status"], end["stats"]["done"]) == ("completed", 2)
            assert [error["file"] for error in end["errors"]] == ["b"]

    try:
        run(main())
    finally:
        release.set()


async def test_threads_that_are_closed_end_the_session(root: Path) -> None:
    """A batch that waits in them is not resubmitted without limit."""
    work = ThreadBackend(die_of_poison, 1, 30.0)
    work.close()
    with pytest.raises(ExecutorError, match="takes no more work"):
        await work.run(str(root), items("a"))


async def test_broken_process_pool_ends_the_session_in_error(root: Path, tmp_path: Path) -> None:
    """A foreign pool that lost a worker can do nothing any more: told, and no hang."""
    fill(root, ["poison"])
    settings = Settings(root=root, database=tmp_path / "ingest.db", workers=1)

    executor = ProcessPoolExecutor(1)
    try:
        async with opened(settings, process=die_of_poison, executor=executor) as (
            store,
            watcher,
        ):
            end = await watcher.end(await store.start(IngestRequest()))
            assert end["status"] == "error"
            assert "the executor takes no more work" in end["error"]
    finally:
        executor.shutdown(wait=True)


async def test_closure_in_a_foreign_process_pool_is_each_files_error(
    root: Path, tmp_path: Path
) -> None:
    """A function that cannot be pickled fails where it is sent, and hangs nothing."""
    settings = Settings(root=root, database=tmp_path / "ingest.db", workers=1)

    with ProcessPoolExecutor(1) as executor:
        async with opened(settings, process=lambda _: None, executor=executor) as (
            store,
            watcher,
        ):
            end = await watcher.end(await store.start(IngestRequest()))
            assert (end["status"], end["stats"]["errors"]) == ("completed", 3)
            assert "pickle" in end["errors"][0]["message"]


async def test_processor_that_leaves_does_not_take_its_worker_along(
    root: Path, tmp_path: Path
) -> None:
    """SystemExit in a worker process of our own is the file's error."""
    settings = Settings(root=root, database=tmp_path / "ingest.db", workers=1)

    async with opened(settings, process=leave) as (store, watcher):
        end = await watcher.end(await store.start(IngestRequest()))
        messages = sorted(error["message"] for error in end["errors"])
        assert messages == [f"SystemExit: left at {name}" for name in "abc"]


# Async processors


async def test_async_files_under_way_are_bounded(root: Path, tmp_path: Path) -> None:
    """Eight for each of the workers, however many there are to do."""
    fill(root, [f"{n}" for n in range(30)])
    settings = Settings(root=root, database=tmp_path / "ingest.db", workers=2)
    gate = Gate()

    async with opened(settings, process=gate) as (store, watcher):
        session_id = await store.start(IngestRequest())
        await gate.holds(16)
        await settle()
        assert gate.most == 16
        gate.open()
        assert (await watcher.end(session_id))["stats"]["done"] == 33
        assert gate.most == 16


async def fail_at_once(path: Path) -> None:
    raise OSError(28, "No space left on device", str(path))


async def panic(path: Path) -> None:
    raise PanicError("out of bounds")


async def exit_the_loop(path: Path) -> None:
    raise SystemExit(3)


async def cancel_itself(path: Path) -> None:
    raise asyncio.CancelledError


async def close_itself(path: Path) -> None:
    raise GeneratorExit


async def never_end(path: Path) -> None:
    await asyncio.Event().wait()


async def end_badly(path: Path) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        raise ValueError("while it was cancelled")


@pytest.mark.parametrize(
    ("process", "message"),
    [
        (fail_at_once, "No space left on device"),
        (panic, "PanicError: out of bounds"),
        (exit_the_loop, "SystemExit: 3"),
        (cancel_itself, "the processor was cancelled from within"),
        (close_itself, "the processor raised GeneratorExit"),
        (never_end, "timed out after 0.01 s"),
        (end_badly, "timed out after 0.01 s"),
    ],
)
async def test_failure_of_an_async_processor_is_the_files_error(
    root: Path, threads: ThreadPoolExecutor, process: Any, message: str
) -> None:
    """Whatever it raises, or never does, nothing is left behind and the loop goes on."""
    timeout = 0.01 if "0.01 s" in message else 30.0
    report = await EventLoopBackend(process, 1, timeout, threads).run(str(root), items("a"))
    assert report.failed == [(1, message)]
    await settle()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_async_processor_that_swallows_its_cancellation_holds_nobody_up(
    root: Path, threads: ThreadPoolExecutor
) -> None:
    """It is left to itself after its time, and may still end as it likes."""
    release = asyncio.Event()

    async def process(path: Path) -> None:
        try:
            await release.wait()
        except asyncio.CancelledError:
            await release.wait()
        raise ValueError("at last")

    report = await EventLoopBackend(process, 1, 0.01, threads).run(str(root), items("a"))
    assert report.failed == [(1, "timed out after 0.01 s")]
    release.set()


async def test_cancelled_async_file_may_fail_without_a_word(
    root: Path, threads: ThreadPoolExecutor
) -> None:
    """What a processor raises when its session is stopped is nobody's unretrieved exception."""
    gate = Gate()

    async def process(path: Path) -> None:
        try:
            await gate(path)
        finally:
            raise ValueError("while it was cancelled")

    doing = asyncio.create_task(
        EventLoopBackend(process, 1, 30.0, threads).run(str(root), items("a"))
    )
    await gate.holds(1)
    doing.cancel()
    await asyncio.wait([doing])
    assert doing.cancelled()


def test_async_file_that_is_known_or_gone_is_not_processed(
    root: Path, threads: ThreadPoolExecutor
) -> None:
    """It is looked at first, as in a worker: skipped, or an error, without a call."""
    (root / "b").unlink()
    os.mkfifo(root / "b")
    status = (root / "a").stat()
    known = frozenset({(status.st_size, status.st_mtime_ns)})
    gate = Gate()

    async def main() -> None:
        work = EventLoopBackend(gate, 1, 30.0, threads)
        assert (await work.run(str(root), [BatchFile(1, b"a", known)])).skipped == 1
        fifo = await work.run(str(root), items("b"))
        assert fifo.failed == [(1, "not a regular file any more")]
        gone = await work.run(str(root), items("gone"))
        assert gone.failed == [(1, "No such file or directory")]

    run(main())
    assert gate.begun == []


def test_async_file_on_a_disk_that_answers_no_more_is_an_error(
    root: Path, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time-out is for the look at it, too, and the event loop's own threads are not taken."""
    release = threading.Event()

    def hang(path: str) -> os.stat_result:
        assert not threading.current_thread().name.startswith("asyncio")
        release.wait()
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("ingest.execution.backends.look", hang)
    gate = Gate()

    async def main() -> None:
        report = await EventLoopBackend(gate, 1, 0.01, threads).run(str(root), items("a"))
        assert report.failed == [(1, "timed out after 0.01 s")]
        release.set()
        await asyncio.wrap_future(threads.submit(int))

    try:
        run(main())
    finally:
        release.set()
    assert gate.begun == []
