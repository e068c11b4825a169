"""
Who may use a database file, and whether it is one: locks, links, owner and content.

A database has two locks, both by `flock` for as long as the process lives: one on a file beside it,
which has the owner's pid, and one on the database's own inode, which holds if the file beside it is
removed. SQLite's own locks are dropped with each transaction. They are of another kind, and all of
them are dropped when any descriptor of the file is closed: so the descriptor that is locked is
opened before SQLite's and closed after them.
"""

import contextlib
import errno
import fcntl
import os
import sqlite3
import stat
import time
from collections.abc import Sequence
from pathlib import Path

from ingest.errors import CatalogueBusyError, CatalogueError

PRIVATE = 0o600
"""The mode of new files: paths, hashes and metadata are for the service's user alone."""

CHECK_SECONDS = 2.0
"""Time for the integrity check; of a file that takes longer the rest is not checked."""

CHECK_STEPS = 100_000
"""Instructions of SQLite between two looks at the clock."""

REMEDY = "name another file with INGEST_DATABASE (--database)"


def take_lock(path: Path) -> int:
    """
    Lock the file beside the database, and return its descriptor.

    Raises:
        CatalogueError: another process holds it, or it cannot be opened.
    """
    lock = _open(Path(f"{path}-lock"), path)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        owner = os.read(lock, 20).decode("ascii", "replace").strip() or "unknown"
        os.close(lock)
        user = f"another process (pid {owner}): stop that one"
        if owner == str(os.getpid()):
            user = "another application in this process: end its lifespan first"
        raise CatalogueError(f"the catalogue {path} is in use by {user}, or {REMEDY}") from None
    with contextlib.suppress(OSError):  # a full disk: the lock holds without the note in it
        os.truncate(lock, 0)
        os.write(lock, f"{os.getpid()}\n".encode())
    return lock


def lock_inode(path: Path) -> int:
    """
    Create the database if it does not exist, lock its inode, and return the descriptor.

    Raises:
        CatalogueError: another process uses it, or it has another name.
    """
    own = _open(path, path)
    links = os.fstat(own).st_nlink
    if links > 1:
        os.close(own)
        raise CatalogueError(
            f"the catalogue {path} cannot be opened: it is a hard link, and SQLite would keep a "
            f"log for each of its {links} names; copy the file to one name, or {REMEDY}"
        )
    try:
        fcntl.flock(own, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(own)
        raise CatalogueError(
            f"the catalogue {path} is in use by another process, though its lock file is not; "
            f"stop that one, or {REMEDY}"
        ) from None
    return own


def _open(file: Path, database: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        fd = os.open(file, flags, PRIVATE)
    except OSError as error:
        reason = error.strerror
        if error.errno == errno.ELOOP:
            reason = f"{file.name} is a symbolic link"
        raise CatalogueError(
            f"the catalogue {database} cannot be opened: {reason}; name a file in a folder "
            "that can be written with INGEST_DATABASE (--database)"
        ) from error
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise CatalogueError(
            f"the catalogue {database} cannot be opened: {file.name} is not a regular file; "
            f"{REMEDY}"
        )
    return fd


def check_schema(connection: sqlite3.Connection, migrations: Sequence[str], version: int) -> None:
    """
    Reject a database that another program made, or whose schema is not that of its version.

    Raises:
        sqlite3.DatabaseError: a table or a column is missing.
    """
    found = _columns(connection)
    if version == 0:
        if found:
            raise sqlite3.DatabaseError(
                f"it is the database of another program (table {min(found)[0]!r})"
            )
        return
    with contextlib.closing(sqlite3.connect(":memory:")) as model:
        model.executescript(";\n".join(migrations[:version]))
        missing = _columns(model) - found
    if missing:
        table, column = min(missing)
        raise sqlite3.DatabaseError(
            f"it has no column {column!r} in a table {table!r}, as schema version {version} has: "
            "it is the database of another program, or of an unreleased version"
        )


def check_integrity(connection: sqlite3.Connection) -> None:
    """
    Reject a damaged database, as far as its pages can be read within CHECK_SECONDS.

    Raises:
        sqlite3.DatabaseError: naming the first damage.
    """
    until = time.monotonic() + CHECK_SECONDS
    connection.set_progress_handler(lambda: time.monotonic() > until, CHECK_STEPS)
    try:
        (result,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError:
        if time.monotonic() <= until:
            raise
        return
    finally:
        connection.set_progress_handler(None, 0)
    if result != "ok":
        damage = " ".join(result.split())
        raise sqlite3.DatabaseError(f"it is damaged ({damage}); restore a backup")


BUSY = frozenset({"SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_NOMEM", "SQLITE_CANTOPEN"})
"""Primary results of SQLite that pass: a lock of another program, no memory, no descriptor."""


def failure(verb: str, error: Exception) -> CatalogueError:
    """Return the error for a transaction that failed: one that passes, or one that does not."""
    name = getattr(error, "sqlite_errorname", "")
    is_busy = isinstance(error, MemoryError) or any(name.startswith(each) for each in BUSY)
    kind = CatalogueBusyError if is_busy else CatalogueError
    return kind(f"the catalogue cannot be {verb}: {error or 'out of memory'}")


def identity(path: Path) -> tuple[int, int] | None:
    """Return device and inode of a file, or None if it does not exist."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _columns(connection: sqlite3.Connection) -> set[tuple[str, str]]:
    return set(
        connection.execute(
            "SELECT tables.name, columns.name FROM sqlite_master AS tables"
            " JOIN pragma_table_info(tables.name) AS columns"
            " WHERE tables.type = 'table' AND tables.name NOT LIKE 'sqlite!_%' ESCAPE '!'"
        )
    )
