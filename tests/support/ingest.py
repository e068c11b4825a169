"""What the tests of sessions share: trees of files, a watcher, stores that end, processors."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import orjson

from ingest.manager import SessionManager
from ingest.publisher import EncodedSnapshot
from ingest.settings import Settings

T = TypeVar("T")

Snapshot = Mapping[str, Any]


def fill(root: Path, names: Iterable[str | bytes]) -> None:
    """Make a file for each name, its content its name, and the folders on the way."""
    for name in names:
        path = os.path.join(os.fsencode(root), os.fsencode(name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(os.fsencode(name))


def path_of(folder: Any) -> bytes:
    """Return the path of what is handed to `os.scandir`, a descriptor's too."""
    if isinstance(folder, int):
        folder = os.readlink(f"/proc/self/fd/{folder}")
    return os.fsencode(folder)


class Watcher:
    """Keeps every snapshot that is published, and holds each to what all must satisfy."""

    def __init__(self) -> None:
        self.frames: dict[str, list[Snapshot]] = {}
        self.ids: dict[str, list[str]] = {}
        self.ended: set[str] = set()
        self.forgotten: list[str] = []
        self.broken: list[AssertionError] = []
        self._published = asyncio.Event()

    def publish(self, session_id: str, encoded: EncodedSnapshot, *, last: bool) -> None:
        frames = self.frames.setdefault(session_id, [])
        frame = orjson.loads(encoded.json)
        try:
            assert session_id not in self.ended, "a frame after the last"
            assert frame == encoded.snapshot
            assert last == (frame["status"] in {"completed", "cancelled", "error"})
            check_frame(frame)
            if frames:
                check_step(frames[-1], frame)
        except AssertionError as error:
            self.broken.append(error)
        frames.append(frame)
        self.ids.setdefault(session_id, []).append(encoded.event_id)
        if last:
            self.ended.add(session_id)
        self._published.set()
        self._published = asyncio.Event()

    def forget(self, session_id: str) -> None:
        self.forgotten.append(session_id)

    def begin_again(self, session_id: str) -> None:
        """Expect frames of a session that was interrupted and is to go on."""
        self.ended.discard(session_id)
        del self.frames[session_id]

    def newest(self, session_id: str) -> Snapshot:
        return self.frames[session_id][-1]

    async def until(self, session_id: str, holds: Callable[[Snapshot], bool]) -> Snapshot:
        """Wait for a frame of which this holds."""
        while not holds(self.newest(session_id)):
            assert session_id not in self.ended, self.newest(session_id)
            await self._published.wait()
        return self.newest(session_id)

    async def end(self, session_id: str) -> Snapshot:
        """Wait for the last frame."""
        while session_id not in self.ended:
            await self._published.wait()
        return self.newest(session_id)


def check_frame(frame: Snapshot) -> None:
    """Check one snapshot for what docs/api.md says of it."""
    stats = frame["stats"]
    done = stats["done"] + stats["skipped_existing"] + stats["errors"]
    assert frame["processed_files"] == done <= frame["total_files"], frame
    assert (frame["progress"] == 100) == (frame["status"] == "completed"), frame
    numbers = [error["n"] for error in frame["errors"]]
    last = stats["errors"]
    assert numbers == list(range(max(0, last - 10) + 1, last + 1)), frame
    if frame["status"] == "completed":
        assert done == frame["total_files"], frame
    if frame["end_time"] is not None:
        assert frame["current_file"] is None, frame


def check_step(before: Snapshot, after: Snapshot) -> None:
    """Check two snapshots in a row: nothing goes back."""
    for name in ("progress", "processed_files", "total_files"):
        assert after[name] >= before[name], (name, before, after)
    for name, value in before["stats"].items():
        assert after["stats"][name] >= value, (name, before, after)
    assert (before["status"], after["status"]) != ("processing", "starting")


@contextlib.asynccontextmanager
async def opened(
    settings: Settings, watcher: Watcher | None = None, **options: Any
) -> AsyncIterator[tuple[SessionManager, Watcher]]:
    """Return an open store and its watcher, and close it at the end."""
    watcher = watcher or Watcher()
    store = SessionManager(settings, watcher.publish, watcher.forget, **options)
    await store.open()
    try:
        yield store, watcher
    finally:
        await store.close()
    for broken in watcher.broken:
        raise broken


async def recorded(store: SessionManager, session_id: str) -> list[tuple[str, str]]:
    """List (file, status) of all that the report of a session holds."""
    return [
        (row.path.decode("utf-8", "replace"), row.status)
        async for page in await store.report(session_id)
        for row in page
    ]


class Gate:
    """An async processor that waits for the test, and counts what is under way."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.under_way = 0
        self.most = 0
        self._open = asyncio.Event()
        self._changed = asyncio.Event()

    def open(self) -> None:
        self._open.set()

    def close(self) -> None:
        self._open.clear()

    async def holds(self, files: int) -> None:
        """Wait until so many files are under way."""
        while self.under_way < files:
            await self._changed.wait()

    async def __call__(self, path: Path) -> None:
        self.begun.append(path.name)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        self._changed.set()
        self._changed = asyncio.Event()
        try:
            await self._open.wait()
        finally:
            self.under_way -= 1


def die_of_poison(path: Path) -> dict[str, Any]:
    """End the worker process at some files; a worker imports it from here."""
    if path.name.startswith("poison"):
        os._exit(3)
    return {"name": path.name}


def leave(path: Path) -> None:
    """Raise what would end an interpreter."""
    raise SystemExit(f"left at {path.name}")
