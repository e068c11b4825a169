"""Migrations: which database is upgraded, what is kept of it, and what stays if one fails."""

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ingest.catalogue import migrations
from ingest.catalogue.database import Database
from ingest.catalogue.sqlite import FILES, SQLiteCatalogue
from ingest.errors import CatalogueError
from ingest.outcome import OutcomeRecord

FIRST = "CREATE TABLE t (x)"
SECOND = "ALTER TABLE t ADD COLUMN y DEFAULT 7"
BROKEN = "CREATE TABLE u (x); INSERT INTO nowhere VALUES (1)"

RELEASED = (
    "2818895d0930d2c2c0b0a84e1be96c7cf395bb65539c91a3f028a1c4f79d0d79",
    "d25beaf264316387d4c6f350f04337299f3683ad9af7d0d6900bd02c9fed4efa",
    "cf7fb93599459377dc77b3a3081f9ba9e4cef0dd768c252cf9f820d8d3c95375",
    "0731d9da79dfbb8221cfd2b73b7a41164e72ce180b38fee2444a3df56dddd020",
)
"""The SHA-256 of each released migration: an edit would leave old databases without it."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ingest.db"


async def create(path: Path, *scripts: str) -> None:
    database = Database(path, scripts)
    await database.open()
    await database.close()


def query(path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def execute(path: Path, sql: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(sql)


async def test_new_database_runs_every_migration(path: Path) -> None:
    """A new file has the newest version, and no copy is made of it."""
    await create(path, FIRST, SECOND)
    assert query(path, "PRAGMA user_version") == [(2,)]
    assert query(path, "SELECT x, y FROM t") == []
    assert not list(path.parent.glob("*.bak"))


async def test_older_database_is_migrated_after_a_copy(path: Path) -> None:
    """Its rows are kept, and the file as it was before stands beside it."""
    await create(path, FIRST)
    execute(path, "INSERT INTO t VALUES (1)")
    await create(path, FIRST, SECOND)
    assert query(path, "SELECT x, y FROM t") == [(1, 7)]
    copy = path.with_name("ingest.db.v1.bak")
    assert query(copy, "PRAGMA user_version") == [(1,)]
    assert query(copy, "SELECT * FROM t") == [(1,)]


async def test_database_of_the_newest_version_is_not_copied(path: Path) -> None:
    """The second open with the same migrations changes nothing."""
    await create(path, FIRST, SECOND)
    await create(path, FIRST, SECOND)
    assert not list(path.parent.glob("*.bak"))


async def test_migration_that_fails_leaves_the_database_as_it_was(path: Path) -> None:
    """No statement of a failed migration stays, and the program of before still opens the file."""
    await create(path, FIRST)
    with pytest.raises(CatalogueError, match="cannot be opened: no such table: nowhere"):
        await create(path, FIRST, SECOND, BROKEN)
    assert query(path, "PRAGMA user_version") == [(1,)]
    assert query(path, "SELECT name FROM sqlite_master") == [("t",)]
    await create(path, FIRST)


async def test_newer_database_is_refused_with_the_remedy(path: Path) -> None:
    """An older program changes nothing in a newer file."""
    await create(path, FIRST, SECOND)
    text = "schema has version 2, and this program supports up to 1; use the newer program"
    with pytest.raises(CatalogueError, match=text):
        await create(path, FIRST)
    assert query(path, "PRAGMA user_version") == [(2,)]


async def test_copy_is_one_of_the_databases_own_files(path: Path) -> None:
    """An ingest of the folder in which the database lies leaves its copies out."""
    await create(path, FIRST)
    await create(path, FIRST, SECOND)
    assert set(path.parent.iterdir()) <= set(Database(path, (FIRST, SECOND)).files)


async def test_database_of_version_1_opens(path: Path) -> None:
    """A catalogue made by the first release is read by this one."""
    await create(path, migrations.load()[0])
    execute(
        path,
        "INSERT INTO sessions (id, request, root, directory, started, status, ended, snapshot)"
        " VALUES ('s', '{}', x'2f', x'2e', 1.0, 'completed', 2.0, '{}')",
    )
    catalogue = SQLiteCatalogue(path)
    await catalogue.open()
    try:
        assert [session.id for session in await catalogue.newest(10)] == ["s"]
    finally:
        await catalogue.close()


async def test_outcomes_of_version_1_have_no_warning(path: Path) -> None:
    """What an older version recorded of a file is reported as it was."""
    await create(path, migrations.load()[0])
    execute(
        path,
        "INSERT INTO sessions (number, id, request, root, directory, started, status)"
        " VALUES (1, 's', '{}', x'2f', x'2e', 1.0, 'completed')",
    )
    execute(path, f"INSERT INTO found VALUES ({FILES + 1}, x'61')")
    execute(path, f"INSERT INTO outcomes (key, status, size) VALUES ({FILES + 1}, 'done', 7)")
    catalogue = SQLiteCatalogue(path)
    await catalogue.open()
    try:
        assert await catalogue.outcomes(1, 0, 9) == [OutcomeRecord(1, b"a", "done", size=7)]
    finally:
        await catalogue.close()


def test_released_migrations_are_not_edited() -> None:
    """A change of the schema is a new migration with its hash added here."""
    hashes = tuple(hashlib.sha256(sql.encode()).hexdigest() for sql in migrations.load())
    assert hashes == RELEASED
