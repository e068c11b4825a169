"""A root that goes and comes back: what is recognised, and what a session does meanwhile."""

import asyncio
import os
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from ingest.request import IngestRequest
from ingest.root_watch import RootWatch, identify, is_same
from ingest.settings import Settings
from tests.support.ingest import Watcher, fill, opened, recorded

EVERY = IngestRequest()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    fill(root, [f"sub/{n:02}" for n in range(40)])
    return root


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


@pytest.fixture(autouse=True)
def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.absence.RETRY_SECONDS", 0.01)


def settings(root: Path) -> Settings:
    return Settings(root=root, database=root.parent / "ingest.db", workers=1, min_interval=0.0)


class Unmounting:
    """A processor that has the root vanish at its fifth file: its name is an empty folder then."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.away = root.with_name("away")
        self.calls: list[str] = []

    async def __call__(self, path: Path) -> None:
        self.calls.append(path.name)
        if len(self.calls) == 5:
            self._root.rename(self.away)
            self._root.mkdir()
        path.read_bytes()

    def mount(self) -> None:
        self._root.rmdir()
        self.away.rename(self._root)


async def until_waiting(watcher: Watcher, session_id: str) -> None:
    await watcher.until(session_id, lambda frame: frame["waiting"] is not None)


# What identifies a folder


@pytest.mark.parametrize(
    ("before", "now", "same"),
    [
        ("5:1:9", "5:1:9", True),
        ("5:1:9", "5:2:9", True),
        ("5:1:0", "5:2:0", True),
        ("5:1:8", "5:1:9", True),
        ("5:1:8", "5:2:9", False),
        ("5:1:9", "6:1:9", False),
        ("5:1:9 7:1:9", "5:1:9 8:1:9", False),
    ],
)
def test_folder_is_recognised_by_inode_and_file_system(before: str, now: str, same: bool) -> None:
    """Of device and file-system id one may change, as they do over a restart; the inode may not."""
    assert is_same(before, now) is same


async def test_folder_that_is_replaced_is_absent(root: Path, threads: ThreadPoolExecutor) -> None:
    """An empty one in its place, a file, or nothing: until the folder itself is back."""
    recorded_before = identify((os.fsencode(root), os.fsencode(root / "sub")))
    watch = RootWatch(root, b"sub", recorded_before, threads)
    assert await watch.absence() is None
    (root / "sub").rename(root / "away")
    assert await watch.absence() is not None
    (root / "sub").mkdir()
    assert await watch.absence() is not None
    (root / "sub").rmdir()
    (root / "away").rename(root / "sub")
    assert await watch.absence() is None


async def test_look_that_hangs_keeps_one_thread(
    root: Path, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dead file system is absent, and asked again only once it has answered."""
    monkeypatch.setattr("ingest.root_watch.LOOK_SECONDS", 0.01)
    released, looks = threading.Event(), []

    def hang(places: tuple[bytes, ...]) -> str:
        looks.append(places)
        released.wait()
        return identify(places)

    watch = RootWatch(root, b".", identify((os.fsencode(root),)), threads)
    monkeypatch.setattr("ingest.root_watch.identify", hang)
    for _ in range(5):
        assert "did not answer" in (await watch.absence() or "")
    assert len(looks) == 1
    released.set()
    monkeypatch.setattr("ingest.root_watch.LOOK_SECONDS", 30.0)
    assert await watch.absence() is None


# What a session does


async def test_session_waits_while_its_root_is_missing(root: Path) -> None:
    """No file is an error for it, the snapshot has the reason, and nothing is done twice."""
    processor = Unmounting(root)
    async with opened(settings(root), process=processor) as (store, watcher):
        session_id = await store.start(EVERY)
        await until_waiting(watcher, session_id)
        frame = watcher.newest(session_id)
        assert (frame["status"], frame["stats"]["errors"]) == ("processing", 0)
        assert "is its disk mounted?" in frame["waiting"]
        assert frame["eta_seconds"] is None
        processor.mount()
        last = await watcher.end(session_id)
        assert (last["status"], last["stats"]["done"], last["waiting"]) == ("completed", 40, None)
        assert len(await recorded(store, session_id)) == 40


async def test_session_that_waits_can_be_cancelled(root: Path) -> None:
    """Whoever knows that the disk does not come back need not wait."""
    async with opened(settings(root), process=Unmounting(root)) as (store, watcher):
        session_id = await store.start(EVERY)
        await until_waiting(watcher, session_id)
        await store.cancel(session_id)
        last = await watcher.end(session_id)
        assert (last["status"], last["stats"]["errors"], last["waiting"]) == ("cancelled", 0, None)


@pytest.mark.parametrize("found", [0, 40])
async def test_resumed_session_waits_for_its_root(root: Path, found: int) -> None:
    """The service may start before the disk is mounted, in the middle of finding files too."""
    held = asyncio.Event()

    async def hold(_: Path) -> None:
        await held.wait()

    watcher = Watcher()
    async with opened(settings(root), watcher, process=hold) as (store, _):
        session_id = await store.start(EVERY)
        await watcher.until(session_id, lambda frame: frame["status"] == "processing")
    if not found:
        forget_what_was_found(root.parent / "ingest.db")
    away = root.rename(root.with_name("away"))
    root.mkdir()
    watcher.begin_again(session_id)
    held.set()
    async with opened(settings(root), watcher, process=hold) as (store, _):
        await until_waiting(watcher, session_id)
        root.rmdir()
        away.rename(root)
        last = await watcher.end(session_id)
        assert (last["status"], last["total_files"], last["stats"]["done"]) == ("completed", 40, 40)


def forget_what_was_found(database: Path) -> None:
    """Make the session of a closed catalogue one that was interrupted before it found a file."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("DELETE FROM found")
        connection.execute("UPDATE sessions SET status = 'starting'")


async def test_file_that_is_gone_is_an_error_while_the_root_is_there(root: Path) -> None:
    """It is tried once more, and then its error is its own; the others are done."""

    async def delete_another(path: Path) -> None:
        if path.name == "00":
            for n in (7, 8, 30):
                (root / "sub" / f"{n:02}").unlink()

    async with opened(settings(root), process=delete_another) as (store, watcher):
        last = await watcher.end(await store.start(IngestRequest(pattern="*")))
        outcome = (last["status"], last["waiting"], last["processed_files"])
        assert outcome == ("completed", None, 40)
        assert {error["message"] for error in last["errors"]} <= {"No such file or directory"}
