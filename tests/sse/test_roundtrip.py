"""
Encoder and parser, each against the other.

https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

from itertools import product

import pytest

from sse.event import MAX_RETRY_MS, Event, comment, encode
from sse.parser import Parser

PIECES = ["", "a", " ", ":", "\n", "\r", "\r\n", "\0", "\ufeff", "data: x", "é\u2028😀"]
EVENTS = [
    Event("plain"),
    Event("with an id", id="3f:17"),
    Event(" spaces ", type=" odd: type ", id="  odd: id "),
    Event("all", type="add", id="Ω", retry_ms=1000),
    Event("", id="empty data"),
    Event("\n\n", retry_ms=0),
    Event("id: 1\n\ndata: forged", retry_ms=MAX_RETRY_MS),
    Event("back to no id"),
]


def encode_event(event: Event) -> bytes:
    return encode(event.data, id=event.id, type=event.type, retry_ms=event.retry_ms)


def lf_joined(data: str) -> str:
    return data.replace("\r\n", "\n").replace("\r", "\n")


def test_data_comes_back_with_lf_line_ends() -> None:
    """Any text is one event, and only CR and CRLF in it come back as LF."""
    for pieces in product(PIECES, repeat=3):
        data = "".join(pieces)
        assert Parser().feed(encode(data)) == [Event(lf_joined(data))], pieces
        assert encode(data.encode()) == encode(data), pieces


def test_every_character_comes_back() -> None:
    """Every character that UTF-8 can carry survives, CR apart."""
    text = "".join(map(chr, (*range(0xD800), *range(0xE000, 0x110000))))
    assert Parser(max_event_size=5_000_000).feed(encode(text)) == [Event(text.replace("\r", "\n"))]


@pytest.mark.parametrize("field", ["id", "type"])
def test_id_and_type_come_back_unchanged(field: str) -> None:
    """The parser returns each id and type that the encoder accepts; it refuses all others."""
    came_back = 0
    for pieces in product(PIECES, repeat=3):
        value = "".join(pieces)
        try:
            frame = encode("x", **{field: value})  # type: ignore[arg-type]
        except ValueError:
            continue
        assert [getattr(event, field) for event in Parser().feed(frame)] == [value], pieces
        came_back += 1
    assert came_back >= 6**3 - 1


def test_sequence_of_events_comes_back() -> None:
    """An event encoded with all four fields does not depend on what came before it."""
    for first, second in product(EVENTS, repeat=2):
        assert Parser().feed(encode_event(first) + encode_event(second)) == [first, second]


def test_frames_between_heartbeats_come_back_however_cut() -> None:
    """Comments between frames add no event, at any cut in two and by the byte."""
    stream = comment() + b"".join(encode_event(event) + comment("still here") for event in EVENTS)
    for at in range(len(stream) + 1):
        parser = Parser()
        assert parser.feed(stream[:at]) + parser.feed(stream[at:]) == EVENTS, at
    parser = Parser()
    assert [e for i in range(len(stream)) for e in parser.feed(stream[i : i + 1])] == EVENTS
