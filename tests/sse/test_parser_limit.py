"""What a hostile or broken peer can cost the parser: a limit of bytes, and linear time."""

import time
import tracemalloc
from collections.abc import Iterable

import pytest

from sse.event import Event
from sse.parser import EventTooLargeError, Parser

OVERSIZE = [
    b"data: " + b"x" * 200,
    b":" + b"x" * 200,
    b"x" * 200 + b"\n",
    b"data: 12\n" * 40,
    b"data\n" * 200,
]


def feed_all(parser: Parser, chunks: Iterable[bytes]) -> list[Event]:
    return [event for chunk in chunks for event in parser.feed(chunk)]


def one_by_one(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


@pytest.mark.parametrize("stream", OVERSIZE)
@pytest.mark.parametrize("by_the_byte", [True, False])
def test_event_beyond_the_limit_is_refused(stream: bytes, by_the_byte: bool) -> None:
    """A line without an end and lines without a blank line are refused, however they are cut."""
    parser = Parser(max_event_size=100)
    with pytest.raises(EventTooLargeError, match=r"event of \d+ bytes; the limit is 100"):
        feed_all(parser, one_by_one(stream) if by_the_byte else [stream])
    with pytest.raises(EventTooLargeError, match="the limit is 100"):
        parser.feed(b"\n\ndata: a\n\n")


def test_event_at_the_limit_passes() -> None:
    """The limit is for each event, not for the stream: comments and dispatched data are gone."""
    block = b"data: " + b"x" * 94 + b"\n\n" + b": comment\n" * 50
    assert len(block.splitlines()[0]) == 100
    parser = Parser(max_event_size=100)
    assert len(parser.feed(block * 5)) == 5
    assert len(feed_all(parser, one_by_one(block * 5))) == 5
    with pytest.raises(EventTooLargeError, match="event of 101 bytes; the limit is 100"):
        parser.feed(b"data: " + b"x" * 95 + b"\n")


def test_events_before_the_oversize_one_are_returned() -> None:
    """What the same chunk completed is not lost: the call after it raises, with any bytes."""
    parser = Parser(max_event_size=100)
    assert parser.feed(b"id: 1\ndata: a\n\ndata: " + b"x" * 100) == [Event("a", id="1")]
    assert parser.last_event_id == "1"
    with pytest.raises(EventTooLargeError):
        parser.feed(b"")


def test_memory_is_bounded_by_the_limit() -> None:
    """A peer that never ends its event costs the limit, not what it sent."""
    parser = Parser(max_event_size=10_000)
    lines = [b"data\nid: 1\nevent: x\n"] * 20_000
    tracemalloc.start()
    try:
        with pytest.raises(EventTooLargeError):
            feed_all(parser, lines)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 100_000


def test_time_is_linear_in_the_bytes() -> None:
    """A line of 640 KB, fed by the byte, takes about 64 times what one of 10 KB takes."""

    def cost(size: int) -> float:
        chunks = [b"x"] * size
        parser = Parser()
        began = time.process_time()
        feed_all(parser, chunks)
        return time.process_time() - began

    assert cost(640_000) < 4 * 64 * max(cost(10_000) for _ in range(3))
