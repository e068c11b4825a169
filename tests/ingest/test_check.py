"""Whether there is something that does batches, found out without giving it one."""

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ingest.errors import ExecutorError
from ingest.execution.backends import EventLoopBackend, ExecutorBackend
from ingest.workers.pool import WorkerPool


def nothing(path: Path) -> None:
    """Do nothing with a file."""


async def nothing_async(path: Path) -> None:
    """Do nothing with a file."""


def test_pool_with_workers_is_well() -> None:
    """Right after its start too, when none is up yet."""
    pool = WorkerPool(1)
    try:
        pool.start()
        asyncio.run(ExecutorBackend(pool, nothing, 1, None).check())
    finally:
        pool.kill()


def test_pool_that_can_start_none_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says why; and the very question makes it try again, so that it does not stay so."""
    pool = WorkerPool(1)
    work = ExecutorBackend(pool, nothing, 1, None)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "executable", "/no/such/python")
            patch.setattr("ingest.workers.supervisor.RETRY_PAUSE", 0.01)
            with pytest.raises(ExecutorError, match="no worker process can be started"):
                asyncio.run(work.check())
        asyncio.run(work.check())
    finally:
        pool.kill()


def test_pool_that_was_closed_is_not() -> None:
    """After the end nothing can be done any more."""
    pool = WorkerPool(1)
    pool.kill()
    with pytest.raises(ExecutorError):
        asyncio.run(ExecutorBackend(pool, nothing, 1, None).check())


def test_others_are_trusted() -> None:
    """Of a foreign executor nothing is known, and the event loop is where one asks."""
    with ThreadPoolExecutor(1) as threads:
        asyncio.run(ExecutorBackend(threads, nothing, 1, 1.0).check())
    with ThreadPoolExecutor(1) as threads:
        asyncio.run(EventLoopBackend(nothing_async, 1, 1.0, threads).check())
