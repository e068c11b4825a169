"""What a terminal, a file or a program is shown of a session."""

import json
import sys
from collections.abc import Mapping
from typing import Any, Protocol, TextIO

from cli.bar import Bar, has_bar
from cli.follow import Lost

EXIT_STATUS: Mapping[str, int] = {"completed": 0, "cancelled": 1, "error": 2}


class Display(Protocol):
    """Shows a session: each snapshot, each failed file, each lost connection."""

    def snapshot(self, snapshot: Mapping[str, Any]) -> None: ...

    def failed(self, file: str, message: str) -> None: ...

    def lost(self, lost: Lost) -> None: ...

    def close(self) -> None: ...


class Lines:
    """A line for each tenth of the way, each failed file and the end: for a file or a pipe."""

    def __init__(self, out: TextIO, err: TextIO) -> None:
        self._out = out
        self._err = err
        self._shown: object = None

    def snapshot(self, snapshot: Mapping[str, Any]) -> None:
        now = (snapshot["status"], snapshot["progress"] // 10)
        if now != self._shown:
            self._shown = now
            print(in_words(snapshot), file=self._out, flush=True)

    def failed(self, file: str, message: str) -> None:
        print(f"failed: {printable(file)}: {printable(message)}", file=self._err, flush=True)

    def lost(self, lost: Lost) -> None:
        print(f"connection lost ({lost.reason}); trying again", file=self._err, flush=True)

    def close(self) -> None:
        """Leave nothing behind."""


class JsonLines:
    """Each snapshot as a line of JSON, for a program."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def snapshot(self, snapshot: Mapping[str, Any]) -> None:
        print(json.dumps(snapshot), file=self._out, flush=True)

    def failed(self, file: str, message: str) -> None:
        """Nothing: a program finds the errors in the snapshots."""

    def lost(self, lost: Lost) -> None:
        """Nothing: a program sees the next snapshot."""

    def close(self) -> None:
        """Leave nothing behind."""


def choose(*, as_json: bool) -> Display:
    """Choose what suits where the output goes: a bar only for a terminal."""
    if as_json:
        return JsonLines(sys.stdout)
    if sys.stdout.isatty() and has_bar():
        return Bar()
    return Lines(sys.stdout, sys.stderr)


class Errors:
    """Passes on each failed file once, and knows the numbers of those that a snapshot left out."""

    def __init__(self) -> None:
        self._last = 0

    def new_in(self, snapshot: Mapping[str, Any]) -> tuple[int, list[Mapping[str, Any]]]:
        """Give how many errors were missed, and those in the snapshot not yet passed on."""
        new = [error for error in snapshot["errors"] if error["n"] > self._last]
        missed = new[0]["n"] - self._last - 1 if new else 0
        if new:
            self._last = new[-1]["n"]
        return missed, new


def show(display: Display, errors: Errors, snapshot: Mapping[str, Any]) -> None:
    """Show a snapshot and what is new among its errors."""
    missed, new = errors.new_in(snapshot)
    if missed:
        display.failed(f"{missed:,} more files", "see the report")
    for error in new:
        display.failed(error["file"], error["message"])
    display.snapshot(snapshot)


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
    status = EXIT_STATUS[snapshot["status"]]
    return status or int(snapshot["stats"]["errors"] > 0)


def printable(text: str) -> str:
    """Keep a file's name from steering the terminal."""
    return "".join(char if char.isprintable() else "�" for char in text)
