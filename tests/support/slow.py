"""Processors that a server under test is set to use."""

import time
from pathlib import Path
from typing import Any


def wait(path: Path) -> None:
    """Sleep for longer than any test."""
    time.sleep(60)


def wait_a_second(path: Path) -> None:
    """Sleep for about as long as a large picture takes."""
    time.sleep(1)


async def tell_much(path: Path) -> dict[str, Any]:
    """Fail with a long message, or succeed: the events fill every buffer before the client."""
    if path.stem.endswith("0"):
        raise ValueError("much to tell " * 1000)
    return {"much": "to tell " * 10_000}
