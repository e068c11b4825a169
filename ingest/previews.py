"""
Previews of images, made on request in a worker process and kept in memory.

A Previews has a pool of one worker, which is started for the first preview, and threads that look
whether a file is unchanged. `preview` may be called concurrently on one event loop; at most WAITING
calls wait at once. Calls for the same content wait for one result.

Guarantees: nothing of a file is read on the event loop; a preview that is not made within SECONDS
is given up, and its worker is killed; what is kept has at most KEPT_BYTES.
"""

import asyncio
import os
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeAlias

from ingest.builtin.preview import preview
from ingest.errors import NotFoundError, TooManyPreviewsError
from ingest.execution.batch import fingerprint, look
from ingest.outcome import OutcomeRecord
from ingest.paths import display_path, locate
from ingest.workers.pool import PoolError, WorkerPool

SECONDS = 10.0
"""Time in which a preview has to be made; for looking at the file too."""

WAITING = 256
"""Previews that may be waited for at once: four screens full of them."""

KEPT_BYTES = 16 * 1024 * 1024
"""Bytes of all previews that are kept: some 2,000."""

THREADS = 2
"""Threads that look at files: a disk that does not answer keeps no more."""

EMPTY_BYTES = 100
"""What a missing preview is counted as."""

SHA256_DIGITS = 64

Key: TypeAlias = tuple[object, ...]


class Previews:
    """Makes and keeps previews of files below `root`."""

    def __init__(self, root: Path) -> None:
        self._root = os.path.realpath(root)
        self._pool = WorkerPool(1, call_timeout=SECONDS)
        self._threads = ThreadPoolExecutor(THREADS, "ingest-preview")
        self._kept: OrderedDict[Key, bytes | None] = OrderedDict()
        self._kept_bytes = 0
        self._making: dict[Key, asyncio.Future[bytes | None]] = {}
        self._waiting = 0

    async def preview(self, record: OutcomeRecord) -> bytes:
        """
        Return a preview of a file, as `ingest.builtin.preview` makes it.

        Raises:
            NotFoundError: the file is not an image that can be decoded, or was changed.
            TooManyPreviewsError: WAITING calls wait already.
        """
        if record.status == "error" or record.size is None or record.modified is None:
            raise self._missing(record)
        if not (record.media_type or "image/").startswith("image/"):
            raise self._missing(record)
        if self._waiting >= WAITING:
            raise TooManyPreviewsError(f"{WAITING} previews are being made; try again soon")
        self._waiting += 1
        try:
            made = await self._of_unchanged(record, locate(self._root, record.path))
        except (OSError, PoolError, TimeoutError, RuntimeError) as error:
            raise self._missing(record) from error
        finally:
            self._waiting -= 1
        if made is None:
            raise self._missing(record)
        return made

    async def close(self) -> None:
        """End the worker; previews that are being made are given up."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(self._pool.kill)

    def statistics(self) -> tuple[int, int]:
        """Return how many previews are kept, and their bytes."""
        return len(self._kept), self._kept_bytes

    async def _of_unchanged(self, record: OutcomeRecord, path: str) -> bytes | None:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(SECONDS):
            status = await loop.run_in_executor(self._threads, look, path)
        if fingerprint(status) != (record.size, record.modified):
            raise OSError(0, "the file was changed")
        key = _key(record)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        making = self._making.get(key)
        if making is None:
            made = self._pool.submit(preview, path, status.st_size, status.st_mtime_ns)
            making = self._making[key] = asyncio.wrap_future(made)
            making.add_done_callback(lambda done: self._made(key, done))
        return await asyncio.shield(making)

    def _made(self, key: Key, done: "asyncio.Future[bytes | None]") -> None:
        del self._making[key]
        if done.cancelled() or done.exception() is not None:
            return
        self._kept[key] = done.result()
        self._kept_bytes += _size(done.result())
        while self._kept_bytes > KEPT_BYTES:
            _, oldest = self._kept.popitem(last=False)
            self._kept_bytes -= _size(oldest)

    def _missing(self, record: OutcomeRecord) -> NotFoundError:
        return NotFoundError(
            f"no preview of {display_path(record.path)!r}: it is not an image that can be decoded "
            "here, or it was changed since its outcome"
        )


def _key(record: OutcomeRecord) -> Key:
    """Return what stands for a file's content: its hash, or its path and fingerprint."""
    if record.sha256 is not None and len(record.sha256) == SHA256_DIGITS:
        return record.sha256, record.size
    return record.path, record.size, record.modified


def _size(kept: bytes | None) -> int:
    return EMPTY_BYTES + len(kept or b"")
