"""The SQLite file: who may have it, what a write guarantees, and what happens when it fails."""

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ingest.catalogue import database as database_module
from ingest.catalogue.database import WAL_LIMIT, Database
from ingest.errors import CatalogueBusyError, CatalogueError
from tests.support.running import run

SCHEMA = "CREATE TABLE IF NOT EXISTS t (x)"

OWNER = """
import asyncio, os, sys
from pathlib import Path
from ingest.catalogue.database import Database

async def main():
    if sys.argv[2:] and os.getuid() == 0:
        os.setuid(int(sys.argv[2]))
    await Database(Path(sys.argv[1]), ["CREATE TABLE IF NOT EXISTS t (x)"]).open()
    print("open", flush=True)
    sys.stdin.read()

asyncio.run(main())
"""


@asynccontextmanager
async def opened(path: Path, *migrations: str) -> AsyncIterator[Database]:
    database = Database(path, migrations or (SCHEMA,))
    await database.open()
    try:
        yield database
    finally:
        await database.close()


async def add(database: Database, value: object) -> None:
    await database.write(lambda sql: sql.execute("INSERT INTO t VALUES (?)", (value,)))


async def count(database: Database) -> int:
    (number,) = await database.read(lambda sql: sql.execute("SELECT count(*) FROM t").fetchone())
    return int(number)


def size(path: Path) -> int:
    return path.stat().st_size


def descriptors() -> list[str]:
    links = (f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd"))
    return sorted(os.readlink(link) for link in links if os.path.lexists(link))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ingest.db"


async def test_what_was_written_is_there_after_the_next_open(path: Path) -> None:
    """The file is made where there is none, and kept where there is one."""
    async with opened(path) as database:
        await add(database, 1)
    async with opened(path) as database:
        assert await count(database) == 1


@pytest.mark.parametrize("error", [sqlite3.IntegrityError("not so"), ValueError("mine")])
async def test_write_that_raises_leaves_nothing(path: Path, error: Exception) -> None:
    """A transaction is whole or absent, whatever ends it, and the next one is not harmed."""

    def work(sql: sqlite3.Connection) -> None:
        sql.execute("INSERT INTO t VALUES (1)")
        raise error

    async with opened(path) as database:
        with pytest.raises((CatalogueError, ValueError)):
            await database.write(work, durable=True)
        assert await count(database) == 0
        await add(database, 1)
        assert await count(database) == 1


async def test_flush_is_for_durable_writes_alone(path: Path) -> None:
    """A session's start waits for the disk; a batch does not, also after a durable one failed."""

    def level(sql: sqlite3.Connection) -> int:
        return int(sql.execute("PRAGMA synchronous").fetchone()[0])

    def fail(sql: sqlite3.Connection) -> None:
        raise sqlite3.OperationalError

    async with opened(path) as database:
        assert await database.write(level, durable=True) == 2
        assert await database.write(level) == 1
        with pytest.raises(CatalogueError):
            await database.write(fail, durable=True)
        assert await database.write(level) == 1


async def test_reader_cannot_write(path: Path) -> None:
    """What writes goes through the one writer."""
    async with opened(path) as database:
        with pytest.raises(CatalogueError, match="readonly"):
            await database.read(lambda sql: sql.execute("INSERT INTO t VALUES (1)"))


async def test_reading_does_not_wait_for_a_write(path: Path) -> None:
    """A page can be read while a transaction is open, and sees what was there before it."""
    begun, go_on = threading.Event(), threading.Event()

    def work(sql: sqlite3.Connection) -> None:
        sql.execute("INSERT INTO t VALUES (1)")
        begun.set()
        go_on.wait()

    async with opened(path) as database:
        task = asyncio.ensure_future(database.write(work))
        await asyncio.to_thread(begun.wait)
        assert await count(database) == 0
        go_on.set()
        await task
        assert await count(database) == 1


async def test_second_instance_is_told_who_has_the_file(path: Path) -> None:
    """Within one process, too: the line names the owner and the way out."""
    async with opened(path) as database:
        with pytest.raises(
            CatalogueError, match=r"in use .* in this process: end its lifespan .*--database"
        ):
            async with opened(path):
                pass
        await add(database, 1)


async def test_link_to_a_file_is_that_file(path: Path) -> None:
    """Whoever has it by one name has it by all, and what lies beside it is beside the file."""
    link = path.parent / "links" / "linked.db"
    link.parent.mkdir()
    link.symlink_to(path)

    async with opened(link) as database:
        await add(database, 1)
        assert path in database.files
        with pytest.raises(CatalogueError, match="in use"):
            async with opened(path):
                pass
    assert list(link.parent.iterdir()) == [link]


def test_file_is_found_from_another_working_directory(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative name means what it meant when it was given."""
    monkeypatch.chdir(path.parent)
    database = Database(Path(path.name), [SCHEMA])
    monkeypatch.chdir("/")

    async def main() -> None:
        await database.open()
        await add(database, 1)
        await database.close()

    run(main())
    assert path.exists()


def test_owner_that_is_killed_gives_the_file_back(path: Path) -> None:
    """The lock ends with its process, even by SIGKILL, and what was written is there."""
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3],
    )  # fmt: skip

    async def main() -> None:
        with pytest.raises(CatalogueError, match=rf"in use by another .*\(pid {owner.pid}\)"):
            async with opened(path):
                pass
        owner.kill()
        owner.wait()
        async with opened(path) as database:
            await add(database, 1)

    with owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"open\n"
        run(main())


@pytest.mark.parametrize("what", ["corrupt", "newer", "folder", "nowhere", "dot"])
def test_file_that_cannot_be_used_is_told_in_one_line(
    path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """The start stops with what is wrong and which setting mends it, and leaves nothing open."""
    monkeypatch.chdir(path.parent)
    if what == "corrupt":
        path.write_bytes(b"not a database " * 100)
    elif what == "newer":
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA user_version = 99")
        connection.close()
    elif what == "folder":
        path.mkdir()
    elif what == "nowhere":
        path = path / "deeper"
    else:
        path = Path()
    before = descriptors()

    async def main() -> None:
        with pytest.raises(CatalogueError, match=r"cannot be opened: .*--database") as told:
            async with opened(path):
                pass
        assert "\n" not in str(told.value)

    run(main())
    assert descriptors() == before


def test_folder_that_cannot_be_written_is_told(path: Path) -> None:
    """Root may write anywhere, so this is asked of a child that is nobody."""
    path.parent.chmod(0o555)
    for parent in (path.parent.parent, path.parent.parent.parent):
        parent.chmod(0o755)
    child = subprocess.run(
        [sys.executable, "-c", OWNER, str(path), "65534"],
        stdin=subprocess.DEVNULL, capture_output=True, check=False,
        cwd=Path(__file__).parents[3],
    )  # fmt: skip
    last = child.stderr.decode().strip().splitlines()[-1]
    assert "cannot be opened: Permission denied; name a file in a folder that can be" in last


def replace(path: Path) -> None:
    path.rename(path.with_suffix(".old"))
    path.touch()


@pytest.mark.parametrize("change", [Path.unlink, replace])
async def test_file_that_is_gone_is_not_written_to(
    path: Path, change: Callable[[Path], None]
) -> None:
    """A write into a file that nobody can find any more would be lost in silence."""
    async with opened(path) as database:
        await add(database, 1)
        change(path)
        with pytest.raises(CatalogueError, match="was removed or replaced"):
            await add(database, 2)
        assert await count(database) == 1


async def test_full_disk_is_told_and_passes(path: Path) -> None:
    """What did not fit was not written; when there is room again, writes succeed."""
    async with opened(path) as database:
        pages = await database.write(
            lambda sql: sql.execute("PRAGMA max_page_count = 1").fetchone()[0]
        )
        with pytest.raises(CatalogueError, match="full"):
            await add(database, "x" * 100_000)
        assert await count(database) == 0
        await database.write(lambda sql: sql.execute(f"PRAGMA max_page_count = {pages + 100}"))
        await add(database, "x" * 100_000)
        assert await count(database) == 1


async def test_foreign_lock_is_waited_for_and_then_told(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program may lock the file for a while; without end it is an error, not a hang."""
    monkeypatch.setattr(database_module, "BUSY_SECONDS", 0.01)

    async with opened(path) as database:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(CatalogueBusyError, match="locked"):
            await add(database, 1)
        other.execute("ROLLBACK")
        other.close()
        await add(database, 2)
        assert await count(database) == 1


def test_log_is_folded_into_the_file(path: Path) -> None:
    """The write-ahead log stays small over many writes, and is gone after the close."""
    log = path.with_name("ingest.db-wal")
    sizes: list[int] = []

    async def main() -> None:
        async with opened(path) as database:
            for _ in range(100):
                await add(database, "x" * 400_000)
            sizes.extend(map(size, (path, log)))

    run(main())
    assert sizes[0] > 2 * WAL_LIMIT
    assert sizes[1] <= WAL_LIMIT
    assert not log.exists()


def test_closed_database_refuses_and_holds_nothing(path: Path) -> None:
    """No descriptor and no thread is left, and closing twice does no harm."""
    before = descriptors()

    async def main() -> None:
        async with opened(path) as database:
            await add(database, 1)
        await database.close()
        for call in (add(database, 2), count(database)):
            with pytest.raises(CatalogueError, match="closed"):
                await call

    run(main())
    assert descriptors() == before
    assert not [t for t in threading.enumerate() if t.name.startswith("ingest-catalogue")]


async def test_files_are_those_that_there_are_beside_it(path: Path) -> None:
    """All that SQLite and the lock make are named, so that a session can leave them out."""
    async with opened(path) as database:
        await add(database, 1)
        assert set(path.parent.iterdir()) <= set(database.files)
