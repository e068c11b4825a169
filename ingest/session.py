"""A session: one ingest of one directory, from its start to its end. Pure: no clock, no I/O."""

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypedDict

from ingest.request import IngestRequest

RECENT_ERRORS = 10
"""Errors in a snapshot; the rest are asked for by number."""

RATE_WINDOW = 5.0
"""Seconds over which the rate is taken: long enough to be read, short enough to be true."""

RATE_STEP = 0.1
"""Seconds between two points of the rate."""

COUNTER_LIMIT = 2**53 - 1
"""The highest value of a counter: up to here every reader of JSON takes it for what it is."""


class Status(StrEnum):
    """Where a session stands."""

    STARTING = "starting"
    PROCESSING = "processing"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    ERROR = "error"

    @property
    def terminal(self) -> bool:
        """Whether nothing comes after it."""
        return self not in (Status.STARTING, Status.PROCESSING)


class RecentError(TypedDict):
    """A file that failed, as a snapshot shows it."""

    n: int
    file: str
    message: str
    time: str


class Snapshot(TypedDict):
    """
    The full state of a session at one moment, in the form that goes over the wire.

    `stats` has `done`, `skipped_existing` and `errors`, and what processors count. Of the times
    `changed_at` is Unix milliseconds; the others are ISO 8601 in UTC.
    """

    session_id: str
    name: str | None
    request: Mapping[str, Any]
    status: str
    progress: int
    total_files: int
    processed_files: int
    current_file: str | None
    stats: dict[str, int]
    errors: list[RecentError]
    error: str | None
    files_per_second: float
    eta_seconds: float | None
    start_time: str
    end_time: str | None
    changed_at: float


@dataclass(frozen=True, slots=True)
class FileError:
    """A file that failed; `n` counts a session's errors from 1."""

    n: int
    file: str
    message: str
    time: float

    def to_json(self) -> RecentError:
        """Return the form that goes over the wire."""
        return {"n": self.n, "file": self.file, "message": self.message, "time": iso(self.time)}


@dataclass(slots=True, eq=False)
class Session:
    """
    The state of a session, moved on by what has been recorded.

    Times are Unix seconds and come in as arguments. Every method that changes something takes
    the moment at which it changed; `changed_at` keeps the earliest since the last `snapshot`.
    """

    id: str
    start_time: float
    status: Status = Status.STARTING
    total: int = 0
    done: int = 0
    skipped: int = 0
    errors: int = 0
    counters: Counter[str] = field(
        default_factory=lambda: Counter(bytes=0, metadata_extracted=0, keywords_added=0)
    )
    recent: deque[FileError] = field(default_factory=lambda: deque(maxlen=RECENT_ERRORS))
    current_file: str | None = None
    error: str | None = None
    end_time: float | None = None
    changed_at: float | None = None
    request: IngestRequest = field(default_factory=IngestRequest)
    _public_request: Mapping[str, Any] = field(init=False)
    _marks: deque[tuple[float, int]] = field(default_factory=deque)
    _begun: tuple[float, int] | None = None

    def __post_init__(self) -> None:
        self._public_request = self.request.to_public()

    @property
    def processed(self) -> int:
        """Files that are finished with, however it went."""
        return self.done + self.skipped + self.errors

    @property
    def progress(self) -> int:
        """Whole per cents; 100 only once the session is completed."""
        if self.status is Status.COMPLETED:
            return 100
        if self.status is Status.STARTING or not self.total:
            return 0
        return min(99, 100 * self.processed // self.total)

    def found(self, files: int, now: float) -> None:
        """Count more files that are to be processed."""
        self.total += files
        self._touch(now)

    def begin_processing(self, now: float) -> None:
        """Enter the status processing; the total is final."""
        self.status = Status.PROCESSING
        self._begun = (now, self.processed)
        self._marks.append(self._begun)
        self._touch(now)

    def begun(self, file: str, now: float) -> None:
        """Show `file` as the one that work began on."""
        self.current_file = file
        self._touch(now)

    def record(
        self,
        *,
        done: int,
        skipped: int,
        errors: Iterable[FileError],
        counters: Mapping[str, int],
        last: str | None,
        now: float,
    ) -> None:
        """Count files that have been recorded, `last` being the last of them."""
        self.done += done
        self.skipped += skipped
        for error in errors:
            self.errors += 1
            self.recent.append(error)
        self.count(counters)
        self.current_file = last or self.current_file
        if self._marks and now - self._marks[-1][0] >= RATE_STEP:
            self._marks.append((now, self.processed))
            while len(self._marks) > 2 and now - self._marks[1][0] >= RATE_WINDOW:
                self._marks.popleft()
        self._touch(now)

    def count(self, counters: Mapping[str, int]) -> None:
        """Add to what processors count."""
        for name, value in counters.items():
            total = self.counters[name] + value
            self.counters[name] = max(-COUNTER_LIMIT, min(total, COUNTER_LIMIT))

    def finish(self, status: Status, now: float, error: str | None = None) -> None:
        """End the session; nothing changes it any more."""
        self.status = status
        self.error = error
        self.end_time = now
        self.current_file = None
        self._touch(now)

    def snapshot(self, now: float) -> Snapshot:
        """Return the full state, and begin to wait for the next change."""
        changed_at, self.changed_at = self.changed_at or now, None
        rate = self._rate(now)
        return {
            "session_id": self.id,
            "name": self.request.name,
            "request": self._public_request,
            "status": str(self.status),
            "progress": self.progress,
            "total_files": self.total,
            "processed_files": self.processed,
            "current_file": self.current_file,
            "stats": {
                "done": self.done,
                "skipped_existing": self.skipped,
                "errors": self.errors,
                **self.counters,
            },
            "errors": [error.to_json() for error in self.recent],
            "error": self.error,
            "files_per_second": round(rate, 1),
            "eta_seconds": self._eta(rate),
            "start_time": iso(self.start_time),
            "end_time": None if self.end_time is None else iso(self.end_time),
            "changed_at": round(changed_at * 1000, 1),
        }

    def _touch(self, now: float) -> None:
        # Not always the earliest: another file may begin while one is being recorded.
        if self.changed_at is None or now < self.changed_at:
            self.changed_at = now

    def _rate(self, now: float) -> float:
        since = self._begun if self.status.terminal else self._marks[0] if self._marks else None
        if since is None:
            return 0.0
        elapsed = (self.end_time or now) - since[0]
        return (self.processed - since[1]) / elapsed if elapsed > 0 else 0.0

    def _eta(self, rate: float) -> float | None:
        if self.status is Status.COMPLETED:
            return 0.0
        if self.status is not Status.PROCESSING or rate <= 0:
            return None
        return round((self.total - self.processed) / rate, 1)


def iso(time: float) -> str:
    """Write a Unix time as ISO 8601 in UTC, to the millisecond."""
    moment = datetime.fromtimestamp(time, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
