"""The live bar of a terminal, drawn by rich, https://rich.readthedocs.io (extra `terminal`)."""

from collections.abc import Mapping
from typing import Any

from cli.follow import Lost

try:
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )
except ImportError:  # the extra is not installed
    Progress = None  # type: ignore[assignment,misc]

WIDE = 60
"""Columns from which there is room for the time left and the current file."""


def has_bar() -> bool:
    """Tell whether the extra is installed."""
    return Progress is not None


class Bar:
    """A bar, the counts, and above it the failed files as they come."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        columns = [
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
        ]
        if self._console.width >= WIDE:
            columns += [MofNCompleteColumn(), TimeRemainingColumn()]
        self._progress = Progress(*columns, console=self._console, expand=True)
        self._task = self._progress.add_task("finding", total=None)
        self._progress.start()

    def snapshot(self, snapshot: Mapping[str, Any]) -> None:
        found = snapshot["status"] != "starting"
        self._progress.update(
            self._task,
            description=snapshot["status"],
            completed=snapshot["processed_files"] if found else snapshot["total_files"],
            total=snapshot["total_files"] if found else None,
        )

    def failed(self, file: str, message: str) -> None:
        self._console.print(f"[red]failed[/] {escape(_clean(file))}: {escape(_clean(message))}")

    def lost(self, lost: Lost) -> None:
        self._progress.update(self._task, description="reconnecting")
        del lost

    def close(self) -> None:
        """Leave the bar as it stands, and the cursor below it."""
        self._progress.stop()


def _clean(text: str) -> str:
    return "".join(char if char.isprintable() else "�" for char in text)
