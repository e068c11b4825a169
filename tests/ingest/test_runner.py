"""Running a session: turns, batches that come back, cancellation, and what a crash leaves."""

import asyncio
import errno
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ingest import runner
from ingest import scheduler as scheduler_module
from ingest.catalogue.sqlite import SQLiteCatalogue
from ingest.discovery import Chunk, discover
from ingest.errors import (
    CatalogueBusyError,
    CatalogueError,
    ExecutorError,
    NotFoundError,
    ShortageError,
)
from ingest.execution.batch import BatchFile, BatchResult, run_batch
from ingest.execution.protocol import BatchError
from ingest.manager import SessionManager
from ingest.request import IngestRequest
from ingest.settings import Settings
from tests.support.ingest import Gate, Snapshot, Watcher, die_of_poison, fill, opened, recorded
from tests.support.running import run, settle

EVERY = IngestRequest()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    return root


@pytest.fixture
def settings(tmp_path: Path, root: Path) -> Settings:
    return Settings(root=root, database=tmp_path / "ingest.db", workers=1, min_interval=0)


def names(count: int) -> list[str]:
    return [f"f{n:05}" for n in range(count)]


def bad(path: Path) -> None:
    raise ValueError("bad")


def bad_below_bad(path: Path) -> dict[str, str]:
    if path.parent.name == "bad":
        bad(path)
    return {"name": path.name}


class Hand:
    """Work done by the test's hand: batches of `batch_files`, `concurrency` at once."""

    batch_seconds = 10.0

    def __init__(self, concurrency: int = 1, batch_files: int = 8) -> None:
        self.concurrency = concurrency
        self.batch_files = batch_files
        self.batches: list[Sequence[BatchFile]] = []

    async def run(
        self, root: str, items: Sequence[BatchFile], session: object = None
    ) -> BatchResult:
        self.batches.append(items)
        return await self.answer(root, items)

    async def answer(self, root: str, items: Sequence[BatchFile]) -> BatchResult:
        return run_batch(lambda _: None, root, items, 10.0)


def free_slots(manager: SessionManager) -> int:
    """Return how many batches could start now."""
    return manager._opened().resources.slots._value


# A whole session


@pytest.mark.parametrize("min_interval", [0.0, 0.005])
async def test_every_snapshot_of_a_session_is_consistent(
    settings: Settings, root: Path, min_interval: float
) -> None:
    """Files that are done, fail and are skipped: counts add up in each frame, none goes back."""
    fill(root, [*names(300), *(f"bad/{n}" for n in names(40))])

    options = Settings(root=root, database=settings.database, workers=2, min_interval=min_interval)
    async with opened(options, process=bad_below_bad) as (store, watcher):
        first = await watcher.end(await store.start(EVERY))
        assert (first["stats"]["done"], first["stats"]["errors"]) == (300, 40)
        assert first["stats"]["metadata_extracted"] == 300
        second = await watcher.end(await store.start(IngestRequest(skip_existing=True)))
        assert (second["stats"]["skipped_existing"], second["stats"]["errors"]) == (300, 40)
        await settle()
        assert free_slots(store) == 2 * 2


async def test_session_without_files_is_completed(settings: Settings) -> None:
    """A session without files is completed."""
    async with opened(settings, process=bad) as (store, watcher):
        end = await watcher.end(await store.start(EVERY))
        assert (end["status"], end["total_files"], end["progress"]) == ("completed", 0, 100)


def test_file_that_changed_since_it_was_found_is_one_error(
    settings: Settings, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that vanished or became a FIFO is an error, is not opened, and the rest go on."""
    fill(root, ["a", "gone", "fifo", "z"])
    opened_files: list[str] = []
    pending = SQLiteCatalogue.pending

    async def change(catalogue: SQLiteCatalogue, *args: int) -> Any:
        if (root / "gone").exists():
            (root / "gone").unlink()
            (root / "fifo").unlink()
            os.mkfifo(root / "fifo")
        return await pending(catalogue, *args)

    def process(path: Path) -> None:
        opened_files.append(path.name)

    monkeypatch.setattr(SQLiteCatalogue, "pending", change)

    async def main() -> None:
        async with opened(settings, process=process) as (store, watcher):
            end = await watcher.end(await store.start(EVERY))
            assert {(error["file"], error["message"]) for error in end["errors"]} == {
                ("gone", "No such file or directory"),
                ("fifo", "not a regular file any more"),
            }
            assert (end["status"], end["stats"]["done"]) == ("completed", 2)

    run(main())
    assert sorted(opened_files) == ["a", "z"]


# Batches


def test_rest_of_a_batch_is_done_once_and_in_order(
    settings: Settings, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that comes back after its first file puts the others back as they stood in line."""

    class First(Hand):
        async def answer(self, root: str, items: Sequence[BatchFile]) -> BatchResult:
            return await super().answer(root, items[:1])

    fill(root, names(20))
    work = First()

    async def main() -> None:
        async with opened(settings, backend=work) as (store, watcher):
            await watcher.end(await store.start(EVERY))

    run(main())
    numbers = [[item.n for item in batch] for batch in work.batches]
    assert sorted(first for first, *_ in numbers) == list(range(1, 21))
    assert numbers == [sorted(batch) for batch in numbers]


async def test_only_the_culprit_of_a_lost_batch_is_an_error(settings: Settings, root: Path) -> None:
    """A file that ends its worker process takes no other file of its batch with it."""
    fill(root, [*names(20), "poison1", "poison2"])

    async with opened(settings, process=die_of_poison) as (store, watcher):
        end = await watcher.end(await store.start(EVERY))
        assert sorted(error["file"] for error in end["errors"]) == ["poison1", "poison2"]
        assert all("exit" in error["message"] for error in end["errors"]), end["errors"]
        assert (end["status"], end["stats"]["done"]) == ("completed", 20)


async def test_batch_lost_while_a_page_is_read_is_tried_again(
    settings: Settings, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files come back to be tried one by one also where there seem to be no more files."""

    class Lost(Hand):
        async def answer(self, root: str, items: Sequence[BatchFile]) -> BatchResult:
            if len(items) > 1:
                await reading.wait()
                raise BatchError("lost")
            return await super().answer(root, items)

    reading = asyncio.Event()
    pending = SQLiteCatalogue.pending

    async def read(catalogue: SQLiteCatalogue, number: int, after: int, limit: int) -> Any:
        found = await pending(catalogue, number, after, limit)
        if after:
            reading.set()
            await settle()
        return found

    fill(root, names(8))
    work = Lost(concurrency=2)
    monkeypatch.setattr(SQLiteCatalogue, "pending", read)
    monkeypatch.setattr(scheduler_module, "PAGE", 8)

    async with opened(settings, backend=work) as (store, watcher):
        end = await watcher.end(await store.start(EVERY))
        assert (end["status"], end["stats"]["done"]) == ("completed", 8)


async def test_batches_wait_where_the_catalogue_is_slow(
    settings: Settings, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is done and not yet recorded is bounded, however slow the disk."""
    allowed = asyncio.Event()
    record = SQLiteCatalogue.record

    async def slow(catalogue: SQLiteCatalogue, *args: Any) -> int:
        await allowed.wait()
        return await record(catalogue, *args)

    fill(root, names(100))
    work = Hand(batch_files=1)
    monkeypatch.setattr(SQLiteCatalogue, "record", slow)

    async with opened(settings, backend=work) as (store, watcher):
        session_id = await store.start(EVERY)
        while len(work.batches) < scheduler_module.UNRECORDED:
            await settle()
        await settle()
        assert len(work.batches) <= scheduler_module.UNRECORDED + 1
        allowed.set()
        assert (await watcher.end(session_id))["stats"]["done"] == 100


# Turns


def test_small_session_has_every_other_turn_beside_a_large_one(
    settings: Settings, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten files end after a few turns, though thousands were there first."""
    fill(root, [*(f"large/{name}" for name in names(2000)), *(f"small/{n}" for n in names(10))])
    work = Hand(batch_files=2)

    async def main() -> None:
        async with opened(settings, backend=work) as (store, watcher):
            large = await store.start(IngestRequest(directory="large"))
            await watcher.until(large, lambda frame: frame["processed_files"] > 0)
            small = await store.start(IngestRequest(directory="small"))
            await watcher.end(small)
            assert watcher.newest(large)["status"] == "processing"
            await store.cancel(large)
            await watcher.end(large)

    run(main())
    whose = ["small" if b"small" in batch[0].path else "large" for batch in work.batches]
    first, last = whose.index("small"), len(whose) - whose[::-1].index("small")
    assert whose[first:last].count("small") == 5
    assert whose[first:last].count("large") <= 5


async def test_turn_is_given_back_by_a_batch_that_never_began(
    settings: Settings, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that fails while it waits for a slot releases it."""
    fill(root, names(30))
    gate = asyncio.Event()

    class Fails(Hand):
        async def answer(self, root: str, items: Sequence[BatchFile]) -> BatchResult:
            await gate.wait()
            raise ExecutorError("gone")

    work = Fails()

    async with opened(settings, backend=work) as (store, watcher):
        session_id = await store.start(EVERY)
        while not work.batches:
            await settle()
        await settle()  # until it waits for the second turn
        gate.set()
        end = await watcher.end(session_id)
        assert (end["status"], end["error"]) == ("error", "gone")
        await settle()
        assert free_slots(store) == 1


# Cancellation


def test_cancelled_while_finding_the_session_keeps_what_it_found(
    settings: Settings, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not wait for a disk that answers no more, nor hear how that ends."""
    fill(root, names(30))
    go_on, ended = threading.Event(), threading.Event()
    monkeypatch.setattr("ingest.discovery.CHUNK_FILES", 10)

    def hang_after_one(*args: Any, **options: Any) -> Iterator[Chunk]:
        yield next(discover(*args, **options))
        go_on.wait()
        ended.set()
        raise NotFoundError("the directory cannot be read: Input/output error")

    monkeypatch.setattr("ingest.finder.discover", hang_after_one)
    gate = Gate()

    async def main() -> None:
        async with opened(settings, process=gate) as (store, watcher):
            session_id = await store.start(EVERY)
            await watcher.until(session_id, lambda frame: frame["total_files"] == 10)
            assert await store.cancel(session_id)
            end = await watcher.end(session_id)
            assert (end["status"], end["total_files"], end["progress"]) == ("cancelled", 10, 0)
            go_on.set()
            await asyncio.to_thread(ended.wait)
            await settle()

    try:
        run(main())
    finally:
        go_on.set()
    assert gate.begun == []


async def test_cancelled_while_others_have_all_turns_the_session_ends(
    settings: Settings, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session need not get a turn to be cancelled, and leaves no turn taken."""
    fill(root, ["one/a", "two/b"])
    gate = asyncio.Event()

    class Held(Hand):
        async def answer(self, root: str, items: Sequence[BatchFile]) -> BatchResult:
            await gate.wait()
            return await super().answer(root, items)

    work = Held()

    async with opened(settings, backend=work) as (store, watcher):
        one = await store.start(IngestRequest(directory="one"))
        while not work.batches:
            await settle()
        two = await store.start(IngestRequest(directory="two"))
        await watcher.until(two, lambda frame: frame["status"] == "processing")
        await settle()
        assert await store.cancel(two)
        assert (await watcher.end(two))["status"] == "cancelled"
        gate.set()
        assert (await watcher.end(one))["status"] == "completed"
        await settle()
        assert free_slots(store) == 1


async def test_cancelled_under_a_large_file_the_session_does_not_wait_for_it(
    settings: Settings, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file under way gets a grace to be recorded, and is then given up."""
    fill(root, ["large"])
    monkeypatch.setattr(scheduler_module, "CANCEL_GRACE", 0.01)
    gate = Gate()

    async with opened(settings, process=gate) as (store, watcher):
        session_id = await store.start(EVERY)
        await gate.holds(1)
        assert await store.cancel(session_id)
        end = await watcher.end(session_id)
        assert (end["status"], end["processed_files"]) == ("cancelled", 0)
        await settle()
        assert gate.under_way == 0
        assert not await store.cancel(session_id)


def test_grace_of_a_cancelled_session_is_within_a_second() -> None:
    """Nobody waits longer than a second for a cancellation."""
    assert scheduler_module.CANCEL_GRACE <= 1.0


async def test_files_that_end_within_the_grace_are_recorded(settings: Settings, root: Path) -> None:
    """What was under way at the cancellation and comes back is counted, not lost."""
    fill(root, ["large"])
    gate = Gate()

    async with opened(settings, process=gate) as (store, watcher):
        session_id = await store.start(EVERY)
        await gate.holds(1)
        await store.cancel(session_id)
        gate.open()
        end = await watcher.end(session_id)
        assert (end["status"], end["processed_files"]) == ("cancelled", 1)
        assert await recorded(store, session_id) == [("large", "done")]


# Interruption


@pytest.mark.parametrize("interrupted_at", ["starting", "processing"])
async def test_interrupted_session_goes_on_and_records_each_file_once(
    settings: Settings, root: Path, monkeypatch: pytest.MonkeyPatch, interrupted_at: str
) -> None:
    """Total, counters and error numbers are those of a session that nobody interrupted."""
    fill(root, [*names(60), *(f"bad/{n}" for n in names(25))])
    monkeypatch.setattr("ingest.discovery.CHUNK_FILES", 7)

    async def process(path: Path) -> dict[str, str]:
        return bad_below_bad(path)

    def holds(frame: Snapshot) -> bool:
        if interrupted_at == "starting":
            return bool(frame["total_files"] >= 20)
        return bool(frame["processed_files"] >= 20)

    async with opened(settings, process=process) as (store, watcher):
        session_id = await store.start(EVERY)
        assert (await watcher.until(session_id, holds))["status"] == interrupted_at
    before = watcher.newest(session_id)
    assert before["status"] == interrupted_at
    later = Watcher()
    async with opened(settings, later, process=process) as (store, _):
        end = await later.end(session_id)
        assert later.frames[session_id][0]["processed_files"] >= before["processed_files"]
        assert (end["status"], end["total_files"]) == ("completed", 85)
        stats = end["stats"]
        assert (stats["done"], stats["errors"], stats["metadata_extracted"]) == (60, 25, 60)
        assert stats["bytes"] == 60 * len("f00000")
        rows = await recorded(store, session_id)
        assert len(rows) == len(dict(rows)) == 85
        errors, total = await store.errors_after(session_id, 0)
        assert [error.n for error in errors] == list(range(1, total + 1))
        assert set(watcher.ids[session_id]).isdisjoint(later.ids[session_id])


async def test_wish_to_cancel_outlives_the_server(settings: Settings, root: Path) -> None:
    """A session whose cancellation was recorded, and no more, is cancelled at the next start."""
    fill(root, names(3))
    gate = Gate()

    async with opened(settings, process=gate) as (store, watcher):
        session_id = await store.start(EVERY)
        await gate.holds(3)
        await store._catalogue.set_cancelled(1)
    later = Watcher()
    async with opened(settings, later, process=gate) as (store, _):
        assert (await later.end(session_id))["status"] == "cancelled"
        assert watcher.newest(session_id)["status"] == "processing"


# The catalogue fails


def fill_the_disk(monkeypatch: pytest.MonkeyPatch, *calls: int) -> list[int]:
    """Make chosen calls of the catalogue's `record` find the disk full; return the list of all."""
    made: list[int] = []
    record = SQLiteCatalogue.record

    async def fail(catalogue: SQLiteCatalogue, *args: Any) -> int:
        made.append(len(made) + 1)
        if made[-1] in calls:
            raise CatalogueError("the disk is full")
        return await record(catalogue, *args)

    monkeypatch.setattr(SQLiteCatalogue, "record", fail)
    return made


@pytest.mark.parametrize(
    ("method", "error"),
    [
        ("record", CatalogueBusyError("database is locked")),
        ("pending", CatalogueBusyError("database is locked")),
        ("add_found", CatalogueBusyError("database is locked")),
        ("set_status", ShortageError("no descriptor")),
        ("finish", CatalogueBusyError("database is locked")),
        ("pending", MemoryError()),
        ("add_found", OSError(errno.EMFILE, "Too many open files")),
        ("record", RuntimeError("can't start new thread")),
    ],
)
async def test_passing_failure_is_waited_for(
    settings: Settings,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    error: Exception,
) -> None:
    """Whatever the session was doing, it goes on by itself, and each file is recorded once."""
    fill(root, names(30))
    monkeypatch.setattr(runner, "FIRST_PAUSE", 0.001)
    real = getattr(SQLiteCatalogue, method)
    failures = iter([error] * 3)

    async def fail(catalogue: SQLiteCatalogue, *args: Any) -> Any:
        if (failure := next(failures, None)) is not None:
            raise failure
        return await real(catalogue, *args)

    monkeypatch.setattr(SQLiteCatalogue, method, fail)
    async with opened(settings) as (store, watcher):
        session_id = await store.start(EVERY)
        end = await watcher.end(session_id)
        assert (end["status"], end["error"]) == ("completed", None)
        assert (end["processed_files"], end["total_files"]) == (30, 30)
        assert next(failures, None) is None


async def test_session_that_waits_can_be_cancelled(
    settings: Settings, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cancel is taken when the wait is over, and needs no further file."""
    fill(root, names(3))
    monkeypatch.setattr(runner, "FIRST_PAUSE", 0.001)
    waits = asyncio.Event()

    async def fail(*_: Any) -> Any:
        waits.set()
        raise CatalogueBusyError("database is locked")

    monkeypatch.setattr(SQLiteCatalogue, "pending", fail)
    async with opened(settings) as (store, watcher):
        session_id = await store.start(EVERY)
        await waits.wait()
        waiting = await watcher.until(session_id, lambda frame: frame["waiting"] is not None)
        assert (waiting["status"], waiting["waiting"]) == ("processing", "database is locked")
        await store.cancel(session_id)
        assert (await watcher.end(session_id))["status"] == "cancelled"


async def test_errors_are_numbered_without_a_gap_after_a_failed_write(
    settings: Settings, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that was not recorded uses up no number, now or after the next start."""
    fill(root, names(30))

    async def process(path: Path) -> None:
        bad(path)

    made = fill_the_disk(monkeypatch, 3)

    async with opened(settings, process=process) as (store, watcher):
        session_id = await store.start(EVERY)
        end = await watcher.end(session_id)
        assert (end["status"], end["error"]) == ("error", "the disk is full")
        assert len(made) > 3
    later = Watcher()
    async with opened(settings, later, process=process) as (store, _):
        end = await later.end(session_id)
        assert (end["status"], end["stats"]["errors"]) == ("completed", 30)
        errors, total = await store.errors_after(session_id, 0)
        assert [error.n for error in errors] == list(range(1, 31))
        assert total == 30


async def test_unexpected_failure_ends_the_session_and_no_other(
    settings: Settings, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An internal error is reported without its details, and blocks no other session."""
    fill(root, ["one/a", "two/b"])

    class Defect(Hand):
        async def answer(self, root: str, items: Sequence[BatchFile]) -> BatchResult:
            if items[0].path.startswith(b"one"):
                raise RuntimeError("secret")
            return await super().answer(root, items)

    work = Defect()

    async with opened(settings, backend=work) as (store, watcher):
        one = await store.start(IngestRequest(directory="one"))
        two = await store.start(IngestRequest(directory="two"))
        assert (await watcher.end(one))["error"] == "internal error: RuntimeError"
        assert (await watcher.end(two))["status"] == "completed"


@pytest.mark.parametrize("when", ["submitted", "lost"])
async def test_executor_that_is_shut_down_ends_the_session_in_error(
    settings: Settings, root: Path, when: str
) -> None:
    """Nothing hangs where a host ends its executor under a session."""
    fill(root, names(40))
    begun, go_on = threading.Event(), threading.Event()

    def process(path: Path) -> None:
        begun.set()
        go_on.wait()

    executor = ThreadPoolExecutor(1)
    async with opened(settings, process=process, executor=executor) as (store, watcher):
        session_id = await store.start(EVERY)
        await asyncio.to_thread(begun.wait)
        executor.shutdown(wait=False, cancel_futures=when == "lost")
        go_on.set()
        end = await watcher.end(session_id)
        assert end["status"] == "error"
        assert "executor" in end["error"]
