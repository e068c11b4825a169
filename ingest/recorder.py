"""Recording outcomes: first in the catalogue, then in the session's counts, then published."""

from collections.abc import Sequence

from ingest.catalogue.protocol import Catalogue
from ingest.clock import read_clocks
from ingest.execution.batch import BatchFile, BatchResult, failure
from ingest.outcome import OutcomeRecord
from ingest.paths import display_path
from ingest.progress import Work
from ingest.publisher import SnapshotPublisher
from ingest.resources import Totals
from ingest.session import FileError, Session

STATUS, SIZE = map(OutcomeRecord._fields.index, ("status", "size"))
"""Places in an outcome, which may be a bare tuple."""


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
        now = read_clocks()
        first = await self._catalogue.record(
            self._number, result.outcomes, [n for n, _ in result.failed], now.wall
        )
        finished = batch[: result.finished]
        paths = {file.n: file.path for file in finished}
        errors = [
            FileError(number, display_path(paths[n]), message, now.wall)
            for number, (n, message) in enumerate(result.failed, first)
        ]
        self._session.wait(None, now)
        self._session.record(
            done=result.done,
            skipped=result.skipped,
            errors=errors,
            counters=result.counters,
            last=display_path(batch[result.finished - 1].path),
            now=now,
            work=Work(
                {file.n: file.size for file in finished},
                sum(int(row[SIZE] or 0) for row in result.outcomes if row[STATUS] == "done"),
                result.seconds,
            ),
        )
        self._totals.count(result)
        self._publisher.changed()

    async def record_failure(self, file: BatchFile, message: str) -> None:
        """Record one file as failed, without a result from a processor."""
        await self.record([file], failure(file, message))
