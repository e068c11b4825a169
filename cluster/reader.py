"""
Reading sessions, their files and outcomes; see `ingest.catalogue.protocol.CatalogueReader`.

`found` and `outcomes` of a range are read by their primary keys, one after the other, and compared
here: rows that were just written have no statistics, and a planned join of them took seconds.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from cluster.change import StoredFrame
from cluster.database import Database
from cluster.file_search import find_files
from cluster.outcomes import SELECTED
from cluster.roots import root_key
from ingest.catalogue.records import (
    ALL_SESSIONS,
    FileFilter,
    FilePage,
    PendingFile,
    SessionFilter,
    SessionRecord,
)
from ingest.errors import NotFoundError
from ingest.outcome import OutcomeRecord
from ingest.paths import display_path
from ingest.request import IngestRequest
from ingest.session import FileError, Status

FRAME = "session, version, terminal, event_id, frame"

SESSION = (
    "SELECT number, id, request, root, directory, started, status, event_id, frame"
    " FROM sessions JOIN progress ON session = number WHERE NOT pruned"
)

PAGE = 200
"""Sessions read at a time while those of a filter are looked for."""

WINDOW = 5000
"""Files of a range that are compared at a time."""


@dataclass(frozen=True, slots=True)
class SessionJob:
    """What a job needs to know of its session."""

    id: str
    request: IngestRequest
    root: bytes
    root_key: str
    directory: bytes
    status: Status


@dataclass(frozen=True, slots=True)
class PendingFiles:
    """Files without an outcome, ascending, and the number from which more may follow, or None."""

    files: list[PendingFile]
    following: int | None


class LedgerReader:
    """Reads what the ledger recorded."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def frame(self, session_id: str) -> StoredFrame:
        """
        Return the newest frame of a session.

        Raises:
            NotFoundError: the session does not exist.
        """
        rows = []
        if _is_id(session_id):
            rows = await self._database.fetch(
                f"SELECT {FRAME} FROM progress JOIN sessions ON number = session"
                " WHERE id = %s AND NOT pruned",
                session_id,
            )
        if not rows:
            raise NotFoundError(f"no session {session_id!r}; it may have expired")
        return StoredFrame(*rows[0])

    async def newer_frames(self, versions: Mapping[int, int]) -> list[StoredFrame]:
        """Return the frames of those sessions, by number, that have a higher version."""
        rows = await self._database.fetch(
            f"SELECT {FRAME} FROM progress JOIN unnest(%s::bigint[], %s::bigint[])"
            " AS known(number, seen) ON session = number AND version > seen",
            list(versions), list(versions.values()),
        )  # fmt: skip
        return [StoredFrame(*row) for row in rows]

    async def session(self, session_id: str) -> SessionRecord | None:
        """Return the session with this id, or None."""
        if not _is_id(session_id):
            return None
        rows = await self._database.fetch(f"{SESSION} AND id = %s", session_id)
        return _record(rows[0]) if rows else None

    async def session_job(self, number: int) -> SessionJob | None:
        """Return what a job needs to know of a session, or None if it does not exist."""
        rows = await self._database.fetch(
            "SELECT id, request, root, root_inode, directory, status"
            " FROM sessions JOIN progress ON session = number WHERE number = %s",
            number,
        )
        for session_id, request, root, inode, directory, status in rows:
            return SessionJob(
                session_id,
                _request(request),
                root,
                root_key(root, int(inode)),
                directory,
                Status(status),
            )
        return None

    async def unfinished(self) -> list[SessionRecord]:
        """Return the sessions that have not ended, the oldest first."""
        rows = await self._database.fetch(f"{SESSION} AND ended IS NULL ORDER BY number")
        return [_record(row) for row in rows]

    async def newest(self, limit: int, wanted: SessionFilter = ALL_SESSIONS) -> list[SessionRecord]:
        """Return the sessions started last of those `wanted`, the newest first."""
        found: list[SessionRecord] = []
        before = wanted.before
        statuses = [str(status) for status in wanted.statuses]
        while len(found) < limit:
            rows = await self._database.fetch(
                f"{SESSION} AND (%s::bigint IS NULL OR number < %s)"
                " AND (%s::text[] = '{}' OR status = ANY(%s)) ORDER BY number DESC LIMIT %s",
                before, before, statuses, statuses, PAGE,
            )  # fmt: skip
            found.extend(filter(wanted.takes, map(_record, rows)))
            if len(rows) < PAGE:
                break
            before = rows[-1][0]
        return found[:limit]

    async def errors_after(self, number: int, n: int, limit: int) -> tuple[list[FileError], int]:
        """
        Return errors numbered above `n`, ascending, and the number of the last error.

        Raises:
            NotFoundError: the session was pruned.
        """
        await self._check_kept(number)
        rows = await self._database.fetch(
            "SELECT errors.n, path, error, time FROM errors"
            " JOIN found ON found.session = errors.session AND found.n = file"
            " JOIN outcomes ON outcomes.session = errors.session AND outcomes.n = file"
            " WHERE errors.session = %s AND errors.n > %s ORDER BY errors.n LIMIT %s",
            number, n, limit,
        )  # fmt: skip
        ((last,),) = await self._database.fetch(
            "SELECT coalesce(max(n), 0) FROM errors WHERE session = %s", number
        )
        errors = [FileError(n, display_path(path), error, at) for n, path, error, at in rows]
        return errors, int(last)

    async def outcomes(self, number: int, after: int, limit: int) -> list[OutcomeRecord]:
        """
        Return outcomes numbered above `after`, ascending.

        Raises:
            NotFoundError: the session was pruned.
        """
        await self._check_kept(number)
        rows = await self._database.fetch(
            f"SELECT n, path, {SELECTED} FROM outcomes JOIN found USING (session, n)"
            " WHERE session = %s AND n > %s ORDER BY n LIMIT %s",
            number, after, limit,
        )  # fmt: skip
        return [OutcomeRecord(*row) for row in rows]

    async def files(
        self, number: int, wanted: FileFilter, after: int | None, limit: int
    ) -> FilePage:
        """
        Return a page of the outcomes `wanted`; see `CatalogueReader.files`.

        Raises:
            NotFoundError: the session was pruned.
            InvalidRequestError: file `after` has no outcome to go on from.
        """
        await self._check_kept(number)
        return await find_files(self._database, number, wanted, after, limit)

    async def outcome(self, number: int, n: int) -> OutcomeRecord:
        """
        Return the outcome of file `n`.

        Raises:
            NotFoundError: it has none, or the session was pruned.
        """
        outcomes = await self.outcomes(number, n - 1, 1)
        if not outcomes or outcomes[0].n != n:
            raise NotFoundError(f"file {n} has no outcome; it is not finished, or there is none")
        return outcomes[0]

    async def pending(self, number: int, low: int, high: int, limit: int) -> PendingFiles:
        """Return the first files without an outcome, some `limit` of them, from `low` to `high`."""
        pending: list[PendingFile] = []
        for first, last in _windows(low, high):
            if len(pending) >= limit:
                return PendingFiles(pending, first)
            done = {n for (n,) in await self._within("n", "outcomes", number, first, last)}
            found = await self._within("n, path, size", "found", number, first, last)
            pending.extend(PendingFile(*file) for file in found if file[0] not in done)
        return PendingFiles(pending, None)

    async def fingerprints(
        self, root: bytes, paths: Sequence[bytes]
    ) -> Mapping[bytes, frozenset[tuple[int, int]]]:
        """Return for each path the size and modification time (ns) with which it was last done."""
        rows = await self._database.fetch(
            "SELECT wanted.path, last.size, last.modified FROM unnest(%s::bytea[]) AS wanted(path),"
            " LATERAL (SELECT outcomes.size, modified FROM found JOIN outcomes USING (session, n)"
            " JOIN sessions ON sessions.number = session"
            " WHERE found.path = wanted.path AND root = %s AND status = 'done'"
            " ORDER BY session DESC LIMIT 1) AS last",
            list(paths), root,
        )  # fmt: skip
        return {path: frozenset({(size, modified)}) for path, size, modified in rows}

    async def failed_files(self, number: int, after: int) -> tuple[dict[bytes, int], int | None]:
        """Return files that failed, with their sizes, and the error after which more may follow."""
        rows = await self._database.fetch(
            "SELECT errors.n, path, size FROM errors JOIN found"
            " ON found.session = errors.session AND found.n = file"
            " WHERE errors.session = %s AND errors.n > %s ORDER BY errors.n LIMIT %s",
            number, after, WINDOW,
        )  # fmt: skip
        return {path: size for _, path, size in rows}, rows[-1][0] if rows else None

    async def unfinished_files(
        self, number: int, after: int, *, failed_too: bool
    ) -> tuple[dict[bytes, int], int | None]:
        """
        Return files without an outcome, with their sizes, and the number after which more follow.

        With `failed_too`, those that failed are among them.
        """
        first, last = after + 1, after + WINDOW
        outcomes = await self._within("n, status", "outcomes", number, first, last)
        taken = {n for n, status in outcomes if not (failed_too and status == "error")}
        found = await self._within("n, path, size", "found", number, first, last)
        files = {path: size for n, path, size in found if n not in taken}
        return files, found[-1][0] if found else None

    async def _within(
        self, columns: str, table: str, number: int, first: int, last: int
    ) -> list[tuple[Any, ...]]:
        return await self._database.fetch(
            f"SELECT {columns} FROM {table} WHERE session = %s AND n BETWEEN %s AND %s ORDER BY n",
            number, first, last,
        )  # fmt: skip

    async def _check_kept(self, number: int) -> None:
        if not await self._database.fetch(
            "SELECT 1 FROM sessions WHERE number = %s AND NOT pruned", number
        ):
            raise NotFoundError("the session has expired")


def _is_id(text: str) -> bool:
    """Return whether the database takes the text: no NUL, and nothing that is not UTF-8."""
    return text.isascii() and text.isprintable()


def _windows(low: int, high: int) -> Iterator[tuple[int, int]]:
    for first in range(low, high + 1, WINDOW):
        yield first, min(high, first + WINDOW - 1)


def _record(row: tuple[Any, ...]) -> SessionRecord:
    number, session_id, request, root, directory, started, status, event_id, frame = row
    return SessionRecord(
        number,
        session_id,
        _request(request),
        root,
        directory,
        started,
        Status(status),
        status == Status.CANCELLED,
        event_id,
        frame,
    )


def _request(stored: str) -> IngestRequest:
    return IngestRequest.from_stored(orjson.loads(stored))
