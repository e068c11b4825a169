"""How far this process has read a file, as the kernel knows it (Linux)."""

import contextlib
import os

DESCRIPTORS = "/proc/self/fd"


def read_position(path: str) -> int:
    """Return the furthest position of the descriptors that are open on `path`; 0 if unknown."""
    furthest = 0
    with contextlib.suppress(OSError, ValueError):
        for descriptor in os.listdir(DESCRIPTORS):
            furthest = max(furthest, _position(descriptor, path))
    return furthest


def _position(descriptor: str, path: str) -> int:
    with contextlib.suppress(OSError):  # closed since it was listed
        if os.readlink(f"{DESCRIPTORS}/{descriptor}") == path:
            with open(f"/proc/self/fdinfo/{descriptor}", encoding="ascii") as info:
                return int(info.readline().removeprefix("pos:"))
    return 0
