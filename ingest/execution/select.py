"""Which processor a session's files go through, and what runs it."""

import asyncio
import contextlib
import importlib
import logging
import os
import pickle
from concurrent.futures import Executor

from ingest.builtin.options import DEFAULT, Options, Verify
from ingest.builtin.process_file import BuiltinProcessor, process_file
from ingest.errors import SettingsError
from ingest.execution.backends import (
    AHEAD,
    EventLoopBackend,
    ExecutorBackend,
    ThreadBackend,
)
from ingest.execution.protocol import Backend
from ingest.outcome import AsyncProcessor, Processor, is_async
from ingest.settings import Settings
from ingest.workers.pool import PoolError, WorkerPool
from ingest.workers.process import host_main

logger = logging.getLogger("ingest")

LOADING = 10.0
"""Seconds that a start waits to hear whether a worker can load the processor."""


def check_settings(settings: Settings) -> None:
    """
    Check what a value alone does not show, before anything is started.

    Raises:
        SettingsError: the root is not a directory, or the processor set cannot be loaded.
    """
    _check_root(settings)
    if settings.processor is not None:
        load(settings.processor)


async def select_backend(
    settings: Settings,
    process: Processor | AsyncProcessor | None,
    executor: Executor | None,
    threads: Executor,
    cleanup: contextlib.AsyncExitStack,
) -> Backend:
    """
    Choose the processor, the one given before the one set, and start what runs it.

    An async one runs on the event loop. Any other runs in `executor`, which stays its owner's, or
    in worker processes; a function that no other process can import (one made inside another,
    say, or typed at a prompt) runs in threads instead. `threads` are for what blocks on the file
    system, and `cleanup` gets what has to be ended.

    Raises:
        SettingsError: the root is not a directory, or the processor set cannot be loaded, here or
            by a worker.
    """
    _check_root(settings)
    chosen = process or (load(settings.processor) if settings.processor else built_in(settings))
    if is_async(chosen):
        return EventLoopBackend(chosen, settings.workers, settings.file_timeout, threads)  # type: ignore[arg-type]
    if executor is not None:
        return ExecutorBackend(executor, chosen, settings.workers, settings.file_timeout)  # type: ignore[arg-type]
    pool = await _workers(settings, chosen, named=chosen is not process, cleanup=cleanup)
    if pool is not None:
        return ExecutorBackend(pool, chosen, AHEAD * settings.workers, None)  # type: ignore[arg-type]
    logger.warning(
        "%r cannot be imported by another process, so it runs in threads of this one: "
        "define it at the top level of a module, and a crash or a busy file cannot harm the "
        "service",
        chosen,
    )
    backend = ThreadBackend(chosen, settings.workers, settings.file_timeout)  # type: ignore[arg-type]
    cleanup.callback(backend.close)
    return backend


def built_in(settings: Settings) -> Processor:
    """Return the built-in processor with the options that are set."""
    options = Options(Verify(settings.verify), settings.max_pixels)
    return process_file if options == DEFAULT else BuiltinProcessor(options)


def load(name: str) -> Processor | AsyncProcessor:
    """
    Import the function that `module:function` names.

    Raises:
        SettingsError: there is none.
    """
    module, _, path = name.partition(":")
    try:
        found = importlib.import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except (Exception, SystemExit) as error:  # importing runs the module, which may do anything
        raise SettingsError(
            f"INGEST_PROCESSOR (--processor) is {name!r}, which cannot be loaded: {error}"
        ) from error
    if not callable(found):
        raise SettingsError(f"INGEST_PROCESSOR (--processor) is {name!r}, which is not a function")
    return found


def _check_root(settings: Settings) -> None:
    if not os.path.isdir(settings.root):  # of Path's own, one in a folder without permission raises
        raise SettingsError(f"INGEST_ROOT (--root) is {str(settings.root)!r}; no such directory")


async def _workers(
    settings: Settings, process: object, *, named: bool, cleanup: contextlib.AsyncExitStack
) -> WorkerPool | None:
    """Start worker processes; None if they cannot load the processor."""
    if not _can_travel(process):
        return None
    pool = WorkerPool(settings.workers, call_timeout=settings.file_timeout)
    pool.start()
    cleanup.push_async_callback(asyncio.to_thread, pool.kill)
    is_own = process is process_file or isinstance(process, BuiltinProcessor)
    refusal = None if is_own else await _refusal(pool, process)
    if refusal is None:
        return pool
    if named:
        raise SettingsError(
            f"INGEST_PROCESSOR (--processor) is {settings.processor!r}, which no worker process "
            f"can load: {refusal}"
        )
    await asyncio.to_thread(pool.kill)
    return None


def _can_travel(function: object) -> bool:
    try:
        pickled = pickle.dumps(function)
    except Exception:  # noqa: BLE001 - objects raise what they like here
        return False
    # At a prompt, or with `python -c`, a worker cannot run the main module again.
    return b"__main__" not in pickled or host_main() is not None


async def _refusal(pool: WorkerPool, process: object) -> Exception | None:
    """Return the exception that a worker raises when it loads the processor, or None."""
    try:
        async with asyncio.timeout(LOADING):
            await asyncio.wrap_future(pool.submit(callable, process))
    except (PoolError, TimeoutError):
        return None  # no word on whether it can be loaded
    except Exception as error:  # noqa: BLE001 - importing runs the module, which may do anything
        return error
    return None
