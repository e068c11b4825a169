"""The sessions as the routes see them: one small protocol, and the one in this process."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor
from typing import Any, Protocol

from ingest.catalogue.protocol import Catalogue
from ingest.catalogue.records import (
    ALL_FILES,
    ALL_SESSIONS,
    FileFilter,
    FilePage,
    SessionFilter,
)
from ingest.errors import NotFoundError
from ingest.execution.protocol import Backend
from ingest.manager import SessionManager, SessionStatistics
from ingest.outcome import AsyncProcessor, OutcomeRecord, Processor
from ingest.publisher import EncodedSnapshot
from ingest.request import IngestRequest
from ingest.session import FileError
from ingest.settings import Settings
from sse import Channel, Frame


class Sessions(Protocol):
    """
    What the routes ask of the sessions.

    Another implementation, over a message broker say, gives channels that it feeds itself; then
    any replica can serve any stream. Methods raise `ingest.IngestError`s, whose `status` tells
    the client whose fault it is.
    """

    @property
    def running(self) -> int:
        """How many sessions are not at their end."""

    async def open(self) -> None:
        """Open, and resume interrupted sessions."""

    async def close(self) -> None:
        """Stop, so that the next `open` can go on."""

    async def start(self, request: IngestRequest, key: str | None = None) -> str:
        """Start a session and give its id; a repeated `key` gives the first one's."""

    async def cancel(self, session_id: str) -> bool:
        """Cancel a session; return False if it has ended already."""

    async def channel(self, session_id: str) -> Channel:
        """Return the channel of a session, which has its newest frame, and closed when it ended."""

    async def newest(self, wanted: SessionFilter = ALL_SESSIONS) -> tuple[list[bytes], int | None]:
        """Return a page of snapshots, the newest first, and the number to begin the next before."""

    async def errors_after(self, session_id: str, n: int) -> tuple[list[FileError], int]:
        """Return errors numbered above `n`, at most 1000, and the number of all errors."""

    async def files(
        self, session_id: str, wanted: FileFilter, after: int | None, limit: int
    ) -> FilePage:
        """Return a page of the outcomes `wanted`, from the one that follows file `after`."""

    async def outcome(self, session_id: str, n: int) -> OutcomeRecord:
        """Return what is recorded of file `n`."""

    async def report(
        self, session_id: str, wanted: FileFilter = ALL_FILES
    ) -> AsyncIterator[Sequence[OutcomeRecord]]:
        """Return what is recorded of each file `wanted`, a page at a time."""

    async def directories(self, path: str, after: str | None = None) -> dict[str, Any]:
        """List the folders in `path`, from the one that follows `after`."""

    async def check(self) -> None:
        """Raise an `IngestError` if a session that is started now could not run."""

    def statistics(self) -> SessionStatistics:
        """Count sessions and files."""

    def observe(self, delivered: Callable[[bytes], None]) -> None:
        """Call `delivered` with each snapshot, once it has been put into its channel."""


class LocalSessions:
    """The sessions of this process: the store of `ingest`, its snapshots put into channels."""

    def __init__(
        self,
        settings: Settings,
        *,
        process: Processor | AsyncProcessor | None = None,
        executor: Executor | None = None,
        catalogue: Catalogue | None = None,
        backend: Backend | None = None,
    ) -> None:
        self._channels: dict[str, Channel] = {}
        store = SessionManager(
            settings,
            self._publish,
            self._forget,
            process=process,
            executor=executor,
            catalogue=catalogue,
            backend=backend,
        )
        self._store = store
        self.open = store.open
        self.close = store.close
        self.start = store.start
        self.cancel = store.cancel
        self.errors_after = store.errors_after
        self.files = store.files
        self.outcome = store.outcome
        self.report = store.report
        self.directories = store.directories
        self.check = store.check
        self.statistics = store.statistics
        self._delivered: Callable[[bytes], None] | None = None

    @property
    def running(self) -> int:
        return self._store.running

    def observe(self, delivered: Callable[[bytes], None]) -> None:
        self._delivered = delivered

    async def channel(self, session_id: str) -> Channel:
        channel = self._channels.get(session_id)
        if channel is not None:
            return channel
        stored = await self._store.finished(session_id)
        if stored.snapshot is not None and stored.last_event_id is not None:
            return Channel(Frame.of(stored.snapshot, id=stored.last_event_id), closed=True)
        # Recorded a moment ago, it may have begun to run since it was looked for here.
        channel = self._channels.get(session_id)
        if channel is None:
            raise NotFoundError(f"session {session_id!r} is in the catalogue, but does not run")
        return channel

    async def newest(self, wanted: SessionFilter = ALL_SESSIONS) -> tuple[list[bytes], int | None]:
        snapshots = []
        # One that ends while the catalogue is read has no snapshot there yet, and no channel then.
        before = dict(self._channels)
        records, following = await self._store.newest(wanted)
        for stored in records:
            channel = self._channels.get(stored.id) or before.get(stored.id)
            if channel is not None and channel.newest is not None:
                snapshots.append(channel.newest.data)
            elif stored.snapshot is not None:
                snapshots.append(stored.snapshot)
        return snapshots, following

    def _publish(self, session_id: str, encoded: EncodedSnapshot, *, last: bool) -> None:
        channel = self._channels.get(session_id)
        if channel is None or channel.closed:  # closed: interrupted, and now resumed
            channel = Channel(call_soon=asyncio.get_running_loop().call_soon)
            self._channels[session_id] = channel
        channel.publish(Frame.of(encoded.json, id=encoded.event_id), last=last)
        if self._delivered is not None:
            self._delivered(encoded.json)

    def _forget(self, session_id: str) -> None:
        self._channels.pop(session_id, None)
