"""
Waiting for a session's root while it is missing, and not taking its files for lost meanwhile.

`RootGuard` is used by one session's runner and scheduler. A file whose error may mean that its disk
is gone is not recorded at once: the root is looked at, and the file is tried once more. If it
fails in the same way while the root is there, the error is the file's own.

Guarantees: while the root is missing, no batch begins and no such error is recorded; the session
shows why it waits, and goes on by itself within RETRY_SECONDS after the root is back; a
cancellation ends the wait.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace

from ingest.clock import read_clocks
from ingest.execution.batch import BatchFile, BatchResult
from ingest.publisher import SnapshotPublisher
from ingest.root_watch import ABSENT, RootWatch
from ingest.session import Session

logger = logging.getLogger("ingest")

RETRY_SECONDS = 1.0
"""Seconds between two looks at a root that is missing."""


class RootGuard:
    """Holds a session while its root is missing."""

    def __init__(
        self,
        session: Session,
        watch: RootWatch,
        publisher: SnapshotPublisher,
        cancelled: asyncio.Event,
    ) -> None:
        self._session = session
        self._watch = watch
        self._publisher = publisher
        self._cancelled = cancelled
        self._tried: set[int] = set()
        self._absent = False

    @property
    def absent(self) -> bool:
        """Whether the root was missing when it was last looked at."""
        return self._absent

    async def is_present(self) -> bool:
        """Return whether the root is there, and remember it."""
        self._absent = await self._watch.absence() is not None
        return not self._absent

    async def wait(self) -> None:
        """Return once the root is there, or the session is cancelled."""
        while not self._cancelled.is_set() and (reason := await self._watch.absence()) is not None:
            if self._session.waiting is None:
                logger.warning("session %s: waits: %s", self._session.id, reason)
            self._show(reason)
            try:
                async with asyncio.timeout(RETRY_SECONDS):
                    await self._cancelled.wait()
            except TimeoutError:
                continue
        self._absent = False
        if self._session.waiting is not None:
            logger.info("session %s: goes on", self._session.id)
            self._show(None)

    async def split(
        self, batch: Sequence[BatchFile], result: BatchResult
    ) -> tuple[list[BatchFile], Sequence[BatchFile], BatchResult]:
        """Return files to be tried again, and the rest of the batch with its result."""
        lost = {n for n, message in result.failed if message in ABSENT}
        if not lost:
            return [], batch, result
        if await self.is_present():
            lost -= self._tried
            self._tried |= lost
        again = [file for file in batch if file.n in lost]
        kept = [file for file in batch[: result.finished] if file.n not in lost]
        return (
            again,
            kept,
            replace(
                result,
                finished=len(kept),
                failed=[(n, message) for n, message in result.failed if n not in lost],
                outcomes=[row for row in result.outcomes if row[0] not in lost],
            ),
        )

    def _show(self, reason: str | None) -> None:
        self._session.wait(reason, read_clocks())
        self._publisher.changed()
