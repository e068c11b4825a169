"""
One change of a session: a transaction under the lock of the session's row in `progress`.

The caller moves the pure `Session` on; at the end of the transaction it is stored with its next
version, its event id and its frame. Versions rise under the lock, so no process reads an older
state after a newer one. A session that has ended accepts no change.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import orjson

from cluster import state
from cluster.database import Connection, Database
from cluster.roots import root_key
from ingest.errors import IngestError
from ingest.progress import Moment
from ingest.publisher import escape_line_separators
from ingest.session import Session, Status

TIMELINE = "ltrim(substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8), '0')"
"""
The database's timeline (PostgreSQL's manual, 26.3.5), part of each event id.

A standby that was promoted without the last changes counts versions again, on another timeline: no
event id then stands for two frames.
"""


class SessionEndedError(IngestError):
    """The session has ended; nothing more is recorded of it."""


class StaleFinderError(IngestError):
    """Another finder has taken over the session."""


@dataclass(frozen=True, slots=True)
class FileRange:
    """
    Files of a session, numbered from `low` to `high`: the work of one job.

    `turn` is how many ranges the session had with this one; `root_key` is that of its root.
    """

    session: int
    root_key: str
    low: int
    high: int
    turn: int


@dataclass(frozen=True, slots=True)
class StoredFrame:
    """A session's snapshot as JSON, with the version of its row and the id of its event."""

    session: int
    version: int
    terminal: bool
    event_id: str
    json: bytes


@dataclass(slots=True)
class Change:
    """A session whose row is locked, and what the transaction makes of it."""

    connection: Connection
    number: int
    root_key: str
    run_id: str
    session: Session
    now: Moment
    version: int
    find_epoch: int
    handed_out: int
    ranges: int
    stored: StoredFrame | None = None

    def next_range(self, size: int) -> FileRange | None:
        """Return the next `size` files as a range; None if all are handed out."""
        if self.handed_out >= self.session.total:
            return None
        low = self.handed_out + 1
        self.handed_out = min(self.session.total, self.handed_out + size)
        return self.turn(low, self.handed_out)

    def turn(self, low: int, high: int) -> FileRange:
        """Return a range of files, and count it."""
        self.ranges += 1
        return FileRange(self.number, self.root_key, low, high, self.ranges)


@asynccontextmanager
async def change(
    database: Database, number: int, epoch: int | None = None
) -> AsyncIterator[Change]:
    """
    Lock a session, let the caller move it on, and store it with its next version.

    Args:
        database: the database of the session.
        number: the session's number.
        epoch: the epoch of the finder that makes the change, if a finder does.

    Raises:
        SessionEndedError: it has ended, or does not exist.
        StaleFinderError: `epoch` is not that of its newest finder, or all files are found.
        CatalogueError: nothing was stored, or that is unknown.
    """
    async with database.transaction() as connection:
        made = await _lock(connection, number)
        if epoch is not None:
            _check_finder(made, epoch)
        yield made
        session = made.session
        if session.status is Status.PROCESSING and session.processed >= session.total:
            session.finish(Status.COMPLETED, made.now)
        made.stored = await _store(made)


async def now(connection: Connection) -> Moment:
    """
    Return the time of the database's clock, the only one that all processes share.

    It stands for the steady clock too, of which each host has another.
    """
    cursor = await connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
    (moment,) = await cursor.fetchone() or (0.0,)
    return Moment(float(moment), float(moment))


async def insert(connection: Connection, number: int, run_id: str, session: Session) -> StoredFrame:
    """Store a new session with its first version."""
    frame = frame_of(session, Moment(session.start_time, session.start_time))
    cursor = await connection.execute(
        "INSERT INTO progress (session, version, status, terminal, find_epoch, handed_out, ranges,"
        f" event_id, state, frame) VALUES (%s, 1, %s, false, 0, 0, 0, %s || {TIMELINE} || '-1',"
        " %s, %s) RETURNING event_id".encode(),
        (number, session.status, run_id, state.encode(session), frame),
    )
    (event_id,) = await cursor.fetchone() or ("",)
    return StoredFrame(number, 1, False, event_id, frame)


def frame_of(session: Session, moment: Moment) -> bytes:
    """Return the session's snapshot as JSON, for an event."""
    return escape_line_separators(orjson.dumps(session.snapshot(moment)))


def _check_finder(made: Change, epoch: int) -> None:
    if epoch != made.find_epoch:
        raise StaleFinderError(f"finder {epoch} was replaced by finder {made.find_epoch}")
    if made.session.status is not Status.STARTING:
        raise StaleFinderError("all files of the session are found already")


async def _lock(connection: Connection, number: int) -> Change:
    cursor = await connection.execute(
        "SELECT terminal, root, root_inode, run_id, state, version, find_epoch, handed_out, ranges"
        " FROM progress JOIN sessions ON number = session WHERE session = %s"
        " FOR UPDATE OF progress",
        (number,),
    )
    row = await cursor.fetchone()
    if row is None or row[0]:
        raise SessionEndedError(f"session number {number} has ended")
    _, root, inode, run_id, stored, *counts = row
    # Read after the lock was waited for: the time never goes back from one version to the next.
    moment = await now(connection)
    key = root_key(root, int(inode))
    return Change(connection, number, key, run_id, state.decode(stored), moment, *counts)


async def _store(made: Change) -> StoredFrame:
    session, version = made.session, made.version + 1
    terminal = session.status.terminal
    frame = frame_of(session, made.now)
    cursor = await made.connection.execute(
        "UPDATE progress SET version = %s, status = %s, terminal = %s, find_epoch = %s,"
        " handed_out = %s, ranges = %s, state = %s, frame = %s,"
        f" event_id = %s || {TIMELINE} || '-' || %s WHERE session = %s RETURNING event_id".encode(),
        (version, session.status, terminal, made.find_epoch, made.handed_out, made.ranges,
         state.encode(session), frame, made.run_id, str(version), made.number),
    )  # fmt: skip
    (event_id,) = await cursor.fetchone() or ("",)
    if terminal:
        await made.connection.execute(
            "UPDATE sessions SET ended = %s WHERE number = %s", (made.now.wall, made.number)
        )
    return StoredFrame(made.number, version, terminal, event_id, frame)
