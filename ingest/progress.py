"""
How fast a session proceeds, and how long it will take. Pure: no clock, no I/O.

`RateMeter` holds what was reached at some moments of the last seconds. `TimeLeft` learns what a
file and what a byte cost, as two numbers, from the time that batches took in their workers; how
many workers there are, and what else holds the session up, shows in the ratio of elapsed time to
the workers' time over the last half minute. Both use the steady clock, which nobody sets.
"""

import math
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple, TypedDict

RATE_WINDOW = 5.0
"""Seconds over which a rate is taken: long enough to be read, short enough to be true."""

RATE_STEP = 0.1
"""Seconds between two marks of a rate."""

SETTLED = 0.5
"""Seconds of processing before a time left is shown."""

PACE_SECONDS = 30.0
"""Seconds by which the ratio of elapsed time to the workers' time forgets."""

COST_MEMORY = 0.999
"""What each batch leaves of the weight of those before it: some thousand batches count."""

ASSUMED_BYTES = 10_000_000.0
ASSUMED_SECONDS = 0.05
"""
A batch that is assumed to have run: its bytes, and its seconds.

Without it, a thousand files of some bytes each, which say nothing of what a byte costs, would have
a large file take hours.
"""

BRIEF = 0.001
"""Seconds of a batch below which its time is mostly noise."""

VISIBLE = 1.0
"""Seconds that a file has been worked on before a snapshot names it as under way."""

UNDER_WAY = 8
"""Files under way in a snapshot."""


class Moment(NamedTuple):
    """A moment by the wall clock, in Unix seconds, and by a clock that only goes forward."""

    wall: float
    steady: float

    def before(self, seconds: float) -> "Moment":
        """Return the moment so long before this one."""
        return Moment(self.wall - seconds, self.steady - seconds)


class FileUnderWay(TypedDict):
    """A file that is being worked on, as a snapshot shows it."""

    file: str
    since: str
    bytes: int
    size: int


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A file that is being worked on; `bytes` is how far it was read, 0 where that is not known."""

    file: str
    since: Moment
    size: int
    bytes: int = 0

    def left(self, now: Moment) -> float:
        """Return how many seconds it will take at its own rate: as long again, if not known."""
        elapsed = now.steady - self.since.steady
        if 0 < self.bytes <= self.size:
            return elapsed * (self.size - self.bytes) / self.bytes
        return elapsed


class Work(NamedTuple):
    """
    What was finished with at once: in how many seconds, and the size as found of each file by n.

    `done_bytes` is the size of those files that are done.
    """

    sizes: Mapping[int, int]
    done_bytes: int
    seconds: float


NO_WORK = Work(MappingProxyType({}), 0, 0.0)


class Mark(NamedTuple):
    """What was reached at a moment of the steady clock."""

    steady: float
    files: int
    bytes: int


class RateMeter:
    """The rate of files and bytes over the last seconds; it falls while nothing is reached."""

    def __init__(self, begun: Mark | None = None, marks: Iterable[Mark] = ()) -> None:
        self._begun = begun
        self._marks = deque(marks)

    def begin(self, mark: Mark) -> None:
        """Start to measure."""
        self._begun = mark
        self._marks.append(mark)

    def reach(self, mark: Mark) -> None:
        """Add what is reached by now."""
        if self._marks and mark.steady - self._marks[-1].steady >= RATE_STEP:
            self._marks.append(mark)
            self._forget(mark.steady)

    def recent(self, mark: Mark) -> tuple[float, float]:
        """Return files and bytes per second over the last seconds before `mark`."""
        self._forget(mark.steady)
        return _rates(self._marks[0], mark) if self._marks else (0.0, 0.0)

    def overall(self, mark: Mark) -> tuple[float, float]:
        """Return files and bytes per second since the begin."""
        return _rates(self._begun, mark) if self._begun else (0.0, 0.0)

    def elapsed(self, steady: float) -> float:
        """Return the seconds since the begin."""
        return steady - self._begun.steady if self._begun else 0.0

    def _forget(self, steady: float) -> None:
        # The last two stay: a rate of nothing would not tell a slow session from one that stands.
        while len(self._marks) > 2 and steady - self._marks[1].steady >= RATE_WINDOW:
            self._marks.popleft()


class TimeLeft:
    """What is still to be done, in seconds."""

    def __init__(self) -> None:
        self._files = self._both = self._bytes = 0.0
        self._files_time = self._bytes_time = 0.0  # sums over batches, weighted
        self._worked = self._covered = 0.0
        self._last: float | None = None

    def begin(self, steady: float) -> None:
        """Start to measure how the workers' time relates to elapsed time."""
        self._last = steady

    def observe(self, files: int, size: int, seconds: float, steady: float) -> None:
        """Learn from a batch that took `seconds` in its worker."""
        recent = self._advance(steady)
        self._worked += seconds * recent
        weight = 1 / max(seconds, BRIEF)
        for name, value in (
            ("_files", files * files),
            ("_both", files * size),
            ("_bytes", size * size),
            ("_files_time", files * seconds),
            ("_bytes_time", size * seconds),
        ):
            setattr(self, name, COST_MEMORY * getattr(self, name) + weight * value)

    def estimate(self, files: int, size: int, steady: float, busy: float = 0.0) -> float | None:
        """
        Return the seconds that `files` of `size` bytes in all will take; None if not known.

        `busy` is the time that workers have spent on files that are not finished.
        """
        self._advance(steady)
        if self._worked <= 0:
            return None
        of_file, of_byte = self._costs()
        return (files * of_file + size * of_byte) * self._covered / (self._worked + busy)

    def _advance(self, steady: float) -> float:
        """Reduce the weight of the past; return the mean weight of the time since the last call."""
        elapsed = steady - self._last if self._last is not None else 0.0
        self._last = steady
        kept = math.exp(-elapsed / PACE_SECONDS)
        self._worked *= kept
        self._covered = self._covered * kept + PACE_SECONDS * (1 - kept)
        return PACE_SECONDS * (1 - kept) / elapsed if elapsed > 0 else 1.0

    def _costs(self) -> tuple[float, float]:
        """Return the seconds of a file and of a byte: least squares, neither below 0."""
        size = self._bytes + ASSUMED_BYTES**2 / ASSUMED_SECONDS
        size_time = self._bytes_time + ASSUMED_BYTES
        determinant = self._files * size - self._both * self._both
        of_file = self._files_time * size - size_time * self._both
        of_byte = size_time * self._files - self._files_time * self._both
        if of_file <= 0 or determinant <= 0:
            return 0.0, size_time / size
        if of_byte <= 0:
            return self._files_time / self._files, 0.0
        return of_file / determinant, of_byte / determinant


def longest(files: Iterable[UnderWay], now: Moment) -> list[UnderWay]:
    """Return the files that are worked on for the longest, if for long enough to be named."""
    visible = [file for file in files if now.steady - file.since.steady >= VISIBLE]
    return sorted(visible, key=lambda file: file.since.steady)[:UNDER_WAY]


def _rates(since: Mark, mark: Mark) -> tuple[float, float]:
    elapsed = mark.steady - since.steady
    if elapsed <= 0:
        return 0.0, 0.0
    return max(0, mark.files - since.files) / elapsed, max(0, mark.bytes - since.bytes) / elapsed
