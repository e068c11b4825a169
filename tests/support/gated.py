"""A processor that a test lets go on, file by file."""

import time
from contextlib import suppress
from pathlib import Path

LONGER_THAN_A_BATCH = 0.03


def permits(root: Path, folder: str) -> Path:
    """Give where a test leaves a file for each one of `folder` that may be done."""
    return root.parent / "permits" / folder


def permit(root: Path, folder: str, files: int) -> None:
    """Let so many more files be done, in whichever order they were found."""
    place = permits(root, folder)
    place.mkdir(parents=True, exist_ok=True)
    for _ in range(files):
        (place / str(time.monotonic_ns())).touch()


def wait_for_permit(path: Path) -> None:
    """Take one permit, as soon as there is one; no file shares its report with the next."""
    time.sleep(LONGER_THAN_A_BATCH)
    place = permits(path.parents[1], path.parent.name)
    while True:
        for file in sorted(place.glob("*")):
            with suppress(FileNotFoundError):
                file.unlink()
                return
        time.sleep(0.005)
