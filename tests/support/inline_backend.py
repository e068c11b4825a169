"""A backend that runs batches in the caller's own thread: the smallest implementation."""

from collections.abc import Sequence

from ingest.context import SessionInfo, with_context
from ingest.execution.batch import BatchFile, BatchResult, run_batch
from ingest.outcome import Processor


class InlineBackend:
    """Blocks the event loop for each batch, which is enough for a test."""

    concurrency = 1
    batch_files = 3
    batch_seconds = 0.01

    def __init__(self, process: Processor) -> None:
        self._process = process

    async def run(
        self, root: str, files: Sequence[BatchFile], session: SessionInfo | None = None
    ) -> BatchResult:
        return run_batch(
            with_context(self._process, root, session), root, files, self.batch_seconds
        )

    async def check(self) -> None:
        return
