"""A batch: some files, processed one after the other in a worker, with one result."""

import os
import stat
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias, cast

import orjson

from ingest.builtin.options import DEFAULT
from ingest.builtin.process_file import BuiltinProcessor, inspect_file, process_file
from ingest.errors import MessageError
from ingest.execution.file_position import read_position
from ingest.outcome import (
    OutcomeRecord,
    PathProcessor,
    ValidatedOutcome,
    check,
    checked,
    known_of,
    one_line,
)
from ingest.paths import locate

BUDGET = 0.02
"""
Seconds after which a batch begins no further file.

Long enough that its hand-over, some 0.3 ms, does not matter; short enough that a watcher sees
small files land one by one and that a session waits little for its slot.
"""

LONG = 0.5
"""Seconds after which a file is reported as being processed."""

LARGE = 1024 * 1024
"""
Bytes from which a file begins a batch, if it is not the first of one.

A slow file must not delay the outcomes of the files before it: a batch has one result.
"""

NO_COUNTERS: Mapping[str, int] = MappingProxyType({})


class BatchFile(NamedTuple):
    """
    A file of a batch: its number, its path below the root, its fingerprints if done before.

    `size` is that of when it was found.
    """

    n: int
    path: bytes
    known: frozenset[tuple[int, int]] = frozenset()
    size: int = 0


class FileProgress(NamedTuple):
    """A file that is being processed: for how long, and how many bytes were read (0: unknown)."""

    n: int
    seconds: float
    bytes: int = 0


Probe: TypeAlias = Callable[[], FileProgress | None]
"""Returns the file that a batch is held up by, if there is one; called from another thread."""


Packed: TypeAlias = tuple[int, bytes, frozenset[tuple[int, int]], int]
"""A batch file as sent to a worker: a bare tuple is pickled ten times as fast as a named one."""


@dataclass(slots=True)
class BatchResult:
    """
    What became of the first `finished` files of a batch; the others were not begun.

    `outcomes` are OutcomeRecords as bare tuples, which are pickled ten times as fast as named ones.
    """

    finished: int = 0
    done: int = 0
    skipped: int = 0
    failed: list[tuple[int, str]] = field(default_factory=list)
    counters: dict[str, int] = field(default_factory=dict)
    outcomes: Sequence[OutcomeRecord] = ()
    seconds: float = 0.0


class BatchResultBuilder:
    """
    Collects the outcomes of a batch's files into its result.

    One thread may add outcomes while another waits for them and closes the result; what is added
    later is discarded. `last_change` is the monotonic time at which the current file began.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._closed = False
        self._rows: list[tuple[Any, ...]] = []
        self._result = BatchResult()
        self._begun = self.last_change = time.monotonic()

    @property
    def begun(self) -> bool:
        """Whether there is an outcome."""
        return bool(self._rows)

    def done(self, file: BatchFile, status: os.stat_result, outcome: ValidatedOutcome) -> None:
        """Add a file that was processed."""
        size, modified = fingerprint(status)
        record = OutcomeRecord(
            file.n,
            file.path,
            "done",
            size=size,
            modified=modified,
            sha256=outcome.sha256,
            media_type=outcome.media_type,
            metadata=outcome.metadata,
            counters=orjson.dumps(outcome.counters).decode(),
            warning=outcome.warning,
        )
        self._add(record, outcome.counters)

    def skipped(self, file: BatchFile, status: os.stat_result) -> None:
        """Add a file that was done before and has not changed."""
        size, modified = fingerprint(status)
        self._add(OutcomeRecord(file.n, file.path, "skipped", size=size, modified=modified))

    def failed(
        self,
        file: BatchFile,
        message: str,
        status: os.stat_result | None,
        known: ValidatedOutcome | None = None,
    ) -> None:
        """Add a file that is an error, with what is `known` of it, except for its counters."""
        size, modified = fingerprint(status) if status else (None, None)
        record = OutcomeRecord(file.n, file.path, "error", message, size, modified)
        if known is not None:
            record = record._replace(
                sha256=known.sha256,
                media_type=known.media_type,
                metadata=known.metadata,
                warning=known.warning,
            )
        self._add(record)

    def raised(
        self, file: BatchFile, error: BaseException, status: os.stat_result | None, root: str
    ) -> None:
        """Add a file whose processing raised `error`."""
        known = known_of(error, status.st_size) if status else None
        self.failed(file, describe(error, root), status, known)

    def time_out(self, files: Sequence[Packed], timeout: float) -> bool:
        """
        Close the result with an error of the file that is being processed.

        Returns False, and does nothing, if that file began less than `timeout` seconds ago.
        """
        with self._lock:
            done = len(self._rows)
            if done == len(files) or time.monotonic() < self.last_change + timeout:
                return False
            n, path, *_ = files[done]
            message = f"timed out after {timeout:g} s"
            self._append(OutcomeRecord(n, path, "error", message), NO_COUNTERS)
            self._closed = True
            return True

    def current(self, files: Sequence[Packed]) -> tuple[Packed, float] | None:
        """Return the file that is being processed, and for how many seconds it has been."""
        done = len(self._rows)
        if done >= len(files):
            return None
        return files[done], time.monotonic() - self.last_change

    def close(self) -> BatchResult:
        """Return the result."""
        with self._lock:
            self._closed = True
            self._result.finished = len(self._rows)
            self._result.outcomes = cast("Sequence[OutcomeRecord]", self._rows)
            self._result.seconds = time.monotonic() - self._begun
            return self._result

    def _add(self, record: OutcomeRecord, counters: Mapping[str, int] = NO_COUNTERS) -> None:
        with self._lock:
            if not self._closed:
                self._append(record, counters)

    def _append(self, record: OutcomeRecord, counters: Mapping[str, int]) -> None:
        result = self._result
        if record.status == "done":
            result.done += 1
        elif record.status == "skipped":
            result.skipped += 1
        else:
            result.failed.append((record.n, record.error or ""))
        for name, value in counters.items():
            result.counters[name] = result.counters.get(name, 0) + value
        self._rows.append(tuple(record))
        self.last_change = time.monotonic()


def run_batch(
    process: PathProcessor,
    root: str,
    files: Sequence[Packed],
    budget: float,
    watch: Callable[[Probe], None] | None = None,
) -> BatchResult:
    """
    Process `files` in turn until `budget` seconds are used up; always at least the first.

    Whatever a file does, short of ending the process, becomes its outcome. `watch` takes what
    returns the progress of a file that takes long.
    """
    builder = BatchResultBuilder()
    if watch is not None:
        watch(partial(file_progress, builder, os.path.realpath(root), files))
    process_files(process, root, files, budget, builder)
    return builder.close()


def file_progress(
    builder: BatchResultBuilder, root: str, files: Sequence[Packed]
) -> FileProgress | None:
    """Return the progress of the file that is being processed, if it takes long."""
    current = builder.current(files)
    if current is None or current[1] < LONG:
        return None
    (n, path, *_), seconds = current
    return FileProgress(n, seconds, read_position(locate(root, path)))


def process_files(
    process: PathProcessor,
    root: str,
    files: Sequence[Packed],
    budget: float,
    builder: BatchResultBuilder,
) -> None:
    """Add the outcomes of `files` to `builder`; see `run_batch`."""
    run = _recordable(process)
    until = time.monotonic() + budget
    root = os.path.realpath(root)
    folders: set[str] = set()
    for packed in files:
        file = BatchFile(*packed)
        path = locate(root, file.path)
        status = None
        try:
            status = look(path, folders)
            if status.st_size >= LARGE and builder.begun:
                break
            if file.known and fingerprint(status) in file.known:
                builder.skipped(file, status)
            else:
                builder.done(file, status, run(path, status.st_size))
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:  # noqa: BLE001 - a file's error, whatever it is
            builder.raised(file, error, status, root)
        if time.monotonic() >= until:
            break


def _recordable(process: PathProcessor) -> Callable[[str, int], ValidatedOutcome]:
    """
    Make a processor give what is recorded, of a path and a size.

    The built-in one needs neither a Path nor a check of what it returns, which together take more
    than a third of a small file's time.
    """
    if process is process_file or isinstance(process, BuiltinProcessor):
        options = process.options if isinstance(process, BuiltinProcessor) else DEFAULT
        return lambda path, _: checked(*inspect_file(path, options))
    return lambda path, size: check(process(Path(path)), size)


def failure(file: BatchFile, message: str) -> BatchResult:
    """Return the result of one file that failed without a result from its processor."""
    builder = BatchResultBuilder()
    builder.failed(file, message, None)
    return builder.close()


def look(path: str, folders: set[str] | None = None) -> os.stat_result:
    """
    Return the status of a file below a root without links, before it is processed.

    Its folder is looked at too, unless it is one of `folders`, to which it is added: once for a
    batch is enough, and once for each file would be expensive.

    Raises:
        OSError: it is gone, or not a regular file any more (opening a FIFO would block), or
            a folder above it has become a link, which may lead out of the root.
    """
    folder = path.rpartition(os.sep)[0] or os.sep
    folders = set() if folders is None else folders
    if folder not in folders:
        if os.path.realpath(folder) != folder:
            raise OSError(0, "its folder was replaced by a link")
        folders.add(folder)
    status = os.lstat(path)
    if stat.S_ISDIR(status.st_mode):
        raise OSError(0, "a folder, not a file; ingest it in a session of its own")
    if not stat.S_ISREG(status.st_mode):
        raise OSError(0, "not a regular file any more")
    return status


def fingerprint(status: os.stat_result) -> tuple[int, int]:
    """
    Return the size and modification time (ns) by which a file is recognised later.

    Some file systems take times that no 64-bit number of nanoseconds holds: these are cut.
    """
    return status.st_size, max(-(2**63), min(status.st_mtime_ns, 2**63 - 1))


def describe(error: BaseException, root: str) -> str:
    """Return an error as one bounded line, without the server's own paths."""
    if isinstance(error, OSError) and isinstance(error.strerror, str) and error.strerror:
        text = error.strerror
    else:
        kind, text = type(error).__name__, _text(error)
        if not isinstance(error, MessageError):
            text = f"{kind}: {text}" if text else kind
    if root != os.sep:
        text = text.replace(root + os.sep, "").replace(root, ".")
    return one_line(text)


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - an exception that cannot be shown is one all the same
        return ""
