"""Displays of a session: lines for a file or pipe, JSON for a program, a bar for a terminal."""

import io
import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Protocol, TextIO

from cli.bar import Bar, has_bar
from cli.summary import exit_status, printable, summarize


class Display(Protocol):
    """Shows a session: each snapshot, each failed file, each lost connection."""

    def snapshot(self, snapshot: Mapping[str, Any]) -> None: ...

    def failed(self, file: str, message: str) -> None: ...

    def lost(self, reason: str) -> None: ...

    def close(self) -> None: ...


class Lines:
    """A line for each 10 % of progress, each failed file and the end: for a file or a pipe."""

    def __init__(self, out: TextIO, err: TextIO) -> None:
        self._out = out
        self._err = err
        self._printed: object = None

    def snapshot(self, snapshot: Mapping[str, Any]) -> None:
        now = (snapshot["status"], snapshot["progress"] // 10)
        if now != self._printed:
            self._printed = now
            print(summarize(snapshot), file=self._out, flush=True)

    def failed(self, file: str, message: str) -> None:
        print(f"failed: {printable(file)}: {printable(message)}", file=self._err, flush=True)

    def lost(self, reason: str) -> None:
        print(f"connection lost ({printable(reason)}); trying again", file=self._err, flush=True)

    def close(self) -> None:
        """Do nothing: every line is written already."""


class JsonLines:
    """Each snapshot as a line of JSON, for a program; errors are part of the snapshot."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def snapshot(self, snapshot: Mapping[str, Any]) -> None:
        print(json.dumps(snapshot), file=self._out, flush=True)

    def failed(self, file: str, message: str) -> None: ...

    def lost(self, reason: str) -> None: ...

    def close(self) -> None: ...


def choose(*, as_json: bool, stdout_is_used: bool = False) -> Display:
    """
    Return the display for the standard output: a bar only for a terminal.

    With `stdout_is_used`, by the report, everything goes to the standard error output.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # the terminal cannot show every name
            stream.reconfigure(errors="replace")
    out = sys.stderr if stdout_is_used else sys.stdout
    if as_json:
        return JsonLines(out)
    if out.isatty() and has_bar():
        return Bar(out)
    return Lines(out, sys.stderr)


class SessionPrinter:
    """Prints a session on a display: each snapshot, and each failed file once."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self._last = 0
        self.exit_status = 1
        """Of the newest snapshot; 1 while the session is not finished."""

    def missing_after(self, snapshot: Mapping[str, Any]) -> int | None:
        """Return the number of the last printed error if the snapshot lacks later ones, or None."""
        first = snapshot["errors"][0]["n"] if snapshot["errors"] else 1
        return self._last if first > self._last + 1 else None

    def errors(self, errors: Iterable[Mapping[str, Any]]) -> None:
        """Print the errors that were not printed before."""
        for error in errors:
            if error["n"] > self._last:
                self._last = error["n"]
                self._display.failed(error["file"], error["message"])

    def snapshot(self, snapshot: Mapping[str, Any]) -> None:
        """Print a snapshot and the errors in it."""
        if (after := self.missing_after(snapshot)) is not None:
            missing = snapshot["errors"][0]["n"] - after - 1
            self._display.failed(f"{missing:,} more", "the report has them")
        self.errors(snapshot["errors"])
        self._display.snapshot(snapshot)
        if snapshot["end_time"] is not None:
            self.exit_status = exit_status(snapshot)
