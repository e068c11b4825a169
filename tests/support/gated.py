"""A processor that a test lets go on, file by file."""

import time
from contextlib import suppress
from pathlib import Path

LONGER_THAN_A_BATCH = 0.03


def permits(root: Path, folder: str) -> Path:
    """Return the folder in which a test creates a file for each permitted file of `folder`."""
    return root.parent / "permits" / folder


def permit(root: Path, folder: str, files: int) -> None:
    """Permit `files` more files, in any order."""
    place = permits(root, folder)
    place.mkdir(parents=True, exist_ok=True)
    for _ in range(files):
        (place / str(time.monotonic_ns())).touch()


def wait_for_permit(path: Path) -> None:
    """Wait for a permit and use it; each file is a batch of its own."""
    time.sleep(LONGER_THAN_A_BATCH)
    place = permits(path.parents[1], path.parent.name)
    while True:
        for file in sorted(place.glob("*")):
            with suppress(FileNotFoundError):
                file.unlink()
                return
        time.sleep(0.005)
