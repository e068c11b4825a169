"""
The interface of a backend: what runs the batches of all sessions of one application.

`BatchScheduler` is the caller. The implementations of the service are in
`ingest.execution.backends`; any other one that passes `tests/ingest/execution/test_contract.py`
can be given to `create_app`.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias, runtime_checkable

from ingest.context import SessionInfo
from ingest.errors import MessageError
from ingest.execution.batch import BatchFile, BatchResult, FileProgress

Report: TypeAlias = Callable[[FileProgress], None]


class BatchError(MessageError):
    """
    A batch was lost as a whole; the text states how.

    With `may_pass` the cause may be outside its files: its worker was killed, for example.
    """

    def __init__(self, text: str, *, may_pass: bool = False) -> None:
        super().__init__(text)
        self.may_pass = may_pass


class Backend(Protocol):
    """
    Runs batches of files.

    The scheduler runs `concurrency` batches at once, each of at most `batch_files` files, and aims
    at batches that take `batch_seconds`.
    """

    concurrency: int
    batch_files: int
    batch_seconds: float

    async def run(
        self, root: str, files: Sequence[BatchFile], session: SessionInfo | None = None
    ) -> BatchResult:
        """
        Process `files`, or the first few of them, and return what became of these.

        `session` is for a processor that takes a context.

        A batch whose caller is cancelled is not begun any more, if it waits.

        Raises:
            BatchError: the batch was lost; a file killed its worker, for example.
            NoWorkerError: no batch can be run at the moment.
            ExecutorError: no batch can be run any more.
        """

    async def check(self) -> None:
        """Raise ExecutorError if no batch can be run."""


@runtime_checkable
class ReportingBackend(Backend, Protocol):
    """A backend that also knows which files take long."""

    async def run_reporting(
        self,
        root: str,
        files: Sequence[BatchFile],
        report: Report,
        session: SessionInfo | None = None,
    ) -> BatchResult:
        """Run a batch as `run` does; call `report` now and then with a file that takes long."""
