"""
The catalogue in one SQLite file; see `ingest.catalogue.protocol` for what its methods promise.

Every method is one transaction in a thread of `Database`. A file's row has one key for `found` and
`outcomes` (see FILES); errors are rows of their own, numbered in each session, that point to it.
"""

import contextlib
import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain, count, islice, repeat
from pathlib import Path
from typing import Any, TypeVar

import orjson

from ingest.catalogue import migrations
from ingest.catalogue import retention as pruning
from ingest.catalogue.database import Database
from ingest.catalogue.file_search import FileSearch, find_outcome
from ingest.catalogue.records import (
    ALL_SESSIONS,
    FileFilter,
    FilePage,
    PendingFile,
    SessionFilter,
    SessionRecord,
)
from ingest.discovery import identities
from ingest.errors import NotFoundError
from ingest.outcome import OutcomeRecord, first_page
from ingest.paths import display_path
from ingest.request import IngestRequest
from ingest.session import RECENT_ERRORS, FileError, Session, Status

T = TypeVar("T")

FILES = 2**32
"""
A file's key is its session's number times this, plus its own number in the session.

One whole number is SQLite's own row key: found files and outcomes are appended in order, and a
session's are one range of it.
"""

PIECE = 5000
"""Files that a retry takes in one transaction: some 20 ms, for which a session's batch may wait."""

ROWS = 64
"""
Rows that one statement inserts.

With a statement for each, the writer's thread takes turns with a busy event loop at Python's
global lock, row by row: beside one, a batch takes twice as long. More than these gain nothing,
and a SQLite before 3.32 takes no more than 999 parameters.
"""


SESSION_COLUMNS = (
    "number, id, request, root, directory, started, status, cancelled, last_event_id, snapshot, "
    "root_identity"
)
"""Columns of `sessions` in the order of the fields of a SessionRecord."""

OUTCOME_COLUMNS = ", ".join(OutcomeRecord._fields[2:])
"""Columns of `outcomes` but for the key: the fields of a record after its number and path."""


class SQLiteCatalogue:
    """
    The SQLite file of sessions and outcomes.

    Every method is one transaction. What a method wrote is there after the process was killed.
    Raises `CatalogueError` where the file cannot be read or written; then nothing was written.
    """

    def __init__(self, path: Path) -> None:
        self._database = Database(path, migrations.load())

    def own_files(self) -> frozenset[tuple[int, int]]:
        """Return device and inode of the database and the files beside it."""
        return identities(self._database.files)

    async def open(self) -> None:
        """Open the database for this process alone; see `Database.open`."""
        await self._database.open()

    async def close(self) -> None:
        """Close the database and release its lock."""
        await self._database.close()

    async def check(self) -> None:
        """
        Write to the database without changing it, and read the newest session and outcome.

        Raises:
            CatalogueError: it cannot be written or read.
        """
        await self._database.check(_look)

    async def add_session(
        self,
        session_id: str,
        request: IngestRequest,
        root: bytes,
        directory: bytes,
        started: float,
        key: str | None,
    ) -> SessionRecord:
        """Record a new session, which survives from now on; or give the one that `key` started."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT INTO sessions"
                " (id, idempotency_key, request, root, directory, started, status)"
                " VALUES (?, ?, ?, ?, ?, ?, 'starting') ON CONFLICT (idempotency_key) DO NOTHING",
                (session_id, key, orjson.dumps(request.to_mapping()), root, directory, started),
            )

        await self._database.write(work, durable=True)
        stored = await self.session(session_id)
        if stored is None:
            assert key is not None
            stored = await self.session_of_key(key)
        assert stored is not None
        return stored

    async def session(self, session_id: str) -> SessionRecord | None:
        """Return the session with this id, or None."""
        return await self._one("id = ?", session_id)

    async def session_of_key(self, key: str) -> SessionRecord | None:
        """Return the session that a request with this idempotency key started, or None."""
        return await self._one("idempotency_key = ?", key)

    async def unfinished(self) -> list[SessionRecord]:
        """List the sessions that have to go on, the oldest first."""
        return await self._sessions("status IN ('starting', 'processing') ORDER BY number")

    async def newest(self, limit: int, wanted: SessionFilter = ALL_SESSIONS) -> list[SessionRecord]:
        """Return the sessions started last of those `wanted`, the newest first."""
        before = FILES if wanted.before is None else wanted.before
        clause = "number < ? ORDER BY number DESC"
        return await self._sessions(clause, before, wanted=wanted, limit=limit)

    async def add_found(
        self, number: int, first: int, paths: Sequence[bytes], sizes: Sequence[int] = ()
    ) -> None:
        """Record files as found, numbered from `first`; `sizes` may lack those at the end."""
        rows = zip(count(number * FILES + first), paths, chain(sizes, repeat(0)), strict=False)

        def work(connection: sqlite3.Connection) -> None:
            _insert(connection, "found (key, path, found_size)", list(rows))

        await self._database.write(work)

    async def new_paths(self, number: int, paths: Sequence[bytes]) -> list[bytes]:
        """Return those of `paths` that this session has not found yet."""
        low, high = _range(number)

        def work(connection: sqlite3.Connection) -> list[bytes]:
            query = "SELECT 1 FROM found WHERE path = ? AND key BETWEEN ? AND ?"
            return [
                path
                for path in paths
                if connection.execute(query, (path, low, high)).fetchone() is None
            ]

        return await self._database.read(work)

    async def add_failed_files(
        self, number: int, session_id: str, after: int, limit: int | None
    ) -> tuple[int, int]:
        """
        Record as found what failed in another session, from the error numbered above `after`.

        Each file gets the number of its error, so `after` is how many were added before. Gives
        how many are added now, and their bytes: none when these were all, or `limit`.

        Raises:
            NotFoundError: the other session is forgotten by now.
        """
        until = after + PIECE if limit is None else min(after + PIECE, limit)

        def work(connection: sqlite3.Connection) -> tuple[int, int]:
            added = connection.execute(
                "INSERT INTO found SELECT ? + n, path, found_size"
                " FROM errors JOIN found USING (key) WHERE session = ? AND n > ? AND n <= ?",
                (number * FILES, _number_of(connection, session_id), after, until),
            ).rowcount
            low = number * FILES + after
            return added, _total_size(connection, "found", low + 1, low + added)

        return await self._database.write(work)

    async def add_unfinished_files(
        self, number: int, session_id: str, after: int, limit: int | None, failed_too: bool
    ) -> tuple[int, int]:
        """
        Record as found the files of another session that have no outcome, in the order found.

        Raises:
            NotFoundError: the other session is forgotten by now.
        """
        room = PIECE if limit is None else min(PIECE, limit - after)
        first = number * FILES + after + 1
        failed = " OR status = 'error'" if failed_too else ""

        def work(connection: sqlite3.Connection) -> tuple[int, int]:
            low, high = _range(_number_of(connection, session_id))
            if after:  # go on behind the file that was added last
                (low,) = connection.execute(
                    "SELECT old.key FROM found AS new JOIN found AS old USING (path)"
                    " WHERE new.key = ? AND old.key BETWEEN ? AND ?",
                    (first - 1, low, high),
                ).fetchone()
            rows = connection.execute(
                "SELECT path, found_size FROM found LEFT JOIN outcomes USING (key)"
                f" WHERE found.key > ? AND found.key <= ? AND (status IS NULL{failed})"
                " ORDER BY found.key LIMIT ?",
                (low, high, room),
            ).fetchall()
            numbered = [(n, *row) for n, row in enumerate(rows, first)]
            _insert(connection, "found (key, path, found_size)", numbered)
            return len(rows), sum(size for _, size in rows)

        return await self._database.write(work)

    async def set_status(self, number: int, status: Status) -> None:
        """Record that all files are found."""
        await self._database.write(
            lambda connection: connection.execute(
                "UPDATE sessions SET status = ? WHERE number = ?", (status, number)
            )
        )

    async def set_root_identity(self, number: int, identity: str) -> None:
        """Record what the session's root is recognised by."""
        await self._database.write(
            lambda connection: connection.execute(
                "UPDATE sessions SET root_identity = ? WHERE number = ?", (identity, number)
            )
        )

    async def set_cancelled(self, number: int) -> None:
        """Record that somebody wants the session to end."""
        await self._database.write(
            lambda connection: connection.execute(
                "UPDATE sessions SET cancelled = 1 WHERE number = ?", (number,)
            ),
            durable=True,
        )

    async def finish(
        self, number: int, status: Status, ended: float, last_event_id: str, snapshot: bytes
    ) -> None:
        """Record the end of a session, and the last thing that was said of it."""
        await self._database.write(
            lambda connection: connection.execute(
                "UPDATE sessions SET status = ?, ended = ?, last_event_id = ?, snapshot = ?"
                " WHERE number = ?",
                (status, ended, last_event_id, snapshot, number),
            ),
            durable=True,
        )

    async def pending(self, number: int, after: int, limit: int) -> list[PendingFile]:
        """List files without an outcome, numbered above `after`."""
        low, high = _range(number)

        def work(connection: sqlite3.Connection) -> list[PendingFile]:
            rows = connection.execute(
                "SELECT found.key, path, found_size FROM found LEFT JOIN outcomes USING (key)"
                " WHERE found.key > ? AND found.key <= ? AND status IS NULL"
                " ORDER BY found.key LIMIT ?",
                (low + after, high, limit),
            )
            return [PendingFile(key - low, path, size or 0) for key, path, size in rows]

        return await self._database.read(work)

    async def fingerprints(
        self, paths: Sequence[bytes], root: bytes | None = None
    ) -> dict[bytes, frozenset[tuple[int, int]]]:
        """
        Return for each path the size and modification time (ns) with which it was last done.

        With `root`, not in a session of another root; of sessions that were pruned it is not known.
        """

        def work(connection: sqlite3.Connection) -> dict[bytes, frozenset[tuple[int, int]]]:
            # One that was skipped was as it had been done before. So one row is read, however
            # often the file was ingested.
            query = (
                "SELECT size, modified FROM found JOIN outcomes USING (key)"
                f" LEFT JOIN sessions ON number = found.key / {FILES}"
                " WHERE path = ? AND outcomes.status != 'error'"
                " AND (root IS NULL OR root = coalesce(?, root)) ORDER BY found.key DESC LIMIT 1"
            )
            return {
                path: frozenset(connection.execute(query, (path, root)).fetchall())
                for path in paths
            }

        return await self._database.read(work)

    async def record(
        self, number: int, outcomes: Sequence[OutcomeRecord], failed: Sequence[int], moment: float
    ) -> int:
        """
        Record a batch: its outcomes, and the numbers of the files that failed.

        Gives the number of the first error. Errors are numbered as they are written, so that a
        batch which could not be written leaves no gap.
        """
        base = number * FILES

        def work(connection: sqlite3.Connection) -> int:
            rows = [(base + n, *fields) for n, _, *fields in outcomes]
            _insert(connection, f"outcomes (key, {OUTCOME_COLUMNS})", rows)
            if not failed:
                return 0
            first = _last_error(connection, number) + 1
            connection.executemany(
                "INSERT INTO errors VALUES (?, ?, ?, ?)",
                [(number, n, base + file, moment) for n, file in enumerate(failed, first)],
            )
            return first

        return await self._database.write(work)

    async def errors_after(self, number: int, n: int, limit: int) -> tuple[list[FileError], int]:
        """
        List errors numbered above `n`, in ascending order, and tell the highest number.

        Raises:
            NotFoundError: the session is forgotten by now.
        """

        def work(connection: sqlite3.Connection) -> tuple[list[FileError], int]:
            errors = _errors(connection, number, "n > ? ORDER BY n LIMIT ?", n, limit)
            last = _last_error(connection, number)
            _check_kept(connection, number)
            return errors, last

        return await self._database.read_for_client(work)

    async def restore(self, stored: SessionRecord) -> Session:
        """Rebuild an unfinished session from what was recorded of it."""
        low, high = _range(stored.number)

        def work(connection: sqlite3.Connection) -> Session:
            session = Session(stored.id, stored.started, stored.status, request=stored.request)
            (session.total,) = connection.execute(
                "SELECT count(*) FROM found WHERE key BETWEEN ? AND ?", (low, high)
            ).fetchone()
            session.total_bytes = _total_size(connection, "found", low, high)
            finished = "found JOIN outcomes USING (key)"
            session.finished_bytes = _total_size(connection, finished, low, high)
            counts = Counter(
                dict(
                    connection.execute(
                        "SELECT status, count(*) FROM outcomes"
                        " WHERE key BETWEEN ? AND ? GROUP BY status",
                        (low, high),
                    ).fetchall()
                )
            )
            session.done, session.skipped = counts["done"], counts["skipped"]
            session.errors = counts["error"]
            session.count(_sums(connection, low, high))
            recent = _errors(connection, stored.number, "1 ORDER BY n DESC LIMIT ?", RECENT_ERRORS)
            session.recent.extend(reversed(recent))
            return session

        return await self._database.read(work)

    async def outcomes(self, number: int, after: int, limit: int) -> list[OutcomeRecord]:
        """
        List outcomes with their paths, numbered above `after`, in the order found.

        Raises:
            NotFoundError: the session is forgotten by now; what is left of it is not all.
        """
        low, high = _range(number)

        def work(connection: sqlite3.Connection) -> list[OutcomeRecord]:
            rows = connection.execute(
                f"SELECT key - ?, path, {OUTCOME_COLUMNS} FROM outcomes JOIN found USING (key)"
                " WHERE key > ? AND key <= ? ORDER BY key LIMIT ?",
                (low, low + after, high, limit),
            )
            with contextlib.closing(rows):
                recorded = first_page(map(OutcomeRecord._make, rows))
            _check_kept(connection, number)
            return recorded

        return await self._database.read_for_client(work)

    async def files(
        self, number: int, wanted: FileFilter, after: int | None, limit: int
    ) -> FilePage:
        """Return a page of the outcomes `wanted`, in steps between which others read."""
        search = FileSearch(*_range(number), wanted, after, limit)
        while not await self._database.read_for_client(search.step):
            pass
        return await self._database.read_for_client(_kept(number, search.page))

    async def outcome(self, number: int, n: int) -> OutcomeRecord:
        """Return the outcome of file `n`."""
        low, high = _range(number)
        return await self._database.read_for_client(
            _kept(number, lambda connection: find_outcome(connection, low, high, n))
        )

    async def prune(self, ended_before: float) -> list[str]:
        """
        Forget sessions that ended earlier; keep of each file the newest record of its being done.

        They are forgotten first, so that nobody meets one that is half there. Then their rows go
        in pieces, a transaction each: other sessions go on between them, and the write-ahead log
        stays small. Gives the ids of those now forgotten, a hundred at most: there may be more.
        """
        ids = await self._database.write(partial(pruning.forget, ended_before=ended_before))
        for number in await self._database.read(pruning.forgotten):
            after, high = _range(number)
            while (
                last := await self._database.write(
                    partial(pruning.prune_piece, after=after, high=high)
                )
            ) is not None:
                after = last
            await self._database.write(partial(pruning.prune_rest, number=number))
        return ids

    async def _one(self, clause: str, value: str) -> SessionRecord | None:
        found = await self._sessions(clause, value)
        return found[0] if found else None

    async def _sessions(
        self,
        clause: str,
        *values: object,
        wanted: SessionFilter = ALL_SESSIONS,
        limit: int | None = None,
    ) -> list[SessionRecord]:
        def work(connection: sqlite3.Connection) -> list[SessionRecord]:
            # Rows are read one by one, so that a page costs no more than the rows up to its end.
            rows = connection.execute(
                f"SELECT {SESSION_COLUMNS} FROM sessions WHERE {clause}", values
            )
            records = (_stored(*row) for row in rows)
            return list(islice(filter(wanted.takes, records), limit))

        read = self._database.read if limit is None else self._database.read_for_client
        return await read(work)


def _range(number: int) -> tuple[int, int]:
    return number * FILES, number * FILES + FILES - 1


def _stored(
    number: int, id_: str, request: bytes, root: bytes, directory: bytes, *rest: Any
) -> SessionRecord:
    started, status, cancelled, last_event_id, snapshot, root_identity = rest
    return SessionRecord(
        number,
        id_,
        IngestRequest.from_stored(orjson.loads(request)),
        root,
        directory,
        started,
        Status(status),
        bool(cancelled),
        last_event_id,
        snapshot,
        root_identity,
    )


def _insert(connection: sqlite3.Connection, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
    for first in range(0, len(rows), ROWS):
        some = rows[first : first + ROWS]
        place = f"({','.join('?' * len(some[0]))})"
        places = ",".join([place] * len(some))
        connection.execute(f"INSERT INTO {table} VALUES {places}", list(chain.from_iterable(some)))


def _errors(
    connection: sqlite3.Connection, number: int, clause: str, *values: int
) -> list[FileError]:
    rows = connection.execute(
        "SELECT n, path, error, time FROM errors JOIN found USING (key)"
        f" JOIN outcomes USING (key) WHERE session = ? AND {clause}",
        (number, *values),
    )
    return [FileError(n, display_path(path), message, moment) for n, path, message, moment in rows]


def _last_error(connection: sqlite3.Connection, number: int) -> int:
    query = "SELECT coalesce(max(n), 0) FROM errors WHERE session = ?"
    return int(connection.execute(query, (number,)).fetchone()[0])


def _number_of(connection: sqlite3.Connection, session_id: str) -> int:
    """Return the number of the session that is to be retried."""
    row = connection.execute("SELECT number FROM sessions WHERE id = ?", (session_id,)).fetchone()
    if row is None:
        raise NotFoundError(f"session {session_id!r}, to be retried, is forgotten by now")
    return int(row[0])


def _kept(
    number: int, read: Callable[[sqlite3.Connection], T]
) -> Callable[[sqlite3.Connection], T]:
    """Return a function that reads, and raises NotFoundError for a session that was pruned."""

    def work(connection: sqlite3.Connection) -> T:
        result = read(connection)
        _check_kept(connection, number)
        return result

    return work


def _check_kept(connection: sqlite3.Connection, number: int) -> None:
    # Asked for after what was read: a session is forgotten before the first of its rows goes.
    if not connection.execute("SELECT 1 FROM sessions WHERE number = ?", (number,)).fetchone():
        raise NotFoundError("the session is forgotten by now, its retention is over")


def _total_size(connection: sqlite3.Connection, rows: str, low: int, high: int) -> int:
    # total() is a float and so never overflows, which sum() answers with an error.
    query = f"SELECT CAST(total(found_size) AS INTEGER) FROM {rows} WHERE found.key BETWEEN ? AND ?"
    return int(connection.execute(query, (low, high)).fetchone()[0])


def _sums(connection: sqlite3.Connection, low: int, high: int) -> dict[str, int]:
    return dict(
        connection.execute(
            # total() is a float and so never overflows, which sum() answers with an error.
            "SELECT counter.key, CAST(total(counter.value) AS INTEGER)"
            " FROM outcomes, json_each(counters) AS counter"
            " WHERE outcomes.key BETWEEN ? AND ? GROUP BY counter.key",
            (low, high),
        ).fetchall()
    )


def _look(connection: sqlite3.Connection) -> None:
    for table in ("sessions ORDER BY number", "outcomes ORDER BY key", "found ORDER BY key"):
        connection.execute(f"SELECT * FROM {table} DESC LIMIT 1").fetchone()
