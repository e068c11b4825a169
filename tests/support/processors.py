"""What the page's tests do with a file: its first line says how long it takes and how it ends."""

import time
from pathlib import Path


def told(path: Path) -> dict[str, str]:
    """
    Sleep for the milliseconds that the file contains, or fail if it contains a failure.

    Raises:
        ValueError: the file asks for it.
    """
    milliseconds, _, end = path.read_text().partition(" ")
    time.sleep(int(milliseconds) / 1000)
    if end:
        raise ValueError(end)
    return {"name": path.name}
