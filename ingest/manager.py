"""The store: all sessions of one application, from its start to its end."""

import asyncio
import contextlib
import contextvars
import logging
import os
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from ingest.catalogue.sqlite import Catalogue, OutcomeRecord, SessionRecord
from ingest.discovery import list_directories
from ingest.errors import (
    CatalogueError,
    IngestError,
    InvalidRequestError,
    NotFoundError,
    TooManySessionsError,
)
from ingest.execution.select import select_backend
from ingest.outcome import AsyncProcessor, Processor
from ingest.paths import display_path, resolve
from ingest.publisher import Publish, SnapshotPublisher
from ingest.request import IngestRequest
from ingest.runner import Runner, RunnerContext
from ingest.session import FileError, Session, Status
from ingest.settings import Settings

logger = logging.getLogger("ingest")

T = TypeVar("T")

FILE_THREADS = 32
"""Threads for what blocks on the file system; each lives only once it is needed."""

LISTED = 100
"""Sessions in a list."""

ERRORS_PAGE = 1000
"""Errors given at a time."""

REPORT_PAGE = 500
"""Records of a report read at a time: some 200 KB."""

PRUNE_SECONDS = 60.0
"""Between two looks for sessions whose retention is over."""


@dataclass(frozen=True, slots=True)
class ActiveSession:
    """A session that is not at its end, with what runs it."""

    stored: SessionRecord
    session: Session
    runner: Runner
    task: asyncio.Task[bool]


@dataclass(frozen=True, slots=True)
class SessionStatistics:
    """Sessions by status, running now and ended; files by outcome and bytes since the start."""

    running: Mapping[str, int]
    ended: Mapping[str, int]
    files: Mapping[str, int]
    bytes: int


class SessionManager:
    """
    The sessions of one process: those that run, in memory; all of them, in the catalogue.

    `publish` is given every snapshot, encoded, in order; `forget` the id of a session whose last
    snapshot can be read from the catalogue from then on.
    """

    def __init__(
        self,
        settings: Settings,
        publish: Publish,
        forget: Callable[[str], None],
        *,
        process: Processor | AsyncProcessor | None = None,
        executor: Executor | None = None,
    ) -> None:
        # The host may go to another working directory later.
        root = Path(os.path.abspath(settings.root))
        self._settings = replace(settings, root=root)
        self._publish = publish
        self._forget = forget
        self._process = process
        self._executor = executor
        self._root = os.fsencode(root)
        self._catalogue = Catalogue(settings.database)
        self._running: dict[str, ActiveSession] = {}
        self._starting = 0
        self._locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
        self._cleanup = contextlib.AsyncExitStack()
        self._around: RunnerContext | None = None

    @property
    def running(self) -> int:
        """How many sessions are not at their end."""
        return len(self._running)

    def statistics(self) -> SessionStatistics:
        """Count what runs, and what was done since the start."""
        assert self._around is not None
        totals = self._around.totals
        running = [running.session.status for running in self._running.values()]
        return SessionStatistics(
            {status: running.count(status) for status in Status if not status.terminal},
            {status: totals.ended[status] for status in Status if status.terminal},
            {"done": totals.done, "skipped": totals.skipped, "error": totals.errors},
            totals.bytes,
        )

    async def check(self) -> None:
        """
        Find out whether sessions can be run: the catalogue is written to, workers are there.

        Raises:
            IngestError: they cannot; the text says why.
        """
        assert self._around is not None
        await self._catalogue.check()
        await self._around.work.check()

    async def open(self) -> None:
        """
        Open the catalogue, start the workers, and go on with every session that was interrupted.

        One that was started below another root waits for a start with that root: its files are
        not below this one, and would all be taken for lost.

        Raises:
            CatalogueError: the catalogue cannot be opened.
            SettingsError: the root is no directory, or the processor cannot be loaded.
        """
        async with contextlib.AsyncExitStack() as stack:
            threads = ThreadPoolExecutor(FILE_THREADS, "ingest-files")
            stack.callback(threads.shutdown, wait=False, cancel_futures=True)
            work = await select_backend(
                self._settings, self._process, self._executor, threads, stack
            )
            stack.push_async_callback(self._catalogue.close)
            await self._catalogue.open()
            self._around = RunnerContext(
                self._settings.root, self._catalogue, work,
                asyncio.Semaphore(work.concurrency), threads,
            )  # fmt: skip
            stack.push_async_callback(self._stop)
            for stored in await self._catalogue.unfinished():
                if stored.root == self._root:
                    await self._go_on(stored)
                else:
                    logger.warning(
                        "session %s: waits for a start with its own root, %s",
                        stored.id, os.fsdecode(stored.root),
                    )  # fmt: skip
            pruning = asyncio.create_task(self._prune())
            stack.callback(pruning.cancel)
            self._cleanup = stack.pop_all()

    async def close(self) -> None:
        """Stop every session where it is, to go on at the next start, and end the workers."""
        await self._cleanup.aclose()

    async def start(self, request: IngestRequest, key: str | None = None) -> str:
        """
        Start a session and give its id; `key` makes a repeated call give the first one's.

        Raises:
            InvalidRequestError, NotFoundError, ForbiddenError: for what is asked.
            TooManySessionsError: to be tried again later.
            CatalogueError: nothing was started.
        """
        # A client that goes away now must not leave a session that nobody runs, nor give its
        # key's turn to the next one while this session is recorded and does not run yet.
        return await asyncio.shield(asyncio.create_task(self._start_once(request, key)))

    async def cancel(self, session_id: str) -> bool:
        """
        End a session as cancelled; False if it is at its end already.

        Raises:
            NotFoundError: there is no such session.
            CatalogueError: the wish could not be recorded.
        """
        running = self._running.get(session_id)
        if running is not None and not running.session.status.terminal:
            stored = running.stored
        else:
            if running is not None:  # its end is being recorded, or told, this very moment
                await asyncio.wait([running.task])
            stored = await self.finished(session_id)
            if stored.status.terminal:
                return False
        await self._catalogue.set_cancelled(stored.number)
        await self._mend(session_id)  # one that was broken off goes on, to nothing but its end
        if running := self._running.get(session_id):
            running.runner.cancel()
        return True

    async def finished(self, session_id: str) -> SessionRecord:
        """
        Look up a session in the catalogue.

        Raises:
            NotFoundError: there is none.
        """
        stored = await self._catalogue.session(session_id)
        if stored is None:
            raise NotFoundError(
                f"no session {session_id!r}; it never existed, or its retention is over"
            )
        if not stored.status.terminal and stored.root != self._root:
            raise NotFoundError(
                f"session {session_id!r} was interrupted, and waits for the service to be started "
                "with the ingest root that it began with"
            )
        return stored

    async def newest(self) -> list[SessionRecord]:
        """List the sessions started last, the newest first."""
        return await self._catalogue.newest(LISTED)

    async def errors_after(self, session_id: str, n: int) -> tuple[list[FileError], int]:
        """
        List errors numbered above `n`, ascending, a thousand at most; and tell how many there are.

        Raises:
            NotFoundError: there is no such session.
        """
        return await self._catalogue.errors_after(await self._number(session_id), n, ERRORS_PAGE)

    async def report(self, session_id: str) -> AsyncIterator[list[OutcomeRecord]]:
        """
        Give what is recorded, a page at a time, in the order found.

        Raises:
            NotFoundError: there is no such session; at this call, not at the first page.
        """
        return self._pages(await self._number(session_id))

    async def directories(self, path: str) -> dict[str, Any]:
        """
        List the folders in `path`.

        Raises:
            InvalidRequestError, NotFoundError, ForbiddenError: as for a start.
        """
        directory = await self._in_thread(partial(resolve, self._settings.root, path))
        listed = await self._in_thread(partial(list_directories, self._settings.root, directory))
        below_root = Path(display_path(directory))
        parent = None if directory == b"." else str(below_root.parent)
        return {"path": str(below_root), "parent": parent, "directories": listed}

    async def _start_once(self, request: IngestRequest, key: str | None) -> str:
        if key is None:
            return await self._start_new(request, None)
        # The first of several at once is to be recorded before the others are looked up, or they
        # would count against the limit.
        async with self._locks.setdefault(("start", key), asyncio.Lock()):
            if earlier := await self._catalogue.session_of_key(key):
                session_id = self._same(earlier, request)
                if not earlier.status.terminal:
                    await self._mend(session_id)
                return session_id
            return await self._start_new(request, key)

    async def _start_new(self, request: IngestRequest, key: str | None) -> str:
        if len(self._running) + self._starting >= self._settings.max_sessions:
            raise TooManySessionsError(
                f"{self._settings.max_sessions} sessions run already, which is the limit; "
                "start this one when another has ended"
            )
        self._starting += 1
        try:
            return await self._start(request, key)
        finally:
            self._starting -= 1

    async def _start(self, request: IngestRequest, key: str | None) -> str:
        directory = b"."
        if request.retry_of is None:
            directory = await self._in_thread(
                partial(resolve, self._settings.root, request.directory)
            )
        else:
            await self._check_retry(request.retry_of)
        session = Session(secrets.token_urlsafe(12), time.time())
        stored = await self._catalogue.add_session(
            session.id, request, self._root, directory, session.start_time, key
        )
        if stored.id != session.id:  # the same key came twice at once, and this is the second
            return self._same(stored, request)
        self._run(stored, session)
        return session.id

    async def _mend(self, session_id: str) -> None:
        """Go on with a session under which the catalogue failed: the disk was full, say."""
        # Two that ask at once, to go on with it or to cancel it, must not have it run twice.
        async with self._locks.setdefault(("mend", session_id), asyncio.Lock()):
            if session_id in self._running:
                return
            stored = await self.finished(session_id)
            if not stored.status.terminal:
                await self._go_on(stored)

    async def _go_on(self, stored: SessionRecord) -> None:
        logger.info("session %s: goes on after an interruption", stored.id)
        self._run(stored, await self._catalogue.restore(stored))

    def _run(self, stored: SessionRecord, session: Session) -> None:
        assert self._around is not None
        announcer = SnapshotPublisher(
            session,
            self._publish,
            life=secrets.token_hex(4),
            min_interval=self._settings.min_interval,
        )
        announcer.changed()
        runner = Runner(session, stored, announcer, self._around)
        # A context of its own: a session outlives the request that started it.
        task = asyncio.get_running_loop().create_task(
            runner.run(), name=f"session {session.id}", context=contextvars.Context()
        )
        self._running[session.id] = ActiveSession(stored, session, runner, task)
        task.add_done_callback(partial(self._ended, session.id))

    def _ended(self, session_id: str, task: asyncio.Task[bool]) -> None:
        del self._running[session_id]
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            logger.error("session %s broke off", session_id, exc_info=error)
        elif task.result():
            self._forget(session_id)

    async def _stop(self) -> None:
        tasks = [running.task for running in self._running.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _prune(self) -> None:
        while True:
            try:
                before = time.time() - self._settings.retention
                while ids := await self._catalogue.prune(before):
                    for session_id in ids:
                        logger.info("session %s: forgotten, its retention is over", session_id)
            except IngestError as error:
                logger.warning("old sessions stay for now: %s", error)
            await asyncio.sleep(min(PRUNE_SECONDS, max(1.0, self._settings.retention / 4)))

    async def _check_retry(self, session_id: str) -> None:
        stored = await self.finished(session_id)
        if not stored.status.terminal:
            raise InvalidRequestError(
                {"retry_of": f"session {session_id!r} still runs; wait for its end or cancel it"}
            )
        if stored.root != self._root:
            raise InvalidRequestError(
                {"retry_of": f"session {session_id!r} took files from another ingest root"}
            )

    async def _number(self, session_id: str) -> int:
        running = self._running.get(session_id)
        return running.stored.number if running else (await self.finished(session_id)).number

    async def _pages(self, number: int) -> AsyncIterator[list[OutcomeRecord]]:
        after = 0
        while rows := await self._catalogue.outcomes(number, after, REPORT_PAGE):
            yield rows
            after = rows[-1].n

    async def _in_thread(self, call: Callable[[], T]) -> T:
        assert self._around is not None
        loop = asyncio.get_running_loop()
        try:
            done = loop.run_in_executor(self._around.threads, call)
        except RuntimeError as error:  # asked while the store was being closed
            raise CatalogueError("the catalogue is closed") from error
        return await done

    def _same(self, earlier: SessionRecord, request: IngestRequest) -> str:
        if earlier.request != request or earlier.root != self._root:
            raise InvalidRequestError(
                {"Idempotency-Key": "used before, for another request; a new one takes a new key"}
            )
        return earlier.id
