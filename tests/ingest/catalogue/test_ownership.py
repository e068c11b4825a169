"""Which files are taken for a catalogue, and who may have them."""

import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from ingest.catalogue import migrations, ownership
from ingest.catalogue.database import Database
from ingest.errors import CatalogueError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ingest.db"


async def opens(path: Path) -> None:
    """Open and close the catalogue at `path`."""
    database = Database(path, migrations.load())
    await database.open()
    await database.close()


async def refusal(path: Path) -> str:
    """Return why the catalogue at `path` is refused, which is one line."""
    with pytest.raises(CatalogueError) as told:
        await opens(path)
    assert "\n" not in str(told.value)
    assert "--database" in str(told.value)
    return str(told.value)


def execute(path: Path, sql: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(sql)


async def test_file_of_another_program_is_refused(path: Path) -> None:
    """A SQLite file with tables of another program is left as it is, at every version."""
    for version in (0, 1, 2):
        execute(path, f"CREATE TABLE IF NOT EXISTS bookmarks (url); PRAGMA user_version={version}")
        before = path.read_bytes()
        assert "another program" in await refusal(path)
        assert path.read_bytes() == before


async def test_table_without_a_column_is_refused(path: Path) -> None:
    """A catalogue of an unreleased version is refused at its start, not at the first request."""
    await opens(path)
    execute(path, "ALTER TABLE sessions DROP COLUMN snapshot")
    assert "no column 'snapshot' in a table 'sessions'" in await refusal(path)


async def test_damaged_file_is_refused(path: Path) -> None:
    """A page that was overwritten is found at the start; what is left of the file is kept."""
    await opens(path)
    execute(
        path,
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 5000)"
        " INSERT INTO found (key, path) SELECT x, x || 'path' FROM n",
    )
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2 : len(damaged) // 2 + 8192] = b"\xa5" * 8192
    path.write_bytes(damaged)
    assert "restore a backup" in await refusal(path) or "malformed" in await refusal(path)


async def test_integrity_check_has_a_deadline(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is too large to be checked in time is opened without the rest of the check."""
    monkeypatch.setattr(ownership, "CHECK_SECONDS", -1.0)
    monkeypatch.setattr(ownership, "CHECK_STEPS", 1)
    await opens(path)


async def test_hard_link_is_refused(path: Path) -> None:
    """Each name would have a log of its own, and each log would miss what is in the other."""
    await opens(path)
    os.link(path, path.with_name("other.db"))
    assert "hard link" in await refusal(path)


@pytest.mark.parametrize("suffix", ["-lock", ""])
async def test_link_is_not_written_through(path: Path, suffix: str) -> None:
    """A link in the place of the lock file leads nowhere; the database's own is resolved before."""
    target = path.with_name("precious")
    target.write_text("mine")
    Path(f"{path}{suffix}").symlink_to(target)
    text = await refusal(path)
    assert "symbolic link" in text or "not a database" in text
    assert target.read_text() == "mine"


async def test_removed_lock_file_makes_no_second_owner(path: Path) -> None:
    """The lock on the database's own inode holds without the file beside it."""
    first = Database(path, migrations.load())
    await first.open()
    Path(f"{path}-lock").unlink()
    assert "in use" in await refusal(path)
    await first.close()


async def test_removed_log_is_noticed(path: Path) -> None:
    """What is written after that would be lost with the removed file."""
    database = Database(path, migrations.load())
    await database.open()
    Path(f"{path}-wal").unlink()
    with pytest.raises(CatalogueError, match="removed or replaced"):
        await database.write(lambda connection: connection.execute("DELETE FROM sessions"))
    await database.close()


async def test_files_are_private(path: Path) -> None:
    """Nobody else may read names, hashes and metadata, whatever the umask is."""
    before = os.umask(0)
    try:
        database = Database(path, migrations.load())
        await database.open()
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
        await database.close()
    finally:
        os.umask(before)
    assert set(modes.values()) == {0o600}
    assert len(modes) == 4
