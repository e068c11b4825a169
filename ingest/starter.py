"""
Starting sessions, once for each idempotency key, and resuming sessions that were interrupted.

Concurrent calls with one key wait for one another: the first starts the session and the others
return its id. The limit of sessions covers those that run and those that are being started.
"""

import asyncio
import secrets
import time
from weakref import WeakValueDictionary

from ingest.active import ActiveSessions
from ingest.catalogue.protocol import Catalogue
from ingest.catalogue.records import SessionRecord
from ingest.errors import InvalidRequestError, TooManySessionsError
from ingest.queries import SessionQueries
from ingest.request import IngestRequest
from ingest.session import Session


class SessionStarter:
    """Starts and resumes sessions."""

    def __init__(
        self,
        catalogue: Catalogue,
        root: bytes,
        active: ActiveSessions,
        queries: SessionQueries,
        max_sessions: int,
    ) -> None:
        self._catalogue = catalogue
        self._root = root
        self._active = active
        self._queries = queries
        self._max_sessions = max_sessions
        self._starting = 0
        self._locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    async def start(self, request: IngestRequest, key: str | None) -> str:
        """Start a session and return its id, or the id of the session that `key` started."""
        if key is None:
            return await self._start_within_limit(request, None)
        # The first of several concurrent calls is recorded before the others look for its key, or
        # they would count against the limit.
        async with self._locks.setdefault(("start", key), asyncio.Lock()):
            if earlier := await self._catalogue.session_of_key(key):
                self._check_same(earlier, request)
                if not earlier.status.terminal:
                    await self.resume(earlier.id)
                return earlier.id
            return await self._start_within_limit(request, key)

    async def resume(self, session_id: str) -> None:
        """Run an unfinished session again if it does not run: its catalogue had failed."""
        # Two concurrent calls, one to start and one to cancel, must not run a session twice.
        async with self._locks.setdefault(("resume", session_id), asyncio.Lock()):
            if session_id in self._active:
                return
            record = await self._queries.session(session_id)
            if not record.status.terminal:
                await self._active.resume(record)

    async def _start_within_limit(self, request: IngestRequest, key: str | None) -> str:
        if len(self._active) + self._starting >= self._max_sessions:
            raise TooManySessionsError(
                f"too many sessions are running (limit {self._max_sessions}); "
                "retry when one has ended"
            )
        self._starting += 1
        try:
            return await self._start(request, key)
        finally:
            self._starting -= 1

    async def _start(self, request: IngestRequest, key: str | None) -> str:
        directory = b"."
        if request.retry_of is None:
            directory = await self._queries.resolve(request.directory)
        else:
            await self._queries.check_retry(request.retry_of)
        session = Session(secrets.token_urlsafe(12), time.time(), request=request)
        record = await self._catalogue.add_session(
            session.id, request, self._root, directory, session.start_time, key
        )
        if record.id == session.id:
            self._active.run(record, session)
        else:  # another process recorded the same key first
            self._check_same(record, request)
        return record.id

    def _check_same(self, earlier: SessionRecord, request: IngestRequest) -> None:
        if earlier.request != request or earlier.root != self._root:
            raise InvalidRequestError(
                {"Idempotency-Key": "already used for another request; use a new key"}
            )
