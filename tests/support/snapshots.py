"""Snapshots made up for the terminal, and a display that remembers."""

from collections.abc import Mapping, Sequence
from typing import Any

STATS = {"skipped_existing": 0, "bytes": 0, "metadata_extracted": 0, "keywords_added": 0}


def error(n: int, file: str = "a.png", message: str = "bad") -> dict[str, Any]:
    return {"n": n, "file": file, "message": message, "time": "2026-01-01T00:00:00Z"}


def snapshot(
    status: str = "processing",
    done: int = 0,
    total: int = 10,
    errors: Sequence[Mapping[str, Any]] = (),
    why: str | None = None,
) -> dict[str, Any]:
    """Make a snapshot; failed files beyond ten are counted, and left out."""
    failed = errors[-1]["n"] if errors else 0
    terminal = status in ("completed", "cancelled", "error")
    return {
        "session_id": "s",
        "status": status,
        "progress": 100 if status == "completed" else 100 * (done + failed) // total,
        "total_files": total,
        "processed_files": done + failed,
        "current_file": None,
        "stats": {**STATS, "done": done, "errors": failed},
        "errors": list(errors[-10:]),
        "error": why,
        "files_per_second": 1.0,
        "eta_seconds": None,
        "start_time": "2026-01-01T00:00:00Z",
        "end_time": "2026-01-01T00:00:09Z" if terminal else None,
        "changed_at": 1.0,
    }


class Remembered:
    """A display that keeps what it was given."""

    def __init__(self) -> None:
        self.displayed: list[str] = []
        self.failures: list[str] = []

    def snapshot(self, snapshot: Mapping[str, Any]) -> None:
        self.displayed.append(snapshot["status"])

    def failed(self, file: str, message: str) -> None:
        self.failures.append(f"{file}: {message}")

    def lost(self, reason: str) -> None:
        self.displayed.append(f"lost: {reason}")

    def close(self) -> None:
        self.displayed.append("closed")
