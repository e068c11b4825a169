"""
Looks at folders on behalf of requests, each with a time limit.

A look at a dead network file system does not return, and its thread is lost until it does. So at
most HANGING looks may hang at one folder: further ones there, or below it, are refused at once, and
the threads that are left serve other folders.
"""

import asyncio
import contextlib
import os
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any, TypeVar

from ingest.errors import CatalogueError, NoAnswerError

T = TypeVar("T")

HANGING = 2
"""Looks that may hang at one folder."""

PATIENCE = 2.0
"""Seconds after which a look whose client has left counts as one that hangs."""


@dataclass(frozen=True, slots=True)
class _Hanging:
    """A look that nobody waits for any more: at which folder, and from when on it counts."""

    place: str
    since: float


class FolderLooks:
    """Runs looks in `threads`, and remembers those that hang."""

    def __init__(self, threads: Executor) -> None:
        self._threads = threads
        self._hanging: dict[Future[Any], _Hanging] = {}

    async def run(self, path: str, call: Callable[[], T], seconds: float) -> T:
        """
        Return what `call`, a look at the folder `path`, returns.

        Raises:
            NoAnswerError: it timed out after `seconds`, or earlier looks there still hang.
            CatalogueError: no thread can be started.
        """
        place = _place(path)
        self._check(place, path)
        try:
            running = self._threads.submit(call)
        except RuntimeError as error:  # the threads are shut down, or no thread can be started
            raise CatalogueError(f"no thread for the file system: {error}") from error
        looking = asyncio.wrap_future(running)
        try:
            done, _ = await asyncio.wait([looking], timeout=seconds)
        except asyncio.CancelledError:
            self._abandon(running, place, PATIENCE)
            raise
        if not done:
            self._abandon(running, place, 0.0)
            raise NoAnswerError(
                f"the folder did not answer within {seconds:g} s: {path!r}; "
                "check its disk or network, and retry later"
            )
        return looking.result()

    def _check(self, place: str, path: str) -> None:
        now = asyncio.get_running_loop().time()
        hanging = [look for look in self._hanging.values() if look.since <= now]
        if sum(_is_below(place, look.place) for look in hanging) >= HANGING:
            raise NoAnswerError(
                f"the folder does not answer, and looks at it still hang: {path!r}; "
                "check its disk or network, and retry later"
            )

    def _abandon(self, running: Future[Any], place: str, patience: float) -> None:
        """Remember a look until its call returns; cancel one that has not begun."""
        if running.cancel() or running.done():
            return
        loop = asyncio.get_running_loop()
        self._hanging[running] = _Hanging(place, loop.time() + patience)

        def forget(ended: Future[Any]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(self._hanging.pop, ended, None)

        running.add_done_callback(forget)


def _place(path: str) -> str:
    return os.path.normpath(path)


def _is_below(path: str, folder: str) -> bool:
    return folder in (".", path) or path.startswith(folder + os.sep)
