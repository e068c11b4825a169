"""Recording outcomes: first in the catalogue, then in the session's counts, then published."""

import time
from collections.abc import Sequence

from ingest.catalogue.protocol import Catalogue
from ingest.execution.batch import BatchFile, BatchResult, failure
from ingest.paths import display_path
from ingest.publisher import SnapshotPublisher
from ingest.resources import Totals
from ingest.session import FileError, Session


class OutcomeRecorder:
    """
    Records the outcomes of one session's files.

    An outcome is recorded before it is counted, and counted before it is published: what a
    snapshot reported is never lost.
    """

    def __init__(
        self,
        session: Session,
        number: int,
        catalogue: Catalogue,
        totals: Totals,
        publisher: SnapshotPublisher,
    ) -> None:
        self._session = session
        self._number = number
        self._catalogue = catalogue
        self._totals = totals
        self._publisher = publisher

    async def record(self, batch: Sequence[BatchFile], result: BatchResult) -> None:
        """Record the files of `batch` that `result` covers."""
        now = time.time()
        first = await self._catalogue.record(
            self._number, result.outcomes, [n for n, _ in result.failed], now
        )
        paths = {file.n: file.path for file in batch[: result.finished]}
        errors = [
            FileError(number, display_path(paths[n]), message, now)
            for number, (n, message) in enumerate(result.failed, first)
        ]
        self._session.record(
            done=result.done,
            skipped=result.skipped,
            errors=errors,
            counters=result.counters,
            last=display_path(batch[result.finished - 1].path),
            now=now,
        )
        self._totals.count(result)
        self._publisher.changed()

    async def record_failure(self, file: BatchFile, message: str) -> None:
        """Record one file as failed, without a result from a processor."""
        await self.record([file], failure(file, message))
