"""A session: one ingest of one directory, from its start to its end. Pure: no clock, no I/O."""

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypedDict

from ingest.progress import (
    NO_WORK,
    SETTLED,
    FileUnderWay,
    Mark,
    Moment,
    RateMeter,
    TimeLeft,
    UnderWay,
    Work,
    longest,
)
from ingest.request import IngestRequest

RECENT_ERRORS = 10
"""Errors in a snapshot; the rest are asked for by number."""

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
    waiting: str | None
    progress: int
    total_files: int
    processed_files: int
    current_file: str | None
    stats: dict[str, int]
    errors: list[RecentError]
    error: str | None
    files_per_second: float
    bytes_per_second: float
    eta_seconds: float | None
    total_bytes: int
    under_way: list[FileUnderWay]
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
    Durations are by the steady clock. `total_bytes` and `finished_bytes` are sizes as found, of
    all files and of those that are finished with.
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
    total_bytes: int = 0
    finished_bytes: int = 0
    waiting: str | None = None
    under_way: dict[int, UnderWay] = field(default_factory=dict)
    _public_request: Mapping[str, Any] = field(init=False)
    _done_bytes: int = 0
    _first: Moment | None = None
    _end: Moment | None = None
    _meter: RateMeter = field(default_factory=RateMeter)
    _time_left: TimeLeft = field(default_factory=TimeLeft)

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

    def found(self, files: int, size: int, now: Moment) -> None:
        """Count more files that are to be processed, and their bytes."""
        self.total += files
        self.total_bytes += size
        self._touch(now)

    def begin_processing(self, now: Moment) -> None:
        """Enter the status processing; the total is final."""
        self.status = Status.PROCESSING
        self._meter.begin(self._mark(now))
        self._time_left.begin(now.steady)
        self._touch(now)

    def begun(self, file: str, now: Moment) -> None:
        """Show `file` as the one that work began on."""
        self.current_file = file
        self._touch(now)

    def work_on(self, n: int, file: UnderWay, now: Moment) -> None:
        """Show that file `n` is being worked on, and how far it is."""
        self.under_way[n] = file
        self._meter.reach(self._mark(now))
        self._touch(now)

    def wait(self, reason: str | None, now: Moment) -> None:
        """Show why the session does not go on at the moment; None: it goes on."""
        if reason != self.waiting:
            self.waiting = reason
            self._touch(now)

    def stop_work(self, files: Iterable[int]) -> None:
        """Show these files, by number, as under way no longer."""
        for n in files:
            self.under_way.pop(n, None)

    def tick(self, now: Moment) -> None:
        """Record that time has passed: rates and the time left change though nothing else does."""
        self._touch(now)

    def record(
        self,
        *,
        done: int,
        skipped: int,
        errors: Iterable[FileError],
        counters: Mapping[str, int],
        last: str | None,
        now: Moment,
        work: Work = NO_WORK,
    ) -> None:
        """Count files that have been recorded, `last` being the last of them."""
        self.done += done
        self.skipped += skipped
        for error in errors:
            self.errors += 1
            self.recent.append(error)
        self.count(counters)
        self.current_file = last or self.current_file
        size = sum(work.sizes.values())
        self.finished_bytes += size
        self._done_bytes += work.done_bytes
        self.stop_work(work.sizes)
        self._meter.reach(self._mark(now))
        self._time_left.observe(len(work.sizes), size, work.seconds, now.steady)
        self._touch(now)

    def count(self, counters: Mapping[str, int]) -> None:
        """Add to what processors count."""
        for name, value in counters.items():
            total = self.counters[name] + value
            self.counters[name] = max(-COUNTER_LIMIT, min(total, COUNTER_LIMIT))

    def finish(self, status: Status, now: Moment, error: str | None = None) -> None:
        """End the session; nothing changes it any more."""
        self.status = status
        self.error = error
        self.end_time = self._wall(now)
        self.current_file = self.waiting = None
        self.under_way.clear()
        self._end = now
        self._touch(now)

    def snapshot(self, now: Moment) -> Snapshot:
        """Return the full state, and begin to wait for the next change."""
        state = self.state(now)
        self.changed_at = None
        return state

    def state(self, now: Moment) -> Snapshot:
        """Return the full state as it is now."""
        changed_at = self.changed_at or now.wall
        files_rate, bytes_rate = self._rates(now)
        under_way = longest(self.under_way.values(), now)
        return {
            "session_id": self.id,
            "name": self.request.name,
            "request": self._public_request,
            "status": str(self.status),
            "waiting": self.waiting,
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
            "files_per_second": round(files_rate, 1),
            "bytes_per_second": round(bytes_rate, 1),
            "eta_seconds": self._eta(now, files_rate, under_way),
            "total_bytes": min(self.total_bytes, COUNTER_LIMIT),
            "under_way": [_under_way_json(file) for file in under_way],
            "start_time": iso(self.start_time),
            "end_time": None if self.end_time is None else iso(self.end_time),
            "changed_at": round(changed_at * 1000, 1),
        }

    def _touch(self, now: Moment) -> None:
        self._first = self._first or now
        # Not always the earliest: another file may begin while one is being recorded.
        if self.changed_at is None or now.wall < self.changed_at:
            self.changed_at = now.wall

    def _wall(self, now: Moment) -> float:
        """Return the wall-clock time that it would be if nobody had set the clock meanwhile."""
        first = self._first or now
        return max(self.start_time, first.wall + now.steady - first.steady)

    def _mark(self, now: Moment) -> Mark:
        read = sum(file.bytes for file in self.under_way.values())
        return Mark(now.steady, self.processed, self._done_bytes + read)

    def _rates(self, now: Moment) -> tuple[float, float]:
        if self.status.terminal:
            return self._meter.overall(self._mark(self._end or now))
        return self._meter.recent(self._mark(now))

    def _eta(self, now: Moment, rate: float, under_way: Sequence[UnderWay]) -> float | None:
        if self.status is Status.COMPLETED:
            return 0.0
        if self.status is not Status.PROCESSING or self.waiting is not None:
            return None
        if not self.processed or self._meter.elapsed(now.steady) < SETTLED:
            return None
        read = sum(file.bytes for file in self.under_way.values())
        size = max(0, self.total_bytes - self.finished_bytes - read)
        files = self.total - self.processed
        busy = sum(now.steady - file.since.steady for file in under_way)
        seconds = self._time_left.estimate(files, size, now.steady, busy)
        if seconds is None:  # no batch took any time, as if all were skipped
            seconds = files / rate if rate else None
        if seconds is None:
            return None
        return round(max([seconds, *(file.left(now) for file in under_way)]), 1)


def _under_way_json(file: UnderWay) -> FileUnderWay:
    return {
        "file": file.file,
        "since": iso(file.since.wall),
        "bytes": min(file.bytes, COUNTER_LIMIT),
        "size": min(file.size, COUNTER_LIMIT),
    }


def iso(time: float) -> str:
    """Write a Unix time as ISO 8601 in UTC, to the millisecond."""
    moment = datetime.fromtimestamp(time, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
