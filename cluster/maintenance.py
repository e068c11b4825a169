"""
What every worker does beside its jobs, from time to time: nothing of it belongs to one process.

- Rescue: jobs of workers that are dead or hang are run again.
- Sweep: a session that runs and has no job gets its jobs again. That cannot happen by our own
  changes, each of which adds the next job in its transaction; jobs that somebody deleted, or an
  error of the queue, can do it. A session that has fewer jobs than there are workers gets more.
- Pruning: sessions whose retention has passed are removed, in pieces.

A loop in each worker, not a job: a job whose worker was killed would hold up all of it.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

from cluster.change import SessionEndedError
from cluster.database import Database
from cluster.jobs import JobQueue
from cluster.ledger import Ledger
from cluster.pruning import prune
from ingest.errors import CatalogueError
from ingest.session import Status

logger = logging.getLogger("cluster")

RESCUE_SECONDS = 2.0
SWEEP_SECONDS = 5.0
PRUNE_SECONDS = 60.0


class Maintenance:
    """The three loops of one worker."""

    def __init__(
        self, database: Database, jobs: JobQueue, ledger: Ledger, slots: int, retention: float
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._ledger = ledger
        self._slots = slots
        self._retention = retention

    async def run(self) -> None:
        """Repeat all of it until cancelled."""
        prune_seconds = min(PRUNE_SECONDS, max(1.0, self._retention / 4))
        async with asyncio.TaskGroup() as group:
            group.create_task(_repeat(RESCUE_SECONDS, self._jobs.rescue))
            group.create_task(_repeat(SWEEP_SECONDS, self.sweep))
            group.create_task(_repeat(prune_seconds, self._prune))

    async def sweep(self) -> None:
        """Queue the jobs of sessions that have none, and more for those that have too few."""
        wanted = self._slots * max(1, await self._jobs.workers())
        async with self._database.connection() as connection:
            cursor = await connection.execute(
                "SELECT number, status, handed_out, found FROM sessions"
                " JOIN progress ON session = number,"
                " LATERAL (SELECT coalesce(max(n), 0) AS found FROM found"
                " WHERE found.session = number) AS files WHERE ended IS NULL"
            )
            running = await cursor.fetchall()
            jobs = await self._jobs.sessions_with_jobs(connection)
        for number, status, handed_out, found in running:
            present = jobs.get(number, 0)
            try:
                if present == 0:
                    await self._revive(number)
                elif status == Status.PROCESSING and present < wanted and handed_out < found:
                    await self._ledger.widen(number, wanted - present)
            except SessionEndedError:
                continue

    async def _revive(self, number: int) -> None:
        """Queue a session's jobs if, under its lock, it still has none."""
        if await self._ledger.revive(number, self._jobs.sessions_with_jobs):
            logger.warning("session number %d had no job; it goes on", number)

    async def _prune(self) -> None:
        for session_id in await prune(self._database, self._retention):
            logger.info("session %s: pruned, its retention has passed", session_id)


async def _repeat(seconds: float, work: Callable[[], Awaitable[object]]) -> None:
    while True:
        # Not all workers at the same moment.
        await asyncio.sleep(seconds * random.uniform(0.75, 1.25))  # noqa: S311 - no secret
        try:
            await work()
        except CatalogueError as error:
            logger.warning("maintenance: %s", error)
