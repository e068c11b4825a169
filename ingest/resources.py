"""What all sessions of one application share."""

import asyncio
from collections import Counter
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path

from ingest.catalogue.protocol import Catalogue
from ingest.execution.batch import BatchResult
from ingest.execution.protocol import Backend
from ingest.session import Status


@dataclass(slots=True)
class Totals:
    """Files, bytes and ended sessions of one application since its start."""

    done: int = 0
    skipped: int = 0
    errors: int = 0
    bytes: int = 0
    ended: Counter[Status] = field(default_factory=Counter)

    def count(self, result: BatchResult) -> None:
        """Add the files and bytes of a batch."""
        self.done += result.done
        self.skipped += result.skipped
        self.errors += len(result.failed)
        self.bytes += result.counters.get("bytes", 0)


@dataclass(frozen=True, slots=True)
class SharedResources:
    """
    The root, catalogue, backend and threads that the sessions of one application share.

    `slots` has one slot for each batch that may run. A session waits for one slot at a time and
    the semaphore is first come, first served: sessions alternate, however large they are.
    `threads` run calls that block on the file system.
    """

    root: Path
    catalogue: Catalogue
    backend: Backend
    slots: asyncio.Semaphore
    threads: Executor
    totals: Totals = field(default_factory=Totals)
