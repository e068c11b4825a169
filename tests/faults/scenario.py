"""What a scenario is given, and what it gives: the lines of the table."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TypeAlias

from tests.faults.server import Server


@dataclass(frozen=True, slots=True)
class Options:
    """How much is done."""

    quick: bool
    kills: int
    files: int
    events: int
    seed: int
    plots: Path | None = None


@dataclass
class Bench:
    """A folder of a scenario's own, and what it was asked for."""

    folder: Path
    options: Options
    random: Random

    def server(self, processor: str = "process", **settings: object) -> Server:
        """Make a server on the root `tree`, with one of our processors; it is not started."""
        (self.folder / "tree").mkdir(exist_ok=True)
        (self.folder / "disk").mkdir(exist_ok=True)
        given: dict[str, object] = {"workers": 2, "retry": 100, **settings}
        if processor:
            given["processor"] = f"tests.faults.processors:{processor}"
        return Server(self.folder / "tree", self.folder / "disk" / "ingest.db", given)


@dataclass
class Row:
    """A line of the table; it is red when there are `failures`."""

    fault: str
    seen: str
    failures: list[str] = field(default_factory=list)
    skipped: bool = False

    def check(self, fits: bool, otherwise: str) -> None:
        if not fits:
            self.failures.append(otherwise)

    @property
    def verdict(self) -> str:
        return "FAILED" if self.failures else "skipped" if self.skipped else "held"


Scenario: TypeAlias = Callable[[Bench], Iterator[Row]]


def is_root() -> bool:
    return os.geteuid() == 0


def skip(fault: str, why: str) -> Row:
    """Report what cannot be run here; in CI, which runs as root, that is a failure."""
    row = Row(fault, why, skipped=True)
    row.check(not ("CI" in os.environ and is_root()), f"not possible in CI: {why}")
    return row
