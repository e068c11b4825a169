"""A batch: some files, processed one after the other in a worker, told as one report."""

import os
import re
import stat
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeAlias

import orjson

from ingest.builtin.process_file import inspect_file, process_file
from ingest.errors import MessageError
from ingest.outcome import Processor, Row, ValidatedOutcome, check, checked, scrub
from ingest.paths import locate

BUDGET = 0.02
"""
Seconds after which a batch begins no further file.

Long enough that handing it over, some 0.3 ms, is lost in it; short enough that a watcher sees
small files move and that a session waits little for its turn.
"""

LARGE = 1024 * 1024
"""
Bytes from which a file begins a batch, if it is not the first of one.

A slow file must not delay the outcomes of the files before it: a batch has one result.
"""

CONTROLS = re.compile("[\x00-\x1f\x7f]+")

MESSAGE_LIMIT = 500
"""Characters of an error's message: ten of them travel in every snapshot."""


class BatchFile(NamedTuple):
    """A file of a batch: its number, its path below the root, and as what it was done before."""

    n: int
    path: bytes
    known: frozenset[tuple[int, int]] = frozenset()


Packed: TypeAlias = tuple[int, bytes, frozenset[tuple[int, int]]]
"""A batch file as sent to a worker: a bare tuple is pickled ten times as fast as a named one."""


@dataclass(slots=True)
class BatchResult:
    """
    What became of the first `finished` items of a batch; the others were not begun.

    `outcomes` are rows as the catalogue writes them: the process which serves the streams need
    not look into them.
    """

    finished: int = 0
    done: int = 0
    skipped: int = 0
    failed: list[tuple[int, str]] = field(default_factory=list)
    counters: dict[str, int] = field(default_factory=dict)
    outcomes: Sequence[Row] = ()
    seconds: float = 0.0


class BatchResultBuilder:
    """Collects what becomes of files, and makes the report."""

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self._report = BatchResult()
        self._counters = self._report.counters

    @property
    def begun(self) -> bool:
        """Whether there is anything to report."""
        return bool(self._rows)

    def done(self, item: BatchFile, status: os.stat_result, checked: ValidatedOutcome) -> None:
        self._report.done += 1
        for name, value in checked.counters.items():
            self._counters[name] = self._counters.get(name, 0) + value
        self._rows.append(
            (
                item.n,
                "done",
                None,
                *fingerprint(status),
                checked.sha256,
                checked.media_type,
                checked.metadata,
                orjson.dumps(checked.counters).decode(),
            )
        )

    def skipped(self, item: BatchFile, status: os.stat_result) -> None:
        self._report.skipped += 1
        self._add(item, "skipped", None, status)

    def failed(self, item: BatchFile, message: str, status: os.stat_result | None) -> None:
        self._report.failed.append((item.n, message))
        self._add(item, "error", message, status)

    def report(self, seconds: float) -> BatchResult:
        """Close the report; `seconds` is what the files took."""
        self._report.finished = len(self._rows)
        self._report.outcomes = self._rows
        self._report.seconds = seconds
        return self._report

    def _add(
        self, item: BatchFile, what: str, message: str | None, status: os.stat_result | None
    ) -> None:
        size, modified = fingerprint(status) if status else (None, None)
        self._rows.append((item.n, what, message, size, modified, None, None, None, None))


def run_batch(process: Processor, root: str, items: Sequence[Packed], budget: float) -> BatchResult:
    """
    Process `items` in turn until `budget` seconds are used up; always at least the first.

    Whatever a file does, short of ending the process, becomes its line in the report.
    """
    run = _recordable(process)
    reporter = BatchResultBuilder()
    begun = time.perf_counter()
    until = begun + budget
    root = os.path.realpath(root)
    folders: set[str] = set()
    for packed in items:
        item = BatchFile(*packed)
        path = locate(root, item.path)
        status = None
        try:
            status = look(path, folders)
            if status.st_size >= LARGE and reporter.begun:
                break
            if item.known and fingerprint(status) in item.known:
                reporter.skipped(item, status)
            else:
                reporter.done(item, status, run(path, status.st_size))
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:  # noqa: BLE001 - a file's error, whatever it is
            reporter.failed(item, describe(error, root), status)
        if time.perf_counter() >= until:
            break
    return reporter.report(time.perf_counter() - begun)


def _recordable(process: Processor) -> Callable[[str, int], ValidatedOutcome]:
    """
    Make a processor give what is recorded, of a path and a size.

    The built-in one needs neither a Path nor a check of what it returns, which together take more
    than a third of a small file's time.
    """
    if process is process_file:
        return lambda path, _: checked(*inspect_file(path))
    return lambda path, size: check(process(Path(path)), size)


def failure(item: BatchFile, message: str) -> BatchResult:
    """Report that `item` failed without a word from its processor."""
    reporter = BatchResultBuilder()
    reporter.failed(item, message, None)
    return reporter.report(0.0)


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
    text = scrub(CONTROLS.sub(" ", text))
    return text if len(text) <= MESSAGE_LIMIT else text[: MESSAGE_LIMIT - 1] + "…"


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - an exception that cannot be shown is one all the same
        return ""
