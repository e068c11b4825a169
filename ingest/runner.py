"""
The life cycle of one session: find its files, have them processed, record its end.

States: starting (files are found) -> processing -> completed, cancelled or error. The session
manager makes one SessionRunner for each session that runs, and one task for its `run`.

Guarantees:

- the last snapshot is recorded in the catalogue before it is published;
- cancelling the task of `run` interrupts the session without ending it: another runner, after a
  restart, resumes from what was recorded;
- a failure that passes (a lock on the catalogue, no worker process, no descriptor, no memory) does
  not end the session: it waits, ever longer, and goes on from what is recorded;
- if the catalogue fails for good, the session is published as failed, but remains unfinished in the
  catalogue, so that it is resumed once the catalogue works;
- no batch runs after `run` has returned.
"""

import asyncio
import logging

from ingest.absence import RootGuard
from ingest.catalogue.records import SessionRecord
from ingest.clock import read_clocks
from ingest.errors import (
    CatalogueBusyError,
    CatalogueError,
    IngestError,
    NotFoundError,
    is_passing,
)
from ingest.finder import FileFinder
from ingest.publisher import EncodedSnapshot, SnapshotPublisher
from ingest.recorder import OutcomeRecorder
from ingest.resources import SharedResources
from ingest.root_watch import RootWatch
from ingest.scheduler import BatchScheduler
from ingest.session import Session, Status

logger = logging.getLogger("ingest")

TICK = 1.0
"""Seconds after which a session of which nothing lands shows how its rates fall."""

FIRST_PAUSE = 0.5
"""Seconds of the first wait for a passing failure; each further one is twice as long."""

LONGEST_PAUSE = 30.0
"""Seconds of the longest wait."""


class SessionRunner:
    """Runs one session to its end."""

    def __init__(
        self,
        session: Session,
        record: SessionRecord,
        publisher: SnapshotPublisher,
        resources: SharedResources,
    ) -> None:
        self._session = session
        self._number = record.number
        self._publisher = publisher
        self._catalogue = resources.catalogue
        self._totals = resources.totals
        self._cancelled = asyncio.Event()
        if record.cancelled:
            self._cancelled.set()
        recorder = OutcomeRecorder(
            session, record.number, resources.catalogue, resources.totals, publisher
        )
        self._watch = RootWatch(
            resources.root, record.directory, record.root_identity, resources.threads
        )
        self._guard = RootGuard(session, self._watch, publisher, self._cancelled)
        self._parts = (session, record, resources, recorder, publisher, self._cancelled)
        self._finder = FileFinder(*self._parts)
        self._scheduler = BatchScheduler(*self._parts, self._guard)
        self._pause = FIRST_PAUSE
        self._progress = 0

    def cancel(self) -> None:
        """End the session as cancelled, once the batches that run are recorded."""
        self._cancelled.set()

    async def run(self) -> bool:
        """Run the session; return False if the catalogue failed and it is still unfinished."""
        logger.info("session %s: %s", self._session.id, self._session.status)
        ticking = asyncio.create_task(self._tick())
        try:
            while True:
                try:
                    return await self._finish(await self._process())
                except Exception as error:
                    if not is_passing(error):
                        raise
                    await self._wait(error)
        except CatalogueError as error:
            return await self._interrupt(error)
        except IngestError as error:
            return await self._finish(Status.ERROR, str(error))
        except Exception as error:
            logger.exception("session %s failed", self._session.id)
            return await self._finish(Status.ERROR, f"internal error: {type(error).__name__}")
        finally:
            ticking.cancel()
            self._publisher.stop()
            await self._scheduler.stop()

    async def _identify_root(self) -> None:
        """Record what the root is recognised by, unless the session began without it."""
        if self._watch.recorded is not None or self._session.total:
            return
        identity = await self._watch.record()
        if identity is not None:
            await self._catalogue.set_root_identity(self._number, identity)

    async def _find(self) -> None:
        """Find all files; find them again if the root was missing meanwhile."""
        while True:
            try:
                await self._finder.find()
            except NotFoundError:
                if await self._guard.is_present():
                    raise
            else:
                if self._cancelled.is_set() or await self._guard.is_present():
                    return
            await self._guard.wait()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            self._publisher.tick()

    async def _process(self) -> Status:
        """Find and process what is not recorded yet; return the status to end with."""
        await self._identify_root()
        await self._guard.wait()
        if self._session.status is Status.STARTING:
            await self._find()
            # If cancelled, too: the status must not return from processing to starting.
            await self._catalogue.set_status(self._number, Status.PROCESSING)
        self._session.begin_processing(read_clocks())
        self._publisher.changed()
        await self._scheduler.run()
        return Status.CANCELLED if self._cancelled.is_set() else Status.COMPLETED

    async def _wait(self, error: Exception) -> None:
        """Wait for a passing failure; then the session goes on from what is recorded."""
        await self._scheduler.stop()
        self._session.wait(_reason(error), read_clocks())
        self._publisher.changed()
        await self._sleep(error)
        self._finder = FileFinder(*self._parts)
        self._scheduler = BatchScheduler(*self._parts, self._guard)

    async def _sleep(self, error: Exception) -> None:
        progress = self._session.total + self._session.processed
        if progress > self._progress:
            self._progress, self._pause = progress, FIRST_PAUSE
        logger.warning(
            "session %s waits for %g s: %s", self._session.id, self._pause, _reason(error)
        )
        await asyncio.sleep(self._pause)
        self._pause = min(2 * self._pause, LONGEST_PAUSE)

    async def _finish(self, status: Status, error: str | None = None) -> bool:
        await self._scheduler.stop()
        now = read_clocks()
        self._session.finish(status, now, error)
        final = self._publisher.final()
        try:
            await self._record_end(status, now.wall, final)
        except CatalogueError as failed:
            return await self._interrupt(failed)
        self._totals.ended[status] += 1
        await self._publish_end(final)
        return True

    async def _record_end(self, status: Status, now: float, final: EncodedSnapshot) -> None:
        while True:
            try:
                await self._catalogue.finish(self._number, status, now, final.event_id, final.json)
            except CatalogueBusyError as error:
                await self._sleep(error)
            else:
                return

    async def _interrupt(self, error: CatalogueError) -> bool:
        """Publish that the catalogue failed; in the catalogue the session is unfinished."""
        await self._scheduler.stop()
        self._session.finish(Status.ERROR, read_clocks(), str(error))
        self._totals.ended[Status.ERROR] += 1
        await self._publish_end(self._publisher.final())
        return False

    async def _publish_end(self, final: EncodedSnapshot) -> None:
        await self._publisher.publish_final(final)
        session = self._session
        logger.log(
            logging.ERROR if session.status is Status.ERROR else logging.INFO,
            "session %s: %s after %.1f s, %d done, %d skipped, %d errors%s",
            session.id,
            session.status,
            (session.end_time or 0) - session.start_time,
            session.done,
            session.skipped,
            session.errors,
            f": {session.error}" if session.error else "",
        )


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
