"""One-line summaries of a session, safe to print on a terminal. Pure."""

from collections.abc import Mapping
from typing import Any

EXIT_STATUS: Mapping[str, int] = {"completed": 0, "cancelled": 1, "error": 2}


def summarize(snapshot: Mapping[str, Any]) -> str:
    """Return the state and the counts of a session in one line."""
    stats = snapshot["stats"]
    if snapshot["status"] == "starting":
        return f"finding files: {snapshot['total_files']:,}"
    counts = [f"{stats['done']:,} done"]
    counts += [f"{stats['skipped_existing']:,} skipped"] if stats["skipped_existing"] else []
    counts += [f"{stats['errors']:,} failed"] if stats["errors"] else []
    line = f"{snapshot['status']}: {snapshot['progress']} %, {', '.join(counts)}"
    return f"{line}: {printable(snapshot['error'])}" if snapshot["error"] else line


def exit_status(snapshot: Mapping[str, Any]) -> int:
    """Return 0 if every file is done, 1 after failed files or a cancel, 2 after an error."""
    return EXIT_STATUS[snapshot["status"]] or int(snapshot["stats"]["errors"] > 0)


def printable(text: str) -> str:
    """
    Return `text` without characters that control a terminal.

    U+FFFD replaces what moves the cursor, breaks the line or changes the writing direction.
    """
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
