"""The log handler that never blocks its caller."""

import contextlib
import fcntl
import logging
import os
from collections.abc import Iterator

import pytest

from tests.support.log_pipe import LogPipe, full_pipe
from web.log_handler import BackgroundHandler, dropped_lines


@contextlib.contextmanager
def handling(fd: int, limit: int = 1 << 20) -> Iterator[tuple[BackgroundHandler, logging.Logger]]:
    """Yield a handler and a logger of its own."""
    handler = BackgroundHandler(fd, limit)
    logger = logging.Logger("test", logging.INFO)  # noqa: LOG001 - one that no test shares
    logger.addHandler(handler)
    try:
        yield handler, logger
    finally:
        handler.close()


def test_lines_are_written_in_order() -> None:
    """`flush` returns once every line is in the pipe, in the order in which they were logged."""
    with LogPipe() as pipe, handling(pipe.write_end) as (handler, logger):
        for number in range(100):
            logger.info("line %d", number)
        handler.flush()
        assert pipe.read_available().splitlines() == [b"line %d" % n for n in range(100)]
        assert handler.dropped == 0


def test_full_pipe_blocks_nobody() -> None:
    """Without a reader each call returns; what exceeds the queue is dropped, counted, reported."""
    with full_pipe() as pipe, handling(pipe.write_end, 1000) as (handler, logger):
        for _ in range(1000):
            logger.info("%s", "x" * 99)
        # Ten lines are queued, and the thread may have taken an eleventh.
        assert handler.dropped in (989, 990)
        pipe.read_until(b"log lines were dropped")


def test_flush_of_a_full_pipe_ends() -> None:
    """A log that nobody reads does not hold up the end of the process."""
    with full_pipe() as pipe, handling(pipe.write_end) as (handler, logger):
        logger.info("nobody reads this")
        handler.flush()
        handler.close()
        logger.info("nor this")
        assert handler.dropped == 1


def test_non_blocking_descriptor_loses_no_line() -> None:
    """A descriptor that another process made non-blocking is waited for, without an error."""
    with full_pipe() as pipe, handling(pipe.write_end) as (handler, logger):
        flags = fcntl.fcntl(pipe.write_end, fcntl.F_GETFL)
        fcntl.fcntl(pipe.write_end, fcntl.F_SETFL, flags | os.O_NONBLOCK)
        logger.info("the last line")
        pipe.read_until(b"the last line\n")
        assert handler.dropped == 0


def test_reader_that_left_is_no_error() -> None:
    """Lines to a pipe that was closed are counted as dropped."""
    with LogPipe() as pipe, handling(pipe.write_end) as (handler, logger):
        pipe.close_read_end()
        logger.info("gone")
        handler.flush()
        assert handler.dropped == 1


def test_wrong_arguments_are_a_line() -> None:
    """A message that cannot be formatted is logged as it is, and raises nothing."""
    with LogPipe() as pipe, handling(pipe.write_end) as (handler, logger):
        logger.info("%d files", "many")
        handler.flush()
        assert pipe.read_available().startswith(b"cannot format the log message '%d files': ")


def test_dropped_lines_of_the_root_logger_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The metric covers the handlers of the root logger, of which there may be several."""
    with LogPipe() as pipe, handling(pipe.write_end, 0) as (handler, logger):
        monkeypatch.setattr(logging.getLogger(), "handlers", [handler, handler])
        logger.info("too long for a queue of no bytes")
        assert dropped_lines() == 2
