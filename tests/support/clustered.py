"""
The clustered form in one process: a replica, and a worker with the test's own processor.

With `TEST_FORM=cluster` the tests of the HTTP interface run over it: the same tests, another form.
"""

import asyncio
import hashlib
import os
from dataclasses import replace
from pathlib import Path

import psycopg

from cluster.sessions import ClusterSessions
from cluster.worker import Worker
from ingest.outcome import AsyncProcessor, Processor
from ingest.settings import Settings

SERVER = "TEST_POSTGRES_SOCKET"
"""The variable with the folder of the server's socket, which a fixture starts."""


def is_clustered() -> bool:
    """Return whether the tests run over the clustered form."""
    return os.environ.get("TEST_FORM") == "cluster"


class WorkedSessions(ClusterSessions):
    """A replica with a worker beside it; `database` is a path, and names a database."""

    def __init__(
        self, settings: Settings, process: Processor | AsyncProcessor | None = None
    ) -> None:
        shared = replace(settings, database=database_of(Path(settings.database)))
        super().__init__(shared)
        self._worker = Worker(shared, process)
        self._working: asyncio.Task[None] | None = None

    async def open(self) -> None:
        await super().open()
        self._working = asyncio.create_task(self._worker.run())

    async def close(self) -> None:
        self._worker.stop()
        if self._working is not None:
            await asyncio.wait([self._working])
        await super().close()


def database_of(path: Path) -> str:
    """Return the URL of the database that stands for a catalogue's path; it is created."""
    socket = os.environ[SERVER]
    name = "test_" + hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:32]
    administration = f"postgresql://ingest@/postgres?host={socket}"
    with psycopg.connect(administration, autocommit=True) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
        if found.fetchone() is None:
            connection.execute(f"CREATE DATABASE {name}".encode())
    return f"postgresql://ingest@/{name}?host={socket}"
