"""
The queue of work, which is procrastinate's: what this package needs of it, and no more.

Jobs are of two kinds: find a session's files, and process a range of them. Each kind has one queue
for each ingest root: a worker takes the jobs of its own root, and no other worker sees them. The
queue runs a job at least once. Every job can be run twice, at once even, without harm.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import procrastinate
from procrastinate import exceptions
from procrastinate.job_context import JobContext

from cluster.change import FileRange
from cluster.database import Connection, Database
from ingest.errors import CatalogueError

logger = logging.getLogger("cluster")

FIND, RANGE = "find", "process"
"""The names of the kinds of jobs."""

FIND_PRIORITY = 1_000_000
"""Finding comes before processing: it is short, and shows how much there is to do."""

HEARTBEAT_SECONDS = 2.0

STALLED_SECONDS = 6.0
"""Seconds without a heartbeat after which a worker's jobs are given to others."""

POLL_SECONDS = 1.0
"""Seconds between two looks into the queue: a notification may be lost."""

STOP_SECONDS = 2.0
"""Seconds in which jobs end by themselves when a worker stops; then they are cancelled."""

FindFiles = Callable[[int], Awaitable[None]]

ProcessFiles = Callable[[FileRange, int], Awaitable[None]]


class JobQueue:
    """The queue, to add jobs to and to run jobs of; it uses the connections of `database`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._app = procrastinate.App(connector=procrastinate.PsycopgConnector())
        again = procrastinate.RetryStrategy(wait=1)
        self._app.task(name=FIND, pass_context=True, retry=again)(self._run_find)
        self._app.task(name=RANGE, pass_context=True, retry=again)(self._run_range)
        self._find: FindFiles = _no_worker
        self._process: ProcessFiles = _no_worker

    async def open(self) -> None:
        """Use the pool of the database, which has to be open."""
        await self._app.open_async(self._database.pool)

    async def add_find(self, connection: Connection, session: int, root_key: str) -> None:
        """Add the job that finds a session's files."""
        await self._add(connection, FIND, root_key, FIND_PRIORITY, session=session)

    async def add_range(self, connection: Connection, files: FileRange) -> None:
        """Add a job that processes files. The more turns a session had, the later its next."""
        await self._add(
            connection, RANGE, files.root_key, -files.turn,
            session=files.session, low=files.low, high=files.high,
        )  # fmt: skip

    async def run(
        self, root_key: str, concurrency: int, find: FindFiles, process: ProcessFiles
    ) -> None:
        """
        Run jobs of one ingest root until cancelled.

        Returns early when the database was lost: the queue's worker ends itself then.
        """
        self._find, self._process = find, process
        try:
            await self._app.run_worker_async(
                queues=[_queue(kind, root_key) for kind in (FIND, RANGE)],
                concurrency=concurrency,
                delete_jobs="always",
                fetch_job_polling_interval=POLL_SECONDS,
                update_heartbeat_interval=HEARTBEAT_SECONDS,
                stalled_worker_timeout=STALLED_SECONDS,
                shutdown_graceful_timeout=STOP_SECONDS,
                install_signal_handlers=False,
            )
        except exceptions.ConnectorException as error:
            raise CatalogueError(f"the queue failed: {error}") from error

    async def rescue(self) -> int:
        """Requeue the jobs of workers that are dead or hang, and return how many."""
        manager, rescued = self._app.job_manager, 0
        try:
            await manager.prune_stalled_workers(STALLED_SECONDS)
            for job in await manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_SECONDS):
                try:
                    await manager.retry_job(job)
                except exceptions.ConnectorException:
                    continue  # another worker was quicker
                rescued += 1
                logger.warning("a worker stopped responding; its job %s is run again", job.id)
        except exceptions.ConnectorException as error:
            raise CatalogueError(f"the queue failed: {error}") from error
        return rescued

    async def sessions_with_jobs(self, connection: Connection) -> dict[int, int]:
        """Return how many jobs each session has that has any."""
        cursor = await connection.execute(
            "SELECT (args->>'session')::bigint, count(*) FROM procrastinate_jobs"
            " WHERE status IN ('todo', 'doing') GROUP BY 1"
        )
        return dict(await cursor.fetchall())

    async def elsewhere(self, key: str) -> int:
        """Return how many jobs wait for a root with the same path and another inode."""
        path, _, inode = key.rpartition("-")
        ((count,),) = await self._database.fetch(
            "SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo'"
            " AND split_part(queue_name, '-', 2) = %s AND split_part(queue_name, '-', 3) != %s",
            path, inode,
        )  # fmt: skip
        return int(count)

    async def workers(self) -> int:
        """Return how many workers are alive."""
        ((count,),) = await self._database.fetch(
            "SELECT count(*) FROM procrastinate_workers"
            " WHERE last_heartbeat > now() - make_interval(secs => %s)",
            STALLED_SECONDS,
        )
        return int(count)

    async def _run_find(self, _: JobContext, session: int) -> None:
        await self._find(session)

    async def _run_range(self, context: JobContext, session: int, low: int, high: int) -> None:
        job = context.job
        await self._process(FileRange(session, "", low, high, -job.priority), job.attempts)

    async def _add(
        self, connection: Connection, kind: str, root_key: str, priority: int, **arguments: Any
    ) -> None:
        job = self._app.configure_task(
            kind, queue=_queue(kind, root_key), priority=priority, connection=connection
        )
        await job.defer_async(**arguments)


async def _no_worker(*_: object) -> None:
    raise CatalogueError("this process runs no jobs")


def _queue(kind: str, root_key: str) -> str:
    return f"{kind}-{root_key}"
