"""
The sessions of a cluster as the routes see them (`web.sessions.Sessions`), on any replica.

States: new -> open -> closed. A replica owns no session and runs no file: it starts sessions, reads
them, ends them, and feeds the channels of those that are watched here. While the database cannot
be reached, calls raise CatalogueError, streams stay open, and all goes on by itself afterwards.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from cluster.change import SessionEndedError
from cluster.database import Database
from cluster.feed import Feed
from cluster.jobs import JobQueue
from cluster.ledger import Ledger
from cluster.opening import open_database
from cluster.reader import LedgerReader
from cluster.starter import Place, SessionStarter
from cluster.tasks import stop
from cluster.wakeups import WakeUpListener, WakeUpSender
from ingest.catalogue.records import ALL_SESSIONS, SessionFilter
from ingest.errors import CatalogueError
from ingest.execution.select import check_settings
from ingest.manager import FILE_THREADS, SessionStatistics
from ingest.queries import SessionQueries
from ingest.request import IngestRequest
from ingest.session import Status
from ingest.settings import Settings
from sse import Channel

logger = logging.getLogger("cluster")

CONNECTIONS = 3
"""Connections of a replica in its pool; one more listens for wake-ups."""

NO_WORKER = "no worker is alive; start one with `ingest-stream worker`"
"""Why a session waits, as its snapshot shows it."""

COUNT_SECONDS = 2.0
"""Seconds between two counts of the cluster's sessions and workers."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Running sessions by status, and workers, of the whole cluster."""

    running: dict[str, int]
    workers: int


class ClusterSessions:
    """The sessions in the database of `settings`, for one process."""

    def __init__(self, settings: Settings) -> None:
        root = Path(os.path.abspath(settings.root))
        self._settings = settings
        self._root = root
        self._database = Database(str(settings.database), CONNECTIONS)
        self._jobs = JobQueue(self._database)
        self._sender = WakeUpSender(self._database)
        self._reader = LedgerReader(self._database)
        self._feed = Feed(self._reader, settings.min_interval)
        self._ledger = Ledger(self._database, self._jobs, self._sender.send)
        self._starter = SessionStarter(
            self._database, self._jobs, self._sender.send, settings.max_sessions
        )
        self._threads = ThreadPoolExecutor(FILE_THREADS, "ingest-files")
        self._queries = SessionQueries(self._reader, self._threads, root)
        self._cleanup = contextlib.AsyncExitStack()
        self._counts = Counts({}, 0)
        self._recount = asyncio.Event()
        self._waiting: set[int] = set()
        self.errors_after = self._queries.errors_after
        self.files = self._queries.files
        self.outcome = self._queries.outcome
        self.report = self._queries.report
        self.directories = self._queries.directories

    @property
    def running(self) -> int:
        """The number of sessions of the cluster that have not ended, as counted last."""
        return sum(self._counts.running.values())

    def statistics(self) -> SessionStatistics:
        """Return how many sessions of the cluster run; files are counted by the workers."""
        return SessionStatistics(self._counts.running, {}, {}, 0)

    def observe(self, delivered: Callable[[bytes], None]) -> None:
        """Call `delivered` with each snapshot, once it was put into its channel."""
        self._feed.observe(delivered)

    async def check(self) -> None:
        """Raise an IngestError if a session that is started now could not be recorded."""
        await self._database.check()

    async def open(self) -> None:
        """
        Connect, and create the schema in an empty database.

        Raises:
            SettingsError: the root is not a directory, or the URL is malformed.
            CatalogueError: the database cannot be reached, or has another schema.
        """
        check_settings(self._settings)
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(self._threads.shutdown, wait=False, cancel_futures=True)
            await open_database(self._database, stack)
            await self._jobs.open()
            listener = WakeUpListener(self._database, self._feed.receive, self._feed.look)
            for work in (self._sender.run, listener.run, self._feed.run, self._count):
                stack.push_async_callback(stop, asyncio.create_task(work()))
            self._cleanup = stack.pop_all()

    async def close(self) -> None:
        """Close the connections; the sessions go on."""
        await self._cleanup.aclose()

    async def start(self, request: IngestRequest, key: str | None = None) -> str:
        """
        Start a session and return its id; a repeated `key` returns the first session's id.

        Raises:
            InvalidRequestError, NotFoundError, ForbiddenError: the request cannot be fulfilled.
            TooManySessionsError: as many sessions run in the cluster as the settings allow.
            CatalogueError: nothing was started, or that is unknown: repeat it with its key.
        """
        root = os.fsencode(self._root)
        if key and (earlier := await self._starter.earlier(request, root, key)):
            return earlier
        directory = b"."
        if request.retry_of is None:
            directory = await self._queries.resolve(request.directory)
        else:
            await self._queries.check_retry(request.retry_of)
        status = await asyncio.get_running_loop().run_in_executor(
            self._threads, os.stat, self._root
        )
        place = Place(root, status.st_ino, directory)
        # A client that disconnects now must not leave it unknown whether the session was started.
        starting = asyncio.create_task(self._starter.start(request, place, key))
        starting.add_done_callback(lambda _: self._recount.set())
        return await asyncio.shield(starting)

    async def cancel(self, session_id: str) -> bool:
        """
        End a session as cancelled; return False if it has ended already.

        Raises:
            NotFoundError: no session has this id.
            CatalogueError: the cancellation could not be recorded.
        """
        self._recount.set()
        return await self._ledger.cancel((await self._reader.frame(session_id)).session)

    async def channel(self, session_id: str) -> Channel:
        """Return the channel of a session; raise NotFoundError if no session has this id."""
        return self._feed.channel(await self._reader.frame(session_id))

    async def newest(self, wanted: SessionFilter = ALL_SESSIONS) -> tuple[list[bytes], int | None]:
        """Return a page of snapshots, the newest first, and the number to begin the next before."""
        records, following = await self._queries.newest(wanted)
        return [record.snapshot for record in records if record.snapshot], following

    async def _count(self) -> None:
        """Count sessions and workers until cancelled: often, and after each start."""
        while True:
            self._recount.clear()
            with contextlib.suppress(CatalogueError):
                rows = await self._database.fetch(
                    "SELECT status, count(*) FROM progress WHERE NOT terminal GROUP BY status"
                )
                running = {str(status): 0 for status in Status if not status.terminal}
                workers = await self._jobs.workers()
                if workers:
                    self._waiting.clear()
                elif not self._counts.workers:  # none at the last count either
                    await self._show_waiting()
                self._counts = Counts(running | dict(rows), workers)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(COUNT_SECONDS):
                    await self._recount.wait()

    async def _show_waiting(self) -> None:
        """Show in each session that runs that no worker is alive, once."""
        rows = await self._database.fetch("SELECT session FROM progress WHERE NOT terminal")
        for (number,) in rows:
            if number not in self._waiting:
                self._waiting.add(number)
                with contextlib.suppress(SessionEndedError):
                    await self._ledger.wait(number, NO_WORKER)
