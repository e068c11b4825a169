"""Processors: mostly the built-in one, and one that does harm for each name that says harm."""

import asyncio
import ctypes
import os
import signal
import time
from pathlib import Path

from ingest import Outcome, process_file

FOREVER = 3600.0


def process(path: Path) -> Outcome:
    """Process a file as usual, or do what its name says."""
    name = path.name
    if name.startswith("bad"):
        raise ValueError("bad on purpose")
    if name.startswith("segfault"):
        ctypes.string_at(0)
    if name.startswith("exit"):
        os._exit(3)
    if name.startswith("oom"):  # what the kernel does to one that takes too much
        os.kill(os.getpid(), signal.SIGKILL)
    if name.startswith("hang"):
        time.sleep(FOREVER)
    return process_file(path)


def slow(path: Path) -> Outcome:
    """Sleep for a while on each file."""
    time.sleep(0.02)
    return process(path)


async def process_async(path: Path) -> Outcome:
    """Do it on the event loop."""
    name = path.name
    if name.startswith("hang"):
        await asyncio.Event().wait()
    if name.startswith("deaf"):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(1)
    if name.startswith("cancel"):
        raise asyncio.CancelledError
    if name.startswith("exit"):
        raise SystemExit(3)
    if name.startswith("bad"):
        raise ValueError("bad on purpose")
    return process_file(path)


async def instant(path: Path) -> None:
    """Do nothing: two events a file, as fast as they go."""


async def steady(path: Path) -> None:
    """Sleep for a moment on each file: a steady flow of events, on a server that is mostly idle."""
    if path.name.startswith("bad"):
        raise ValueError("bad on purpose")
    await asyncio.sleep(0.05)
