"""
A worker of a cluster: runs the jobs of one ingest root, in worker processes of its own.

States: waiting (for the database, the root, or worker processes that can run) -> running (takes
jobs) -> stopped. In every state but the last it goes on by itself: when the database was lost, it
connects again; when its root is not that of a session, or no process can be started, it takes no
job and looks again every few seconds. `trouble` says what it waits for.

One task runs the queue, one the maintenance, one sends wake-ups and one listens to them: a session
that ends takes its files out of the batches that wait. `run` owns them all.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from cluster.change import FileRange, StoredFrame
from cluster.database import Database
from cluster.find import FindJob
from cluster.jobs import STOP_SECONDS, JobQueue
from cluster.ledger import Ledger
from cluster.maintenance import Maintenance
from cluster.opening import open_database
from cluster.ranges import RangeJob
from cluster.reader import LedgerReader
from cluster.roots import RootDiffersError, check_root, look_at_root
from cluster.tasks import stop
from cluster.wakeups import WakeUpListener, WakeUpSender
from ingest.errors import CatalogueError, ExecutorError, IngestError
from ingest.execution.protocol import Backend
from ingest.execution.select import select_backend
from ingest.outcome import AsyncProcessor, Processor
from ingest.settings import Settings

logger = logging.getLogger("cluster")

CONNECTIONS = 4
"""Connections of a worker in its pool; one more listens for wake-ups."""

THREADS = 8
"""Threads for calls that block on the file system."""

LEAST_RANGES = 16
"""Ranges of a session in the queue at first, however few workers there are: more may come."""

LOOK_SECONDS = 3.0
"""Seconds between two looks at the root, and whether a worker that waits can run again."""

OTHER_ROOT = (
    "{} jobs wait for another file system at the ingest root {!r}; check what is mounted there"
)


class Worker:
    """
    A worker with the processes and the root of `settings`.

    `process` is the processor, instead of the one that is set.
    """

    def __init__(
        self, settings: Settings, process: Processor | AsyncProcessor | None = None
    ) -> None:
        self._settings = settings
        self._process = process
        self._root = Path(os.path.abspath(settings.root))
        self._stopping = asyncio.Event()
        self._paused = asyncio.Event()
        self.trouble = "it is starting"

    def stop(self) -> None:
        """Stop soon: files that were not begun return to the queue."""
        self._stopping.set()

    async def run(self) -> None:
        """
        Run jobs until `stop`.

        Raises:
            SettingsError: the root is not a directory, or the processor cannot be loaded.
            CatalogueError: the database cannot be reached at the start, or has another schema.
        """
        async with contextlib.AsyncExitStack() as stack:
            threads = ThreadPoolExecutor(THREADS, "ingest-files")
            stack.callback(threads.shutdown, wait=False, cancel_futures=True)
            backend = await select_backend(self._settings, self._process, None, threads, stack)
            database = Database(str(self._settings.database), CONNECTIONS)
            jobs = JobQueue(database)
            await open_database(database, stack)
            await jobs.open()
            sender = WakeUpSender(database)
            ledger = Ledger(database, jobs, sender.send)
            reader = LedgerReader(database)
            find = FindJob(ledger, reader, self._root, threads)
            ranges = RangeJob(ledger, reader, backend, self._root, self._stopping)
            listener = WakeUpListener(database, partial(_end_session, ranges), lambda: None)
            maintenance = Maintenance(
                database, jobs, ledger, backend.concurrency, self._settings.retention
            )
            for work in (sender.run, listener.run, maintenance.run):
                stack.push_async_callback(stop, asyncio.create_task(work()))
            await self._take_jobs(jobs, backend, find, ranges)

    async def _take_jobs(
        self, jobs: JobQueue, backend: Backend, find: FindJob, ranges: RangeJob
    ) -> None:
        while not self._stopping.is_set():
            try:
                key = await look_at_root(self._root)
                await backend.check()
                if not await jobs.elsewhere(key):
                    self._set_trouble("")
                self._paused.clear()
                await self._run_queue(jobs, key, backend.concurrency, find, ranges)
            except IngestError as error:
                self._set_trouble(str(error))
            if self.trouble:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await self._stopping.wait()

    async def _run_queue(
        self, jobs: JobQueue, key: str, slots: int, find: FindJob, ranges: RangeJob
    ) -> None:
        """Run jobs until the worker is stopped or paused, or the database is lost."""

        async def run_find(session: int) -> None:
            count = max(LEAST_RANGES, 2 * slots * await jobs.workers())
            await self._guarded(find.run(session, count))

        async def run_range(files: FileRange, attempts: int) -> None:
            await self._guarded(ranges.run(files, attempts))

        waiting = [asyncio.create_task(each.wait()) for each in (self._stopping, self._paused)]
        looking = asyncio.create_task(self._watch_root(jobs, key))
        running = asyncio.create_task(jobs.run(key, slots, run_find, run_range))
        try:
            done, _ = await asyncio.wait(
                [running, looking, *waiting], return_when=asyncio.FIRST_COMPLETED
            )
            if running in done:
                running.result()
                raise CatalogueError("the connection to the database was lost")
            if looking in done:
                looking.result()
        finally:
            for task in (running, looking, *waiting):
                task.cancel()
            # A job that waits for a lost database does not end by itself; the process may go.
            await asyncio.wait([running, looking, *waiting], timeout=STOP_SECONDS + 1)

    async def _watch_root(self, jobs: JobQueue, key: str) -> None:
        """Raise RootDiffersError once the root is another one; report jobs of another root."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await check_root(self._root, key)
            with contextlib.suppress(CatalogueError):
                others = await jobs.elsewhere(key)
                self._set_trouble(OTHER_ROOT.format(others, str(self._root)) if others else "")

    async def _guarded(self, job: Coroutine[Any, Any, None]) -> None:
        """Run a job; pause if this host cannot run any."""
        try:
            await job
        except (RootDiffersError, ExecutorError) as error:
            self._set_trouble(str(error))
            self._paused.set()

    def _set_trouble(self, trouble: str) -> None:
        if trouble != self.trouble:
            self.trouble = trouble
            logger.log(
                logging.WARNING if trouble else logging.INFO,
                "worker: %s", f"waiting; {trouble}" if trouble else "taking jobs",
            )  # fmt: skip


def _end_session(ranges: RangeJob, frame: StoredFrame, _: bool) -> None:
    if frame.terminal:
        ranges.end(frame.session)
