"""
A log handler that never blocks the thread that logs.

A program that reads the log may stop: then a write to its pipe blocks, and with it an event loop
that logs. So a record is formatted and queued by its caller, and one thread writes the queue to a
file descriptor.

States of a line: queued, being written, written; or dropped, if MAX_QUEUED_BYTES are queued already
or the descriptor fails. Dropped lines are counted, and a line with their number follows as soon as
lines can be written again. `flush` and `close` wait for at most FLUSH_SECONDS, so that a log that
nobody reads does not hold up the end of the process either.

The thread writes to the descriptor itself: a buffered stream that is locked by a blocked write
would end the interpreter with a fatal error.
"""

import contextlib
import logging
import os
import select
import threading
from collections import deque

MAX_QUEUED_BYTES = 1 << 20
"""Bytes of lines that wait to be written: some 10,000 lines."""

FLUSH_SECONDS = 0.5
"""Time that `flush` waits for the reader of the log."""

STDERR = 2


class BackgroundHandler(logging.Handler):
    """
    Writes records to a file descriptor, in a thread.

    `dropped` is the number of lines that were not written. Any thread may log.
    """

    def __init__(self, fd: int = STDERR, max_queued_bytes: int = MAX_QUEUED_BYTES) -> None:
        super().__init__()
        self._fd = fd
        self._max_queued_bytes = max_queued_bytes
        self._lines: deque[bytes] = deque()
        self._queued_bytes = 0
        self._unwritten = 0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_stuck = False
        self._closed = False
        self._reported = 0
        self.dropped = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a record, or count it as dropped."""
        line = self._line(record)
        with self._changed:
            if self._closed or self._queued_bytes + len(line) > self._max_queued_bytes:
                self.dropped += 1
                return
            self._lines.append(line)
            self._queued_bytes += len(line)
            self._unwritten += 1
            if self._thread is None:
                # A daemon: a write that blocks must not keep the process from exiting.
                self._thread = threading.Thread(target=self._run, name="log", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def flush(self) -> None:
        """Wait until all lines are written, or it is clear that the reader has stopped."""
        with self._changed:
            if not self._is_stuck:
                written = self._changed.wait_for(lambda: not self._unwritten, FLUSH_SECONDS)
                self._is_stuck = not written

    def close(self) -> None:
        """Write what is queued; count later records as dropped."""
        self.flush()
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        super().close()

    def _line(self, record: logging.LogRecord) -> bytes:
        try:
            text = self.format(record)
        except Exception as error:  # noqa: BLE001 - a wrong call of a logger must not harm its caller
            text = f"cannot format the log message {record.msg!r}: {error}"
        return text.encode("utf-8", "backslashreplace") + b"\n"

    def _run(self) -> None:
        while (line := self._next_line()) is not None:
            written = self._write(line)
            notice = self._after_write(written=written)
            if notice is not None:
                self._write(notice)

    def _next_line(self) -> bytes | None:
        with self._changed:
            self._changed.wait_for(lambda: self._lines or self._closed)
            if not self._lines:
                return None
            line = self._lines.popleft()
            self._queued_bytes -= len(line)
            return line

    def _after_write(self, *, written: bool) -> bytes | None:
        """Count the line; return a line that says how many were dropped, if there are new ones."""
        with self._changed:
            self._unwritten -= 1
            self._is_stuck = False
            self.dropped += not written
            self._changed.notify_all()
            new = self.dropped - self._reported
            if not written or not new:
                return None
            self._reported = self.dropped
        message = "%d log lines were dropped: the log is not read fast enough"
        return self._line(
            logging.LogRecord("web", logging.WARNING, __file__, 0, message, (new,), None)
        )

    def _write(self, data: bytes) -> bool:
        """Write all of `data`; return False if the descriptor failed."""
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._fd, rest) :]
            except BlockingIOError:  # somebody made the descriptor non-blocking
                with contextlib.suppress(OSError):
                    select.select([], [self._fd], [])
            except OSError:  # the reader has left, or the disk is full
                return False
        return True


def dropped_lines() -> int:
    """Return how many lines the background handlers of the root logger have dropped."""
    handlers = logging.getLogger().handlers
    return sum(each.dropped for each in handlers if isinstance(each, BackgroundHandler))
