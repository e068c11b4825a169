"""What all measures share: the options of the run, its results, and repeats that interleave."""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.machine import Cores
from benchmarks.processes import BenchmarkError
from benchmarks.table import Cell, render

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Bench:
    """One run: what it has, and how long it may take."""

    cores: Cores
    client: Sequence[str]
    workspace: Path
    most_streams: int
    most_files: int = 1_000_000
    quick: bool = False
    repeats: int = 3
    seconds: float = 3.0

    def counts(self, *numbers: int) -> list[int]:
        """Keep the numbers of streams that this machine can open and the time allows."""
        limit = 100 if self.quick else self.most_streams
        return [number for number in numbers if number <= limit]


@dataclass(slots=True)
class Result:
    """One table, with what is behind it."""

    name: str
    title: str
    columns: Sequence[str]
    rows: list[Mapping[str, Cell]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    plots: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        notes = "".join(f"\n{note}" for note in self.notes)
        return f"## {self.title}\n\n{render(self.columns, self.rows)}\n{notes}\n"

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "title": self.title, "rows": self.rows, "notes": self.notes}


def interleave(
    title: str, repeats: int, cases: Mapping[str, Callable[[], T]]
) -> dict[str, list[T]]:
    """
    Run every case, and again, so that a slow minute of the machine meets all of them alike.

    A case that cannot be measured is left out, with the reason printed.
    """
    samples: dict[str, list[T]] = {}
    for repeat in range(repeats):
        for name, case in cases.items():
            begun = time.monotonic()
            try:
                samples.setdefault(name, []).append(case())
                outcome = f"{time.monotonic() - begun:.1f} s"
            except (BenchmarkError, OSError) as error:
                outcome = f"left out: {error}"
            print(f"{title}, {name}, {repeat + 1}/{repeats}: {outcome}", file=sys.stderr)
    return {name: found for name, found in samples.items() if found}
