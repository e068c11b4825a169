"""Which processor a session's files go through, and what runs it."""

import asyncio
import contextlib
import importlib
import logging
import os
import pickle
from concurrent.futures import Executor, ThreadPoolExecutor

from ingest.errors import SettingsError
from ingest.outcome import AsyncProcessor, Processor, is_async
from ingest.pool import WorkerPool
from ingest.process import process_file
from ingest.settings import Settings
from ingest.work import AsyncWork, ExecutorWork, Work

logger = logging.getLogger("ingest")


def check_settings(settings: Settings) -> None:
    """
    Look at what no value shows by itself, before anything is started.

    Raises:
        SettingsError: the root is no directory, or the processor set cannot be loaded.
    """
    _check_root(settings)
    if settings.processor is not None:
        load(settings.processor)


def make_work(
    settings: Settings,
    process: Processor | AsyncProcessor | None,
    executor: Executor | None,
    cleanup: contextlib.AsyncExitStack,
) -> Work:
    """
    Choose the processor, the one given before the one set, and start what runs it.

    An async one runs on the event loop. Any other runs in `executor`, which stays its owner's, or
    in worker processes; a function that no other process can import (one made inside another,
    say) runs in threads instead. `cleanup` gets what has to be ended.

    Raises:
        SettingsError: the root is no directory, or the processor set cannot be loaded.
    """
    _check_root(settings)
    chosen = process or (load(settings.processor) if settings.processor else process_file)
    if is_async(chosen):
        return AsyncWork(chosen, settings.workers, settings.file_timeout)  # type: ignore[arg-type]
    if executor is not None:
        return ExecutorWork(executor, chosen, settings.workers, settings.file_timeout)  # type: ignore[arg-type]
    if not _can_travel(chosen):
        logger.warning(
            "%r cannot be imported by another process, so it runs in threads of this one: "
            "define it at the top level of a module, and a crash or a busy file cannot harm the "
            "service",
            chosen,
        )
        threads = ThreadPoolExecutor(settings.workers, "ingest-processor")
        cleanup.callback(threads.shutdown, wait=False, cancel_futures=True)
        return ExecutorWork(threads, chosen, settings.workers, settings.file_timeout)  # type: ignore[arg-type]
    pool = WorkerPool(settings.workers, call_timeout=settings.file_timeout)
    pool.start()
    cleanup.push_async_callback(asyncio.to_thread, pool.kill)
    return ExecutorWork(pool, chosen, settings.workers, None)  # type: ignore[arg-type]


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
        raise SettingsError(f"INGEST_PROCESSOR (--processor) is {name!r}, which is no function")
    return found


def _check_root(settings: Settings) -> None:
    if not os.path.isdir(settings.root):  # of Path's own, one in a folder without permission raises
        raise SettingsError(f"INGEST_ROOT (--root) is {str(settings.root)!r}; no such directory")


def _can_travel(function: object) -> bool:
    try:
        pickle.dumps(function)
    except Exception:  # noqa: BLE001 - objects raise what they like here
        return False
    return True
