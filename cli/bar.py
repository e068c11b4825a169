"""The live bar of a terminal, drawn by rich, https://rich.readthedocs.io (extra `terminal`)."""

from collections.abc import Mapping
from typing import Any, TextIO

from cli.summary import printable, summarize

try:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text
except ImportError:  # the extra is not installed
    Progress = None  # type: ignore[assignment,misc]

WIDE = 60
"""Columns that a terminal needs to show the counts and the time left too."""


def has_bar() -> bool:
    """Return whether the extra is installed."""
    return Progress is not None


class Bar:
    """A bar with the failed files above it; at the end one line replaces it."""

    def __init__(self, out: TextIO) -> None:
        self._console = Console(file=out, highlight=False)
        columns = [
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
        ]
        if self._console.width >= WIDE:
            columns += [MofNCompleteColumn(), TimeRemainingColumn()]
        self._progress = Progress(*columns, console=self._console, expand=True, transient=True)
        self._task = self._progress.add_task("starting", total=None)
        self._progress.start()
        self._newest: Mapping[str, Any] | None = None

    def snapshot(self, snapshot: Mapping[str, Any]) -> None:
        self._newest = snapshot
        found = snapshot["status"] != "starting"
        self._progress.update(
            self._task,
            description=snapshot["status"],
            completed=snapshot["processed_files"] if found else snapshot["total_files"],
            total=snapshot["total_files"] if found else None,
        )

    def failed(self, file: str, message: str) -> None:
        text = f" {printable(file)}: {printable(message)}"
        self._console.print(Text.assemble(("failed:", "red"), text))

    def lost(self, reason: str) -> None:
        del reason
        self._progress.update(self._task, description="reconnecting")

    def close(self) -> None:
        """Replace the bar by a line with the last state."""
        self._progress.stop()
        if self._newest is not None:
            self._console.print(Text(summarize(self._newest)))
