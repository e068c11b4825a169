"""A pipe that a log is written to, and that may be full."""

import contextlib
import fcntl
import os
import select
from collections.abc import Iterator
from types import TracebackType
from typing import Self

DEADLINE = 20.0
"""Seconds that a thread may take to write on a busy machine."""


class LogPipe:
    """A pipe; both ends are closed with the block."""

    def __init__(self) -> None:
        self.read_end, self.write_end = os.pipe()
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, traceback: TracebackType | None
    ) -> None:
        self.close_read_end()
        os.close(self.write_end)

    def close_read_end(self) -> None:
        """Close the end that reads."""
        if not self._closed:
            self._closed = True
            os.close(self.read_end)

    def read_available(self) -> bytes:
        """Return what is in the pipe."""
        received = b""
        while select.select([self.read_end], [], [], 0)[0]:
            received += os.read(self.read_end, 65_536)
        return received

    def read_until(self, wanted: bytes) -> bytes:
        """Read until `wanted` has come."""
        received = b""
        while wanted not in received:
            assert select.select([self.read_end], [], [], DEADLINE)[0], received
            received += os.read(self.read_end, 65_536)
        return received


@contextlib.contextmanager
def full_pipe() -> Iterator[LogPipe]:
    """Yield a pipe with room for no byte."""
    with LogPipe() as pipe:
        size = fcntl.fcntl(pipe.write_end, fcntl.F_SETPIPE_SZ, 4096)
        os.write(pipe.write_end, b"-" * size)
        yield pipe
