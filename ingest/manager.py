"""
The session manager: all sessions of one application, from `open` to `close`.

States: new -> open -> closed. What exists only while the manager is open is in one object, made by
`open`: the backend, the active sessions, their starter and the queries. A call before `open` or
after `close` raises CatalogueError. `web.sessions` is the caller; every method runs on one event
loop.

Guarantees: `open` resumes every unfinished session of its root; a session that `start` returned
survives the process; `close` interrupts sessions so that the next `open` resumes them.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ingest.active import ActiveSessions
from ingest.catalogue.protocol import Catalogue
from ingest.catalogue.records import (
    ALL_FILES,
    ALL_SESSIONS,
    FileFilter,
    FilePage,
    SessionFilter,
    SessionRecord,
)
from ingest.catalogue.sqlite import SQLiteCatalogue
from ingest.daemon_threads import DaemonThreads
from ingest.errors import CatalogueError
from ingest.execution.protocol import Backend
from ingest.execution.select import select_backend
from ingest.outcome import AsyncProcessor, OutcomeRecord, Processor
from ingest.pruning import prune_expired
from ingest.publisher import Publish
from ingest.queries import SessionQueries
from ingest.request import IngestRequest
from ingest.resources import SharedResources
from ingest.session import FileError, Status
from ingest.settings import Settings
from ingest.starter import SessionStarter

logger = logging.getLogger("ingest")

FILE_THREADS = 32
"""Threads for calls that block on the file system; each is started when it is first needed."""

LOOK_THREADS = 16
"""Threads that look at folders for pickers: sessions and starts do not wait for these."""

START_THREADS = 16
"""Threads that look at the directory of a session that is started."""


@dataclass(frozen=True, slots=True)
class SessionStatistics:
    """Running and ended sessions by status; files by outcome, and bytes, since the start."""

    running: Mapping[str, int]
    ended: Mapping[str, int]
    files: Mapping[str, int]
    bytes: int


@dataclass(frozen=True, slots=True)
class OpenState:
    """What exists while a session manager is open."""

    resources: SharedResources
    active: ActiveSessions
    queries: SessionQueries
    starter: SessionStarter


class SessionManager:
    """
    The sessions of one process: active sessions in memory, all sessions in the catalogue.

    `publish` receives every snapshot, encoded, in order; `forget` the id of a session whose last
    snapshot can be read from the catalogue. Without `catalogue` the SQLite catalogue at
    `settings.database` is used, and without `backend` the one that suits the processor.
    """

    def __init__(
        self,
        settings: Settings,
        publish: Publish,
        forget: Callable[[str], None],
        *,
        process: Processor | AsyncProcessor | None = None,
        executor: Executor | None = None,
        catalogue: Catalogue | None = None,
        backend: Backend | None = None,
    ) -> None:
        # The host may change its working directory later.
        root = Path(os.path.abspath(settings.root))
        self._settings = replace(settings, root=root)
        self._publish = publish
        self._forget = forget
        self._process = process
        self._executor = executor
        self._root = os.fsencode(root)
        self._catalogue: Catalogue = catalogue or SQLiteCatalogue(Path(settings.database))
        self._backend = backend
        self._cleanup = contextlib.AsyncExitStack()
        self._state: OpenState | None = None

    @property
    def running(self) -> int:
        """The number of sessions that have not ended."""
        return len(self._state.active) if self._state else 0

    def statistics(self) -> SessionStatistics:
        """Return how many sessions run, and what was done since the start."""
        opened = self._opened()
        totals, running = opened.resources.totals, opened.active.statuses()
        return SessionStatistics(
            {status: running.count(status) for status in Status if not status.terminal},
            {status: totals.ended[status] for status in Status if status.terminal},
            {"done": totals.done, "skipped": totals.skipped, "error": totals.errors},
            totals.bytes,
        )

    async def check(self) -> None:
        """Raise an IngestError if the catalogue, the root or the workers do not work."""
        opened = self._opened()
        await self._catalogue.check()
        await opened.queries.resolve(".")
        await opened.resources.backend.check()

    async def open(self) -> None:
        """
        Open the catalogue, start the workers, and resume every session that was interrupted.

        A session with another root is not resumed: its files are not below this root, and all of
        them would be recorded as missing.

        Raises:
            CatalogueError: the catalogue cannot be opened.
            SettingsError: the root is not a directory, or the processor cannot be loaded.
        """
        async with contextlib.AsyncExitStack() as stack:
            threads = _threads(FILE_THREADS, "files", stack)
            backend = self._backend or await select_backend(
                self._settings, self._process, self._executor, threads, stack
            )
            stack.push_async_callback(self._catalogue.close)
            await self._catalogue.open()
            looking = _threads(LOOK_THREADS, "looks", stack)
            starting = _threads(START_THREADS, "starts", stack)
            self._state = self._open_state(backend, threads, looking, starting)
            stack.push_async_callback(self._state.active.stop)
            await self._resume_all(self._state.active)
            pruning = asyncio.create_task(prune_expired(self._catalogue, self._settings.retention))
            stack.callback(pruning.cancel)
            self._cleanup = stack.pop_all()

    async def close(self) -> None:
        """Interrupt every session, to be resumed at the next start, and end the workers."""
        await self._cleanup.aclose()

    async def start(self, request: IngestRequest, key: str | None = None) -> str:
        """
        Start a session and return its id; a repeated `key` returns the first session's id.

        Raises:
            InvalidRequestError, NotFoundError, ForbiddenError: the request cannot be fulfilled.
            TooManySessionsError: as many sessions run as the settings allow.
            CatalogueError: nothing was started.
        """
        # A client that disconnects now must not leave a session that is recorded and not run, nor
        # release its key's lock before the session runs.
        return await asyncio.shield(asyncio.create_task(self._opened().starter.start(request, key)))

    async def cancel(self, session_id: str) -> bool:
        """
        End a session as cancelled; return False if it has ended already.

        Raises:
            NotFoundError: no session has this id.
            CatalogueError: the cancellation could not be recorded.
        """
        opened = self._opened()
        active = opened.active.get(session_id)
        if active is not None and not active.session.status.terminal:
            record = active.record
        else:
            if active is not None:  # its end is being recorded or published
                await asyncio.wait([active.task])
            record = await opened.queries.session(session_id)
            if record.status.terminal:
                return False
        await self._catalogue.set_cancelled(record.number)
        await opened.starter.resume(session_id)  # an interrupted session runs again, only to end
        if active := opened.active.get(session_id):
            active.runner.cancel()
        return True

    async def finished(self, session_id: str) -> SessionRecord:
        """Return a session's record; raise NotFoundError if no session has this id."""
        return await self._opened().queries.session(session_id)

    async def newest(
        self, wanted: SessionFilter = ALL_SESSIONS
    ) -> tuple[list[SessionRecord], int | None]:
        """Return a page of sessions, the newest first, and the number to begin the next before."""
        return await self._opened().queries.newest(wanted)

    async def errors_after(self, session_id: str, n: int) -> tuple[list[FileError], int]:
        """Return a page of errors numbered above `n`, and how many errors there are."""
        return await self._opened().queries.errors_after(session_id, n)

    async def files(
        self, session_id: str, wanted: FileFilter, after: int | None, limit: int
    ) -> FilePage:
        """Return a page of the outcomes `wanted`, from the one that follows file `after`."""
        return await self._opened().queries.files(session_id, wanted, after, limit)

    async def outcome(self, session_id: str, n: int) -> OutcomeRecord:
        """Return the outcome of file `n`; raise NotFoundError if it has none."""
        return await self._opened().queries.outcome(session_id, n)

    async def report(
        self, session_id: str, wanted: FileFilter = ALL_FILES
    ) -> AsyncIterator[Sequence[OutcomeRecord]]:
        """Return pages of outcomes; raise NotFoundError at this call, not at the first page."""
        return await self._opened().queries.report(session_id, wanted)

    async def directories(self, path: str, after: str | None = None) -> dict[str, Any]:
        """Return the folders in `path`; raise the errors of `start` for a bad path."""
        return await self._opened().queries.directories(path, after)

    def _opened(self) -> OpenState:
        if self._state is None:
            raise CatalogueError("the session manager is not open; call open() first")
        return self._state

    def _open_state(
        self,
        backend: Backend,
        threads: Executor,
        looking: Executor,
        starting: Executor,
    ) -> OpenState:
        settings = self._settings
        resources = SharedResources(
            settings.root, self._catalogue, backend, asyncio.Semaphore(backend.concurrency), threads
        )
        active = ActiveSessions(resources, self._publish, self._forget, settings.min_interval)
        queries = SessionQueries(self._catalogue, looking, settings.root, active, starting)
        starter = SessionStarter(
            self._catalogue, self._root, active, queries, settings.max_sessions
        )
        return OpenState(resources, active, queries, starter)

    async def _resume_all(self, active: ActiveSessions) -> None:
        for record in await self._catalogue.unfinished():
            if record.root == self._root:
                await active.resume(record)
            else:
                logger.warning(
                    "session %s: not resumed, its ingest root is %s",
                    record.id, os.fsdecode(record.root),
                )  # fmt: skip


def _threads(count: int, name: str, stack: contextlib.AsyncExitStack) -> Executor:
    """Return `count` threads, which start no further call once the stack is closed."""
    threads = DaemonThreads(count, f"ingest-{name}")
    stack.callback(threads.shutdown, wait=False, cancel_futures=True)
    return threads
