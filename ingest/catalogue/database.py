"""
One SQLite file, owned by one process: a thread that writes, two threads that read, a lock.

The journal is a write-ahead log, https://www.sqlite.org/wal.html, so that readers and the writer
do not wait for one another.
"""

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from ingest.catalogue.ownership import (
    PRIVATE,
    check_integrity,
    check_schema,
    failure,
    identity,
    lock_inode,
    take_lock,
)
from ingest.errors import CatalogueError

T = TypeVar("T")

WAL_LIMIT = 16 * 1024 * 1024
"""Bytes to which the log is cut back; SQLite folds it into the file every 4 MB or so."""

BUSY_SECONDS = 5.0
"""Wait for a lock that another program (a backup, a shell) holds on the file."""


class Database:
    """
    A SQLite file that this process has to itself.

    All work is a function of a connection. What writes runs in one thread, each call in a
    transaction of its own: it is in the file, whole, when the call returns, and a killed process
    leaves it whole or absent. A power cut may take the last transactions with it, unless they
    were `durable`: those are flushed to the disk first (`synchronous=FULL`).

    What reads for running sessions and what reads for clients have a thread each, so that no
    download holds up a session.

    `migrations` are the SQL scripts of the schema, in order; their count is its version, which the
    file keeps as `user_version`. An older file is migrated when it is opened, in one transaction,
    after a copy of it was written beside it (`<name>.v<version>.bak`).
    """

    def __init__(self, path: Path, migrations: Sequence[str]) -> None:
        self.path = Path(os.path.abspath(path))
        self._migrations = tuple(migrations)
        self._locks: list[int] = []
        self._identities: list[tuple[int, int] | None] = []
        self._writing: sqlite3.Connection | None = None
        self._reading: sqlite3.Connection | None = None
        self._writer: ThreadPoolExecutor | None = None
        self._reader: ThreadPoolExecutor | None = None
        self._reading_for_clients: sqlite3.Connection | None = None
        self._reader_for_clients: ThreadPoolExecutor | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """The files of the open database: its lock and copies of older versions too."""
        older = range(1, len(self._migrations))
        suffixes = ("", "-wal", "-shm", "-journal", "-lock", *(f".v{n}.bak" for n in older))
        return tuple(Path(f"{self.path}{suffix}") for suffix in suffixes)

    async def open(self) -> None:
        """
        Lock and open the file; create it if it does not exist.

        Raises:
            CatalogueError: another process has it, or it cannot be read or written.
        """
        self._writer = ThreadPoolExecutor(1, "ingest-catalogue-writer")
        self._reader = ThreadPoolExecutor(1, "ingest-catalogue-reader")
        self._reader_for_clients = ThreadPoolExecutor(1, "ingest-catalogue-clients")
        try:
            await asyncio.get_running_loop().run_in_executor(self._writer, self._open)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Wait for what is being written, and give the file back."""
        loop = asyncio.get_running_loop()
        for name in ("_reader_for_clients", "_reader", "_writer"):
            executor = getattr(self, name)
            if executor is not None:
                setattr(self, name, None)
                await loop.run_in_executor(executor, getattr(self, f"_close{name}"))
                executor.shutdown()  # it has nothing left to do, so this takes no time

    async def write(self, work: Callable[[sqlite3.Connection], T], *, durable: bool = False) -> T:
        """
        Run `work` in a transaction.

        Raises:
            CatalogueError: nothing of it was written.
        """
        return await self._run(self._writer, lambda: self._write(work, durable))

    async def check(self, look: Callable[[sqlite3.Connection], object]) -> None:
        """
        Write the version of the schema, which changes nothing, to the disk; read with `look`.

        Raises:
            CatalogueError: the file cannot be written, flushed or read.
        """
        version = f"PRAGMA user_version = {len(self._migrations)}"
        await self.write(lambda connection: connection.execute(version), durable=True)
        await self.read(look)
        await self.read_for_client(look)

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """
        Run `work`, which sees what was written when it began to look.

        Raises:
            CatalogueError: the file cannot be read.
        """
        return await self._run(self._reader, lambda: _read(self._reading, work))

    async def read_for_client(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """
        Run `work` like `read`, in the thread of reads that sessions do not wait for.

        Raises:
            CatalogueError: the file cannot be read.
        """
        return await self._run(
            self._reader_for_clients, lambda: _read(self._reading_for_clients, work)
        )

    async def _run(self, threads: ThreadPoolExecutor | None, call: Callable[[], T]) -> T:
        if threads is None:
            raise CatalogueError("the catalogue is closed")
        return await asyncio.get_running_loop().run_in_executor(threads, call)

    def _open(self) -> None:
        # By a link and by its own name it is one file, which has one lock and one owner.
        self.path = Path(os.path.realpath(self.path))
        self._locks.append(take_lock(self.path))
        self._locks.append(lock_inode(self.path))
        try:
            self._writing = self._connect(self._check_file)
            self._prepare(self._writing)
            self._reading = self._connect_to_read()
            self._reading_for_clients = self._connect_to_read()
            self._identities = self._identify()
        except (sqlite3.Error, OSError) as error:
            raise CatalogueError(
                f"the catalogue {self.path} cannot be opened: {error}; mend or move the file, "
                "or name another one with INGEST_DATABASE (--database)"
            ) from error

    def _identify(self) -> list[tuple[int, int] | None]:
        """Return what the database and its write-ahead log are at the moment."""
        return [identity(self.path), identity(Path(f"{self.path}-wal"))]

    def _connect(
        self, check: Callable[[sqlite3.Connection], object] | None = None
    ) -> sqlite3.Connection:
        """Connect; `check` sees the file before anything of it is changed."""
        connection = sqlite3.connect(
            self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            if check is not None:
                check(connection)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(f"PRAGMA journal_size_limit = {WAL_LIMIT}")
        except sqlite3.Error:  # no database, say
            connection.close()
            raise
        return connection

    def _connect_to_read(self) -> sqlite3.Connection:
        connection = self._connect()
        connection.execute("PRAGMA query_only = ON")
        return connection

    def _check_file(self, connection: sqlite3.Connection) -> None:
        newest = len(self._migrations)
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if not 0 <= version <= newest:
            raise sqlite3.DatabaseError(
                f"its schema has version {version}, and this program supports up to {newest}; "
                "use the newer program, or restore the copy made before its upgrade"
            )
        check_schema(connection, self._migrations, version)
        check_integrity(connection)

    def _prepare(self, connection: sqlite3.Connection) -> None:
        newest = len(self._migrations)
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if 0 < version < newest:
            _copy(connection, Path(f"{self.path}.v{version}.bak"))
        # Also without anything to migrate: an open must fail for a file that cannot be written.
        scripts = ";\n".join(self._migrations[version:])
        try:
            connection.executescript(
                f"BEGIN IMMEDIATE;\n{scripts};\nPRAGMA user_version = {newest};\nCOMMIT"
            )
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _write(self, work: Callable[[sqlite3.Connection], T], durable: bool) -> T:
        assert self._writing is not None
        connection = self._writing
        try:
            if self._identify() != self._identities:
                raise CatalogueError(f"the catalogue {self.path.name} was removed or replaced")
            if durable:
                connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN IMMEDIATE")
            result = work(connection)
            connection.execute("COMMIT")
        except (sqlite3.Error, OSError, MemoryError) as error:
            raise failure("written", error) from error
        finally:
            with contextlib.suppress(sqlite3.Error):
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                if durable:
                    connection.execute("PRAGMA synchronous = NORMAL")
        return result

    def _close_reader_for_clients(self) -> None:
        if self._reading_for_clients is not None:
            self._reading_for_clients.close()
            self._reading_for_clients = None

    def _close_reader(self) -> None:
        if self._reading is not None:
            self._reading.close()
            self._reading = None

    def _close_writer(self) -> None:
        if self._writing is not None:
            with contextlib.suppress(sqlite3.Error):
                self._writing.close()
            self._writing = None
        for lock in self._locks:
            os.close(lock)
        self._locks.clear()


def _read(connection: sqlite3.Connection | None, work: Callable[[sqlite3.Connection], T]) -> T:
    if connection is None:
        raise CatalogueError("the catalogue is closed")
    try:
        return work(connection)
    except (sqlite3.Error, MemoryError) as error:
        raise failure("read", error) from error


def _copy(connection: sqlite3.Connection, target: Path) -> None:
    """Copy the database to `target`, which is replaced only by a whole copy."""
    partial = Path(f"{target}.partial")
    partial.unlink(missing_ok=True)
    os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE))
    with contextlib.closing(sqlite3.connect(partial)) as copy:
        connection.backup(copy)
    partial.replace(target)
