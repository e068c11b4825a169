"""
Whether the folder that a session reads is still the one that it began with.

A disk that is unmounted leaves its empty mount point behind, and another one may be mounted in its
place. So a session records what identifies its root and its directory: inode, device and file
system. `RootWatch` compares them when the session begins or resumes, and when files are missing.

Guarantees: a look that hangs keeps one thread, however often it is asked for; `absence` returns
within LOOK_SECONDS; without a recorded identity nothing is absent.
"""

import asyncio
import errno
import os
from concurrent.futures import Executor
from pathlib import Path

from ingest.execution.backends import consume_result

LOOK_SECONDS = 5.0
"""Time in which the root has to answer."""

ABSENT = frozenset(
    os.strerror(number)
    for number in (
        errno.ENOENT, errno.ENOTDIR, errno.ESTALE, errno.ENOTCONN, errno.ENODEV, errno.ENXIO,
        errno.EIO, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ETIMEDOUT,
    )
)  # fmt: skip
"""Messages of a file's error that may mean that its disk is gone."""

REPLACED = (
    "the folder is missing, or another one is in its place: is its disk mounted? "
    "The session goes on when the folder is back, and can be cancelled"
)
SILENT = (
    f"the folder did not answer within {LOOK_SECONDS:g} s. "
    "The session goes on when it does, and can be cancelled"
)


def identify(places: tuple[bytes, ...]) -> str:
    """
    Return what identifies folders beyond their names.

    Raises:
        OSError: one cannot be looked at.
    """
    return " ".join(map(_identity, places))


def is_same(recorded: str, present: str) -> bool:
    """
    Return whether two identities are of the same folders.

    A device may have another number after a restart, and some file systems have no number of their
    own: one of the two has to be the same.
    """
    pairs = zip(recorded.split(), present.split(), strict=False)
    return all(_is_same(before.split(":"), now.split(":")) for before, now in pairs)


class RootWatch:
    """Watches the root and the directory of one session."""

    def __init__(
        self, root: Path, directory: bytes, recorded: str | None, threads: Executor
    ) -> None:
        base = os.fsencode(root)
        self._places = (base,) if directory == b"." else (base, os.path.join(base, directory))
        self.recorded = recorded
        self._threads = threads
        self._looking: asyncio.Future[str] | None = None

    async def record(self) -> str | None:
        """Return the present identity, from now on the session's; None if it is not known."""
        try:
            self.recorded = await self._identify()
        except (OSError, TimeoutError):
            return None
        return self.recorded

    async def absence(self) -> str | None:
        """Return why the session cannot go on; None if its folders are there."""
        if self.recorded is None:
            return None
        try:
            present = await self._identify()
        except TimeoutError:
            return SILENT
        except OSError:
            return REPLACED
        return None if is_same(self.recorded, present) else REPLACED

    async def _identify(self) -> str:
        looking = self._looking
        if looking is None or looking.done():
            loop = asyncio.get_running_loop()
            looking = loop.run_in_executor(self._threads, identify, self._places)
            looking.add_done_callback(consume_result)
            self._looking = looking
        done, _ = await asyncio.wait([looking], timeout=LOOK_SECONDS)
        if not done:
            raise TimeoutError
        return looking.result()


def _identity(place: bytes) -> str:
    status = os.stat(place)
    return f"{status.st_ino}:{status.st_dev}:{os.statvfs(place).f_fsid}"


def _is_same(before: list[str], now: list[str]) -> bool:
    return before[0] == now[0] and any(a == b for a, b in zip(before[1:], now[1:], strict=False))
