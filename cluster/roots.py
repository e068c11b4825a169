"""
The identity of an ingest root: its path, and the number of its inode.

The number is the same on every host that mounts the same file system, and another one where the
disk is not mounted and the path is an empty folder. Both are part of the names of the queues: a
worker does not see the jobs of another root.
"""

import asyncio
import hashlib
import os
from pathlib import Path

from ingest.errors import IngestError

LOOK_SECONDS = 5.0
"""Seconds for a look at the root; a network file system that hangs does not answer."""


class RootDiffersError(IngestError):
    """The root on this host cannot be read, or is not that of the session."""


def root_key(root: bytes, inode: int) -> str:
    """Return the identity as a name: a path may be longer than a queue's name, and no text."""
    return f"{hashlib.sha256(root).hexdigest()[:16]}-{inode}"


async def look_at_root(root: Path) -> str:
    """
    Return the key of the root as it is now.

    Raises:
        RootDiffersError: it cannot be read on this host.
    """
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            status = await asyncio.to_thread(os.stat, root)
    except (OSError, TimeoutError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "no answer"
        raise RootDiffersError(f"the ingest root {str(root)!r} cannot be read: {reason}") from error
    return root_key(os.fsencode(root), status.st_ino)


async def check_root(root: Path, expected: str) -> None:
    """Raise RootDiffersError if the key of the root is not the expected one."""
    if await look_at_root(root) != expected:
        raise RootDiffersError(
            f"another file system is mounted at the ingest root {str(root)!r}, or none"
        )
