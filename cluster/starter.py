"""Starting a session: its rows, its first frame and its first job, in one transaction."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

import orjson

from cluster.change import StoredFrame, insert, now
from cluster.database import Connection, Database
from cluster.ledger import Jobs
from cluster.roots import root_key
from ingest.errors import InvalidRequestError, TooManySessionsError
from ingest.request import IngestRequest
from ingest.session import Session

START_LOCK = 7_236_837_112
"""The key of the advisory lock under which running sessions are counted."""


@dataclass(frozen=True, slots=True)
class Place:
    """The ingest root with the number of its inode, and the directory below it."""

    root: bytes
    inode: int
    directory: bytes


class SessionStarter:
    """Starts sessions; at most `limit` run at once in the whole cluster."""

    def __init__(
        self,
        database: Database,
        jobs: Jobs,
        announce: Callable[[StoredFrame], None],
        limit: int,
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._announce = announce
        self._limit = limit

    async def earlier(self, request: IngestRequest, root: bytes, key: str) -> str | None:
        """
        Return the id of the session that `key` started, or None.

        Raises:
            InvalidRequestError: the key was used for another request.
        """
        async with self._database.connection() as connection:
            return await _earlier(connection, request, root, key)

    async def start(self, request: IngestRequest, place: Place, key: str | None) -> str:
        """
        Record a session, add its job to find files, and return its id.

        A repeated `key` returns the id of the session that it started, whatever the limit.

        Raises:
            InvalidRequestError: the key was used for another request.
            TooManySessionsError: as many sessions run as may.
        """
        async with self._database.transaction() as connection:
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", (START_LOCK,))
            if key and (earlier := await _earlier(connection, request, place.root, key)):
                return earlier
            await self._check_limit(connection)
            started = (await now(connection)).wall
            session = Session(secrets.token_urlsafe(12), started, request=request)
            run_id = secrets.token_hex(4)
            cursor = await connection.execute(
                "INSERT INTO sessions (id, idempotency_key, request, root, root_inode, directory,"
                " run_id, started) VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING number",
                (session.id, key, _fields(request), place.root, str(place.inode), place.directory,
                 run_id, session.start_time),
            )  # fmt: skip
            (number,) = await cursor.fetchone() or (0,)
            stored = await insert(connection, number, run_id, session)
            await self._jobs.add_find(connection, number, root_key(place.root, place.inode))
        self._announce(stored)
        return session.id

    async def _check_limit(self, connection: Connection) -> None:
        cursor = await connection.execute("SELECT count(*) FROM sessions WHERE ended IS NULL")
        (running,) = await cursor.fetchone() or (0,)
        if running >= self._limit:
            raise TooManySessionsError(
                f"too many sessions are running (limit {self._limit}); retry when one has ended"
            )


async def _earlier(
    connection: Connection, request: IngestRequest, root: bytes, key: str
) -> str | None:
    cursor = await connection.execute(
        "SELECT id, request, root FROM sessions WHERE idempotency_key = %s", (key,)
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    session_id, fields, earlier_root = row
    if (IngestRequest.from_stored(orjson.loads(fields)), earlier_root) != (request, root):
        raise InvalidRequestError(
            {"Idempotency-Key": "already used for another request; use a new key"}
        )
    return str(session_id)


def _fields(request: IngestRequest) -> str:
    # A name's NUL is refused by the request, and JSON escapes all others.
    return orjson.dumps(request.to_mapping()).decode()
