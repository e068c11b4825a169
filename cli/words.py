"""A session in words, for people: pure, and safe to print."""

from collections.abc import Mapping
from typing import Any

EXIT_STATUS: Mapping[str, int] = {"completed": 0, "cancelled": 1, "error": 2}


def in_words(snapshot: Mapping[str, Any]) -> str:
    """Say in one line where a session stands."""
    stats = snapshot["stats"]
    if snapshot["status"] == "starting":
        return f"finding files: {snapshot['total_files']:,}"
    counts = [f"{stats['done']:,} done"]
    counts += [f"{stats['skipped_existing']:,} skipped"] if stats["skipped_existing"] else []
    counts += [f"{stats['errors']:,} failed"] if stats["errors"] else []
    line = f"{snapshot['status']}: {snapshot['progress']} %, {', '.join(counts)}"
    return f"{line}: {printable(snapshot['error'])}" if snapshot["error"] else line


def exit_status(snapshot: Mapping[str, Any]) -> int:
    """Give 0 if every file is done, 1 if some failed or it was cancelled, 2 if it broke off."""
    return EXIT_STATUS[snapshot["status"]] or int(snapshot["stats"]["errors"] > 0)


def printable(text: str) -> str:
    """
    Keep a file's name from steering the terminal.

    What moves the cursor, breaks the line, or writes from right to left is shown as U+FFFD.
    """
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
