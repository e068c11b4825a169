"""What a terminal, a file or a program is shown of a session."""

import io
import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Protocol, TextIO

from cli.bar import Bar, has_bar
from cli.words import exit_status, in_words, printable


class Display(Protocol):
    """Shows a session: each snapshot, each failed file, each lost connection."""

    def snapshot(self, snapshot: Mapping[str, Any]) -> None: ...

    def failed(self, file: str, message: str) -> None: ...

    def lost(self, reason: str) -> None: ...

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

    def lost(self, reason: str) -> None:
        print(f"connection lost ({printable(reason)}); trying again", file=self._err, flush=True)

    def close(self) -> None:
        """Leave nothing behind."""


class JsonLines:
    """Each snapshot as a line of JSON, for a program, which finds all else in there."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def snapshot(self, snapshot: Mapping[str, Any]) -> None:
        print(json.dumps(snapshot), file=self._out, flush=True)

    def failed(self, file: str, message: str) -> None: ...

    def lost(self, reason: str) -> None: ...

    def close(self) -> None: ...


def choose(*, as_json: bool, out_is_taken: bool = False) -> Display:
    """
    Choose what suits where the output goes: a bar only for a terminal.

    Where the standard output is taken, for a report, all goes to where the errors go.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name in letters that the terminal has not
            stream.reconfigure(errors="replace")
    out = sys.stderr if out_is_taken else sys.stdout
    if as_json:
        return JsonLines(out)
    if out.isatty() and has_bar():
        return Bar(out)
    return Lines(out, sys.stderr)


class SessionPrinter:
    """Puts a session on a display: every snapshot as it comes, and each failed file once."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self._last = 0
        self.exit_status = 1
        """As of the newest snapshot; 1 as well for a session that is not at its end."""

    def missing_after(self, snapshot: Mapping[str, Any]) -> int | None:
        """Give the number after which errors are not in a snapshot; None if it has all of them."""
        first = snapshot["errors"][0]["n"] if snapshot["errors"] else 1
        return self._last if first > self._last + 1 else None

    def errors(self, errors: Iterable[Mapping[str, Any]]) -> None:
        """Show those that were not shown yet."""
        for error in errors:
            if error["n"] > self._last:
                self._last = error["n"]
                self._display.failed(error["file"], error["message"])

    def snapshot(self, snapshot: Mapping[str, Any]) -> None:
        """Show a snapshot and the errors in it."""
        if (after := self.missing_after(snapshot)) is not None:
            missing = snapshot["errors"][0]["n"] - after - 1
            self._display.failed(f"{missing:,} more", "the report has them")
        self.errors(snapshot["errors"])
        self._display.snapshot(snapshot)
        if snapshot["end_time"] is not None:
            self.exit_status = exit_status(snapshot)
