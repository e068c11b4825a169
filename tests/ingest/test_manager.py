"""The store: starting, repeating, retrying and forgetting sessions, and going on with them."""

import asyncio
import logging
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from ingest import queries
from ingest.catalogue.database import Database
from ingest.catalogue.sqlite import SQLiteCatalogue
from ingest.errors import (
    CatalogueError,
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    SettingsError,
    TooManySessionsError,
)
from ingest.manager import SessionManager
from ingest.request import IngestRequest
from ingest.settings import Settings
from tests.support.ingest import Gate, Snapshot, Watcher, fill, opened, path_of, recorded
from tests.support.running import settle

EVERY = IngestRequest()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    return root


def settings(root: Path, **options: Any) -> Settings:
    options.setdefault("database", root.parent / "ingest.db")
    return Settings(root=root, workers=1, min_interval=0, **options)


async def succeed(path: Path) -> None:
    return None


async def fail_if_bad(path: Path) -> None:
    if path.name.startswith("bad"):
        raise ValueError("bad")


async def session_of(
    store: SessionManager, watcher: Watcher, **fields: Any
) -> tuple[str, Snapshot]:
    session_id = await store.start(IngestRequest(**fields))
    return session_id, await watcher.end(session_id)


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate() if "ingest" in thread.name}


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


async def only(names: set[str]) -> None:
    """Wait until no more threads of ours are left; each ends by itself, and tells nobody."""
    while not threads() <= names:
        await settle()


# Starting


async def test_session_goes_through_its_states(root: Path) -> None:
    """The first frame is out when `start` returns; the last one is kept for later requests."""
    fill(root, ["a"])

    async with opened(settings(root), process=succeed) as (store, watcher):
        session_id = await store.start(EVERY)
        assert watcher.newest(session_id)["status"] == "starting"
        assert store.running == 1
        await watcher.end(session_id)
        await settle()
        states = [frame["status"] for frame in watcher.frames[session_id]]
        assert list(dict.fromkeys(states)) == ["starting", "processing", "completed"]
        assert (store.running, watcher.forgotten) == (0, [session_id])
        stored = await store.finished(session_id)
        assert stored.last_event_id == watcher.ids[session_id][-1]
        assert [each.id for each in (await store.newest())[0]] == [session_id]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"directory": "nowhere"}, NotFoundError),
        ({"directory": ".."}, ForbiddenError),
        ({"directory": "file"}, InvalidRequestError),
        ({"retry_of": "nobody"}, NotFoundError),
    ],
)
async def test_session_that_cannot_be_started_leaves_no_trace(
    root: Path, fields: dict[str, Any], error: type[Exception]
) -> None:
    """Nothing is recorded, nothing runs, and its place is free."""
    fill(root, ["file"])

    async with opened(settings(root, max_sessions=1), process=succeed) as (store, watcher):
        with pytest.raises(error):
            await store.start(IngestRequest(**fields), "key")
        assert await store.newest() == ([], None)
        assert (await session_of(store, watcher))[1]["status"] == "completed"


async def test_one_session_too_many_is_refused(root: Path) -> None:
    """Also of several that are started at once; when one has ended there is room again."""
    fill(root, ["a"])
    gate = Gate()

    async with opened(settings(root, max_sessions=2), process=gate) as (store, watcher):
        starts = [store.start(EVERY) for _ in range(4)]
        begun = await asyncio.gather(*starts, return_exceptions=True)
        ids = [each for each in begun if isinstance(each, str)]
        assert len(ids) == 2
        assert sum(isinstance(each, TooManySessionsError) for each in begun) == 2
        gate.open()
        for session_id in ids:
            await watcher.end(session_id)
        await settle()
        await session_of(store, watcher)


async def test_client_that_goes_away_leaves_a_session_that_runs(root: Path) -> None:
    """A start that is cancelled half way does not leave a session without a runner."""
    fill(root, ["a"])

    async with opened(settings(root), process=succeed) as (store, watcher):
        starting = asyncio.create_task(store.start(EVERY))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        starting.cancel()
        await asyncio.wait([starting])
        assert starting.cancelled()
        while not watcher.frames:
            await settle()
        (session_id,) = watcher.frames
        assert (await watcher.end(session_id))["status"] == "completed"


async def test_client_that_goes_away_and_repeats_its_key_starts_one_session(
    root: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The repetition waits for the first start, which goes on, and nothing is run by two."""
    caplog.set_level(logging.INFO, "ingest")
    fill(root, ["a"])
    recorded_first, go_on = asyncio.Event(), asyncio.Event()
    add_session = SQLiteCatalogue.add_session

    async def held(catalogue: SQLiteCatalogue, *args: Any) -> Any:
        stored = await add_session(catalogue, *args)
        recorded_first.set()
        await go_on.wait()
        return stored

    monkeypatch.setattr(SQLiteCatalogue, "add_session", held)

    async with opened(settings(root), process=succeed) as (store, watcher):
        leaving = asyncio.create_task(store.start(EVERY, "key"))
        await recorded_first.wait()
        leaving.cancel()
        await asyncio.wait([leaving])
        repeated = asyncio.create_task(store.start(EVERY, "key"))
        for _ in range(5):  # it may look into the catalogue as often as it likes
            await store.newest()
            await settle()
        go_on.set()
        assert (await watcher.end(await repeated))["status"] == "completed"
        assert len((await store.newest())[0]) == 1
        begun = [record for record in caplog.messages if record.endswith(": starting")]
        assert len(begun) == 1


# Repeating


async def test_repeated_key_gives_the_first_session(root: Path) -> None:
    """At once, after its end and over a restart; and without counting against the limit."""
    fill(root, ["a"])
    gate = Gate()

    limited = settings(root, max_sessions=1)
    async with opened(limited, process=gate) as (store, watcher):
        starts = [store.start(EVERY, "key") for _ in range(5)]
        first, *others = await asyncio.gather(*starts)
        assert set(others) == {first}
        assert len(watcher.frames) == 1
        gate.open()
        await watcher.end(first)
        assert await store.start(EVERY, "key") == first
    async with opened(limited, process=gate) as (store, watcher):
        assert await store.start(EVERY, "key") == first
        assert watcher.frames == {}
        assert len((await store.newest())[0]) == 1


async def test_key_of_another_request_is_refused(root: Path) -> None:
    """A key that is taken by mistake does not pass another directory off as ingested."""
    async with opened(settings(root), process=succeed) as (store, _):
        await store.start(EVERY, "key")
        with pytest.raises(InvalidRequestError, match="another request"):
            await store.start(IngestRequest(recursive=False), "key")


# Retrying and skipping


async def test_retry_takes_the_failed_files_alone(root: Path) -> None:
    """Whatever `directory` and `pattern` say; and a retry can be retried."""
    fill(root, ["good", "bad1", "sub/bad2", b"bad\xff"])

    async with opened(settings(root), process=fail_if_bad) as (store, watcher):
        first, end = await session_of(store, watcher)
        assert end["stats"]["errors"] == 3
        (root / "bad1").rename(root / "mended")
        second, end = await session_of(
            store, watcher, retry_of=first, directory="nowhere", pattern="*.x"
        )
        assert (end["total_files"], end["stats"]["errors"]) == (3, 3)
        assert end["errors"][0]["n"] == 1
        _, end = await session_of(store, watcher, retry_of=second, max_files=None)
        assert end["total_files"] == 3
        assert {file for file, _ in await recorded(store, second)} == {
            "bad1", "sub/bad2", "bad\ufffd",
        }  # fmt: skip


@pytest.mark.parametrize("retry", ["unfinished", "both"])
async def test_cancelled_session_is_gone_on_with(root: Path, retry: str) -> None:
    """A retry takes what was not processed, and what failed if that is asked for."""
    fill(root, ["bad", "b", "c", "d"])
    first = ""

    async def fail_then_wait(path: Path) -> None:
        if first and path.name == "bad":
            raise ValueError("bad")
        if first and path.name != "b":
            await store.cancel(first)
            await asyncio.Event().wait()

    async with opened(settings(root), process=fail_then_wait) as (store, watcher):
        first = await store.start(EVERY)
        end = await watcher.end(first)
        cancelled, first = first, ""
        assert end["stats"]["errors"] == 1
        left = end["total_files"] - end["processed_files"]
        _, end = await session_of(store, watcher, retry_of=cancelled, retry=retry)
        assert (end["status"], end["total_files"]) == ("completed", left + (retry == "both"))


async def test_retry_that_is_interrupted_takes_each_failed_file_once(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found in pieces, the files go on from where the last one ended, up to the limit."""
    monkeypatch.setattr("ingest.catalogue.sqlite.PIECE", 3)
    fill(root, [f"bad{n}" for n in range(10)])
    add_failed_files = SQLiteCatalogue.add_failed_files
    pieces: list[tuple[int, int]] = []
    third = asyncio.Event()

    async def hang_at_the_third(catalogue: SQLiteCatalogue, *args: Any) -> tuple[int, int]:
        pieces.append(await add_failed_files(catalogue, *args))
        if len(pieces) == 3:
            third.set()
            await asyncio.Event().wait()
        return pieces[-1]

    async with opened(settings(root), process=fail_if_bad) as (store, watcher):
        first, _ = await session_of(store, watcher)
        monkeypatch.setattr(SQLiteCatalogue, "add_failed_files", hang_at_the_third)
        retry = await store.start(IngestRequest(retry_of=first, max_files=8))
        await third.wait()
        assert watcher.newest(retry)["total_files"] == 6
    async with opened(settings(root), process=fail_if_bad) as (store, watcher):
        end = await watcher.end(retry)
        assert (end["status"], end["total_files"], end["stats"]["errors"]) == (
            "completed", 8, 8,
        )  # fmt: skip
        rows = await recorded(store, retry)
        assert len(rows) == len(dict(rows)) == 8
        assert [files for files, _ in pieces] == [3, 3, 2, 0]


async def test_running_session_cannot_be_retried(root: Path) -> None:
    """It is not known yet what fails."""
    fill(root, ["a"])

    async with opened(settings(root), process=Gate()) as (store, _):
        session_id = await store.start(EVERY)
        with pytest.raises(InvalidRequestError, match="still running"):
            await store.start(IngestRequest(retry_of=session_id))


async def test_file_is_skipped_until_its_size_or_time_changes(root: Path) -> None:
    """Path, size and modification time together make a file known; a failed one is tried."""
    fill(root, ["same", "touched", "grown", "bad"])

    async with opened(settings(root), process=fail_if_bad) as (store, watcher):
        await session_of(store, watcher)
        os.utime(root / "touched", (1, 1))
        fill(root, ["new"])
        status = (root / "grown").stat()
        (root / "grown").write_text("longer")
        os.utime(root / "grown", ns=(status.st_atime_ns, status.st_mtime_ns))
        session_id, end = await session_of(store, watcher, skip_existing=True)
        assert (end["stats"]["done"], end["stats"]["skipped_existing"]) == (3, 1)
        assert dict(await recorded(store, session_id)) == {
            "same": "skipped", "touched": "done", "grown": "done", "new": "done",
            "bad": "error",
        }  # fmt: skip


async def test_files_are_still_skipped_when_their_session_is_forgotten(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What was recorded of each file outlives the retention of the session that did it."""
    caplog.set_level(logging.INFO, "ingest")
    fill(root, ["a", "b"])

    async with opened(settings(root), process=succeed) as (store, watcher):
        first, _ = await session_of(store, watcher)
    async with opened(settings(root, retention=0), process=succeed) as (store, watcher):
        while not any("pruned" in record.message for record in caplog.records):
            await settle()
        with pytest.raises(NotFoundError):
            await store.finished(first)
        with pytest.raises(NotFoundError):
            await store.report(first)
        _, end = await session_of(store, watcher, skip_existing=True)
        assert end["stats"]["skipped_existing"] == 2


async def test_interrupted_session_waits_for_its_root(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Started on another tree the service leaves it alone; on its own again it goes on."""
    fill(root, ["a", "bad"])
    other = root.parent / "other"
    other.mkdir()
    key = "the start of it"

    gate = Gate()
    async with opened(settings(root), process=gate) as (store, _):
        waiting = await store.start(EVERY, key)
        await gate.holds(2)
    elsewhere = settings(other, database=root.parent / "ingest.db")
    async with opened(elsewhere, process=fail_if_bad) as (store, _):
        assert f"session {waiting}: not resumed" in caplog.text
        assert store.running == 0
        for call in (store.finished, store.cancel, store.report):
            with pytest.raises(NotFoundError, match="interrupted"):
                await call(waiting)
        with pytest.raises(InvalidRequestError, match="Idempotency-Key"):
            await store.start(EVERY, key)
    async with opened(settings(root), process=fail_if_bad) as (store, watcher):
        end = await watcher.end(waiting)
        assert (end["stats"]["done"], end["stats"]["errors"]) == (1, 1)
    async with opened(elsewhere, process=succeed) as (store, _):
        assert (await store.finished(waiting)).status.terminal
        with pytest.raises(InvalidRequestError, match="another ingest root"):
            await store.start(IngestRequest(retry_of=waiting))


async def test_database_in_the_root_is_not_ingested(root: Path) -> None:
    """The service's own files are no files of anybody's."""
    fill(root, ["a"])

    inside = settings(root, database=root / "ingest.db")
    async with opened(inside, process=succeed) as (store, watcher):
        session_id, end = await session_of(store, watcher)
        assert end["total_files"] == 1
        assert await recorded(store, session_id) == [("a", "done")]


async def test_database_that_a_link_names_is_not_ingested(root: Path) -> None:
    """Its real file may lie in the root, whatever the name it is opened by."""
    fill(root, ["a"])
    link = root.parent / "link.db"
    link.symlink_to(root / "real.db")

    async with opened(settings(root, database=link), process=succeed) as (store, watcher):
        assert (await session_of(store, watcher))[1]["total_files"] == 1


async def test_relative_root_outlives_a_change_of_the_working_directory(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that goes elsewhere, before the start or after it, takes no files from there."""
    fill(root, ["a"])
    fill(root.parent, ["elsewhere/root/other"])
    monkeypatch.chdir(root.parent)

    relative = settings(Path("root"), database="ingest.db")
    async with opened(relative, process=succeed) as (store, watcher):
        monkeypatch.chdir("elsewhere")
        session_id, _ = await session_of(store, watcher)
        assert await recorded(store, session_id) == [("a", "done")]
        assert (await store.directories("."))["directories"] == []


async def test_max_files_holds_over_folders(root: Path) -> None:
    """It bounds the session, not each folder, and a session without recursion too."""
    fill(root, [f"{folder}/{n}" for folder in "abc" for n in range(4)])

    async with opened(settings(root), process=succeed) as (store, watcher):
        assert (await session_of(store, watcher, max_files=6))[1]["total_files"] == 6
        assert (await session_of(store, watcher, recursive=False))[1]["total_files"] == 0


async def test_folder_without_permission_is_one_error(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is counted, named and numbered like a file, and the session goes on."""
    fill(root, ["a", "closed/b"])
    scandir = os.scandir

    def refuse(path: Any) -> Any:
        if path_of(path).endswith(b"closed"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    async with opened(settings(root), process=succeed) as (store, watcher):
        monkeypatch.setattr("os.scandir", refuse)
        session_id, end = await session_of(store, watcher)
        assert (end["status"], end["total_files"], end["stats"]["done"]) == ("completed", 2, 1)
        assert end["errors"][0] | {"time": ""} == {
            "n": 1, "file": "closed", "time": "",
            "message": "the folder cannot be read: Permission denied",
        }  # fmt: skip
        assert dict(await recorded(store, session_id)) == {"a": "done", "closed": "error"}


async def test_directory_that_vanishes_before_it_is_read_ends_the_session(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job as a whole cannot go on, and `error` says why."""
    (root / "sub").mkdir()
    add_session = SQLiteCatalogue.add_session

    async def vanish(catalogue: SQLiteCatalogue, *args: Any) -> Any:
        (root / "sub").rmdir()
        return await add_session(catalogue, *args)

    monkeypatch.setattr(SQLiteCatalogue, "add_session", vanish)

    async with opened(settings(root), process=succeed) as (store, watcher):
        _, end = await session_of(store, watcher, directory="sub")
        assert (end["status"], end["progress"]) == ("error", 0)
        assert end["error"] == "the directory cannot be read: No such file or directory"


# Failing and going on


def fail_writes(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Make all writes fail while the returned event is set."""
    full = threading.Event()
    write = Database._write

    def fail(database: Database, *args: Any) -> Any:
        if full.is_set():
            raise CatalogueError("the catalogue cannot be written: database or disk is full")
        return write(database, *args)

    monkeypatch.setattr(Database, "_write", fail)
    return full


async def test_full_disk_ends_the_session_and_the_next_start_goes_on(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing hangs, the end is published, and no file is lost or recorded twice."""
    fill(root, [f"f{n}" for n in range(50)])
    full = fail_writes(monkeypatch)

    async with opened(settings(root), process=succeed) as (store, watcher):
        session_id = await store.start(EVERY, "key")
        await watcher.until(session_id, lambda frame: frame["processed_files"] > 0)
        full.set()
        end = await watcher.end(session_id)
        assert end["status"] == "error"
        assert "disk is full" in end["error"]
        await settle()
        assert (store.running, watcher.forgotten) == (0, [])
        with pytest.raises(CatalogueError):
            await store.start(EVERY)
        assert (await store.finished(session_id)).status == "processing"
        assert len(await recorded(store, session_id)) == end["processed_files"]
        full.clear()
    later = Watcher()
    async with opened(settings(root), later, process=succeed) as (store, _):
        end = await later.end(session_id)
        assert (end["status"], end["stats"]["done"]) == ("completed", 50)
        assert len(await recorded(store, session_id)) == 50


async def broken_off(
    store: SessionManager, watcher: Watcher, gate: Gate, full: threading.Event
) -> str:
    """Suspend a session with a key by a full disk, which then has room again."""
    session_id = await store.start(EVERY, "key")
    await gate.holds(1)
    full.set()
    gate.open()
    assert (await watcher.end(session_id))["status"] == "error"
    await settle()
    full.clear()
    watcher.begin_again(session_id)
    return session_id


async def test_session_that_goes_on_has_new_event_ids(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within one life of the server, too: no id stands for two snapshots."""
    fill(root, ["a", "b", "c"])
    full = fail_writes(monkeypatch)

    gate = Gate()
    async with opened(settings(root), process=gate) as (store, watcher):
        session_id = await broken_off(store, watcher, gate, full)
        assert await store.start(EVERY, "key") == session_id
        assert (await watcher.end(session_id))["status"] == "completed"
        assert len(set(watcher.ids[session_id])) == len(watcher.ids[session_id])


async def test_session_that_was_broken_off_can_be_cancelled_and_then_retried(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cancellation is its end: recorded, told, and after it what failed can be taken."""
    fill(root, ["a"])
    full = fail_writes(monkeypatch)

    gate = Gate()
    async with opened(settings(root), process=gate) as (store, watcher):
        session_id = await broken_off(store, watcher, gate, full)
        assert await store.cancel(session_id)
        end = await watcher.end(session_id)
        assert (end["status"], end["processed_files"], end["error"]) == ("cancelled", 0, None)
        await settle()
        stored = await store.finished(session_id)
        assert (stored.status, stored.last_event_id) == (
            "cancelled", watcher.ids[session_id][-1],
        )  # fmt: skip
        assert (store.running, watcher.forgotten) == (0, [session_id])
        assert not await store.cancel(session_id)
        _, end = await session_of(store, watcher, retry_of=session_id)
        assert (end["status"], end["total_files"]) == ("completed", 0)


async def test_cancellation_while_a_session_is_taken_up_again_is_honoured(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cancel at that very moment takes effect if it returns True, and nothing runs twice."""
    fill(root, ["a"])
    full = fail_writes(monkeypatch)
    restoring, go_on = asyncio.Event(), asyncio.Event()
    restore = SQLiteCatalogue.restore

    async def held(catalogue: SQLiteCatalogue, stored: Any) -> Any:
        session = await restore(catalogue, stored)
        restoring.set()
        await go_on.wait()
        return session

    monkeypatch.setattr(SQLiteCatalogue, "restore", held)

    gate = Gate()
    async with opened(settings(root), process=gate) as (store, watcher):
        session_id = await broken_off(store, watcher, gate, full)
        gate.close()
        starting = asyncio.create_task(store.start(EVERY, "key"))
        await restoring.wait()
        cancelling = asyncio.create_task(store.cancel(session_id))
        for _ in range(5):
            await store.newest()
            await settle()
        go_on.set()
        assert (await starting, await cancelling) == (session_id, True)
        gate.open()
        assert (await watcher.end(session_id))["status"] == "cancelled"


async def test_database_deleted_under_way_ends_the_session(root: Path) -> None:
    """What nobody could read again is not written on."""
    fill(root, [f"f{n}" for n in range(9)])
    gate = Gate()
    database = root.parent / "ingest.db"

    async with opened(settings(root), process=gate) as (store, watcher):
        session_id = await store.start(EVERY)
        await gate.holds(8)
        await asyncio.to_thread(database.unlink)
        gate.open()
        end = await watcher.end(session_id)
        assert end["status"] == "error"
        assert "removed or replaced" in end["error"]


async def test_store_that_cannot_open_leaves_nothing_behind(root: Path) -> None:
    """A second store on the file, or a root that is none, ends its workers and threads."""
    async with opened(settings(root), process=succeed) as (store, watcher):
        for wrong, error in (
            (settings(root), CatalogueError),
            (settings(root / "nowhere", database=root / "x.db"), SettingsError),
        ):
            before = threads()
            with pytest.raises(error):
                await SessionManager(wrong, watcher.publish, watcher.forget).open()
            await only(before)
        await session_of(store, watcher)


async def test_closed_store_leaves_no_task_thread_or_descriptor(root: Path) -> None:
    """Whatever was under way: sessions, workers, files."""
    fill(root, [f"f{n}" for n in range(2000)])

    before, tasks = descriptors(), asyncio.all_tasks()
    async with opened(settings(root)) as (store, watcher):
        ids = [await store.start(EVERY) for _ in range(3)]
        await watcher.until(ids[0], lambda frame: frame["status"] == "processing")
    await only(set())
    assert asyncio.all_tasks() == tasks
    assert descriptors() == before


async def test_closed_store_refuses_all_that_is_asked(root: Path) -> None:
    """A request during the shutdown is refused for a retry, and does not hang."""
    async with opened(settings(root), process=succeed) as (store, _):
        pass
    asked = (
        store.start(EVERY), store.start(EVERY, "key"), store.cancel("s"), store.finished("s"),
        store.directories("."), store.newest(), store.errors_after("s", 0),
    )  # fmt: skip
    for answer in await asyncio.gather(*asked, return_exceptions=True):
        assert isinstance(answer, CatalogueError)
        assert answer.status == 503


async def test_unknown_session_is_not_found(root: Path) -> None:
    """Each call raises it; a report does before its first page."""
    async with opened(settings(root), process=succeed) as (store, _):
        calls = (store.finished, store.cancel, store.report)
        for call in calls:
            with pytest.raises(NotFoundError):
                await call("nobody")
        with pytest.raises(NotFoundError):
            await store.errors_after("nobody", 0)


async def test_errors_and_report_are_paged(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages join without a gap or an overlap; of a running session they hold what is finished."""
    monkeypatch.setattr(queries, "ERRORS_PAGE", 4)
    monkeypatch.setattr(queries, "REPORT_PAGE", 4)
    fill(root, [f"bad{n}" for n in range(10)])

    async with opened(settings(root), process=fail_if_bad) as (store, watcher):
        session_id, _ = await session_of(store, watcher)
        numbers: list[int] = []
        while page := (await store.errors_after(session_id, len(numbers)))[0]:
            assert len(page) <= 4
            numbers += [error.n for error in page]
        assert numbers == list(range(1, 11))
        pages = [len(page) async for page in await store.report(session_id)]
        assert pages == [4, 4, 2]


async def test_directories_tell_their_parent(root: Path) -> None:
    """The root has none; all paths are below it."""
    fill(root, ["a/b/c", "a/d"])

    async with opened(settings(root), process=succeed) as (store, _):
        top = await store.directories(".")
        assert (top["path"], top["parent"]) == (".", None)
        assert top["directories"] == [{"name": "a", "path": "a", "files": 1}]
        inner = await store.directories("a/b")
        assert (inner["path"], inner["parent"], inner["directories"]) == ("a/b", "a", [])
        assert (await store.directories("a"))["parent"] == "."
