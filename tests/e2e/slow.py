"""Processors that a server under test is set to use."""

import time
from pathlib import Path
from typing import Any


def wait(path: Path) -> None:
    """Take longer than any test."""
    time.sleep(60)


async def tell_much(path: Path) -> dict[str, Any]:
    """Fail at once, at length: snapshots of this fill every buffer on the way to a client."""
    raise ValueError("much to tell " * 200)
