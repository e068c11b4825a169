"""
The parser, held against the standard: its examples, each field, each way to cut the bytes.

https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

import pytest

from sse.event import MAX_RETRY_MS, Event
from sse.parser import Parser

TRICKY = (
    b"\xef\xbb\xbf:comment\r\n\r\n"
    b"data: \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\r\ndata\r\ndata:  two \r\n\r\n"
    b"id: 1\r\revent: add\rdata: b\r\n\n"
    b"data: \xe2\x82\n\r\n"
    b"id: n\0ul\ndata:c\xef\xbb\xbf\n\r"
    b"\n\nid\nretry: 12\n\nunknown: x\ndata::\r\n\r\ndata: unfinished\r\nid: 9\r\n"
)
TRICKY_EVENTS = [
    Event("é€😀\n\n two "),
    Event("b", type="add", id="1"),
    Event("\ufffd", id="1"),
    Event("c\ufeff", id="1"),
    Event(":"),
]


def parse(*chunks: bytes) -> list[Event]:
    parser = Parser()
    return [event for chunk in chunks for event in parser.feed(chunk)]


def one_by_one(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


# The examples of the standard, in its order.


def test_example_of_three_lines() -> None:
    """Consecutive data lines are one event, joined with LF."""
    assert parse(b"data: YHOO\ndata: +2\ndata: 10\n\n") == [Event("YHOO\n+2\n10")]


def test_example_of_four_blocks() -> None:
    """
    A comment block fires nothing, an `id` alone resets the ID, one leading space goes, and what
    no blank line ends is dropped.
    """
    stream = (
        b": test stream\n\n"
        b"data: first event\nid: 1\n\n"
        b"data:second event\nid\n\n"
        b"data:  third event\n"
    )
    assert parse(stream) == [Event("first event", id="1"), Event("second event")]
    assert parse(stream, b"\n")[2] == Event(" third event")


def test_example_of_empty_data() -> None:
    """`data` without a value is an event with empty data, two of them one with an LF."""
    assert parse(b"data\n\ndata\ndata\n\ndata:") == [Event(""), Event("\n")]


def test_example_of_the_optional_space() -> None:
    """The space after the colon is optional, and makes no difference."""
    assert parse(b"data:test\n\ndata: test\n\n") == [Event("test"), Event("test")]


def test_example_of_named_events() -> None:
    """An event's type is its own: the next one is a `message` again."""
    stream = b"event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\ndata: 113411\n\n"
    assert parse(stream) == [
        Event("73857293", type="add"),
        Event("2153", type="remove"),
        Event("113411"),
    ]


# Line ends, and bytes cut anywhere.


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_each_line_end_means_the_same(end: bytes) -> None:
    """CR, LF and CRLF end a line, and CRLF ends one line, not two."""
    stream = end.join([b"id: 1", b"data: a", b"data: b", b"", b"data: c", b"", b""])
    assert parse(stream) == [Event("a\nb", id="1"), Event("c", id="1")]
    assert parse(*one_by_one(stream)) == parse(stream)


def test_stream_cut_anywhere_gives_the_same_events() -> None:
    """No cut in a CRLF, a character or the byte order mark can be seen in the events."""
    assert parse(TRICKY) == TRICKY_EVENTS
    for at in range(len(TRICKY) + 1):
        assert parse(TRICKY[:at], TRICKY[at:]) == TRICKY_EVENTS, at


def test_stream_cut_twice_gives_the_same_events() -> None:
    """Nor can any two cuts, with an empty chunk between them where they meet."""
    for first in range(len(TRICKY) + 1):
        for second in range(first, len(TRICKY) + 1):
            chunks = TRICKY[:first], TRICKY[first:second], TRICKY[second:]
            assert parse(*chunks) == TRICKY_EVENTS, (first, second)


def test_stream_fed_by_the_byte_gives_the_same_events() -> None:
    """One byte at a time is a way to cut like any other."""
    assert parse(*one_by_one(TRICKY)) == TRICKY_EVENTS


def test_event_is_not_held_back_for_an_lf() -> None:
    """A blank line that ends in CR dispatches at the CR; its late LF does not dispatch again."""
    parser = Parser()
    assert parser.feed(b"data: a\r\n\r") == [Event("a")]
    assert parser.feed(b"") == []
    assert parser.feed(b"\ndata\r") == []
    assert parser.feed(b"\n") == []
    assert parser.feed(b"\n") == [Event("")]


def test_only_cr_and_lf_end_lines() -> None:
    """U+0085, U+2028, U+2029, VT, FF and the separators are characters like any other."""
    text = "a\u0085b\u2028c\u2029d\ve\ff\x1cg\x1dh\x1ei"
    assert parse(f"data: {text}\n\n".encode()) == [Event(text)]


def test_one_byte_order_mark_is_ignored() -> None:
    """One at the very start; a second one, or a later one, is part of the field's name."""
    assert parse(b"\xef\xbb\xbfdata: a\n\n\xef\xbb\xbfdata: b\n\n") == [Event("a")]
    assert parse(b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n") == []
    assert parse(b"\n\xef\xbb\xbfdata: a\n\n") == []


def test_bytes_that_are_not_utf8_are_replaced() -> None:
    """A broken sequence is U+FFFD in data, type and id, and never swallows the line's end."""
    stream = b"event: \xff\nid: \xe2\x82\ndata: a\xf0\x9f\ndata: b\xed\xa0\x80\n\n"
    event = Event("a\ufffd\nb\ufffd\ufffd\ufffd", type="\ufffd", id="\ufffd")
    assert parse(stream) == [event]


# The fields, one by one.


def test_block_without_data_dispatches_nothing() -> None:
    """A type, an id, comments or a blank line make no event, and the type does not linger."""
    assert parse(b"event: add\n\n: c\n\n\n\nid: 1\n\ndata: a\n\n") == [Event("a", id="1")]


def test_comment_inside_an_event_is_silent() -> None:
    """A heartbeat changes nothing, wherever between two lines it comes."""
    assert parse(b":\ndata: a\n:data: b\n: \ndata: c\n:\n\n:\n") == [Event("a\nc")]


@pytest.mark.parametrize("line", [b"Data: x", b" data: x", b"data : x", b"dat: x", b"x", b"foo:"])
def test_unknown_field_is_ignored(line: bytes) -> None:
    """A field's name is compared as it stands: no case, no space is forgiven."""
    assert parse(line + b"\n\n") == []
    assert parse(b"data: a\n" + line + b"\n\n") == [Event("a")]


def test_one_leading_space_goes() -> None:
    """One U+0020, not two and not a tab; a trailing one stays, and so does a second colon."""
    assert parse(b"data:  a \ndata:\tb\ndata:c: d\n\n") == [Event(" a \n\tb\nc: d")]


def test_newest_type_in_a_block_wins() -> None:
    """A later `event` replaces the first, and an empty one brings the default back."""
    assert parse(b"event: a\nevent: b\ndata\n\n") == [Event("", type="b")]
    assert parse(b"event: a\nevent\ndata\n\n") == [Event("")]


def test_last_event_id_stays_until_changed() -> None:
    """An event without an `id` reports the one in force; an empty `id` resets it."""
    stream = b"id: 1\ndata: a\n\ndata: b\n\nid: 2\ndata: c\n\nid:\ndata: d\n\n"
    assert [event.id for event in parse(stream)] == ["1", "1", "2", ""]


def test_next_connection_goes_on_from_the_last_event_id() -> None:
    """An event without an id, first on a new connection, bears the id of the one before."""
    parser = Parser(last_event_id="7")
    assert [event.id for event in parser.feed(b"data: a\n\n")] == ["7"]
    assert parser.last_event_id == "7"


def test_id_with_nul_is_ignored() -> None:
    """The ID before it stays in force."""
    parser = Parser()
    assert parser.feed(b"id: 1\n\nid: 2\0\ndata: a\n\n") == [Event("a", id="1")]
    assert parser.last_event_id == "1"


def test_last_event_id_counts_from_the_blank_line() -> None:
    """A reconnect after half a block asks for that block's event again."""
    parser = Parser()
    parser.feed(b"id: 1\ndata: a\n\nid: 2\ndata: b\n")
    assert parser.last_event_id == "1"
    parser.feed(b"\n")
    assert parser.last_event_id == "2"


def test_block_without_data_sets_the_last_event_id() -> None:
    """An `id` and a blank line move the ID on, with no event."""
    parser = Parser()
    assert parser.feed(b"id: 7\n\n") == []
    assert parser.last_event_id == "7"


def test_reconnection_time_is_in_force_at_once() -> None:
    """The parser has it before any blank line; the event has what its own block set."""
    parser = Parser()
    assert parser.retry_ms is None
    assert parser.feed(b"retry: 0150\n") == []
    assert parser.retry_ms == 150
    assert parser.feed(b"data: a\n\ndata: b\n\n") == [Event("a", retry_ms=150), Event("b")]
    assert parser.feed(b"retry: 99\n\ndata: c\n\n") == [Event("c")]
    assert parser.retry_ms == 99


@pytest.mark.parametrize(
    "value", ["", "-1", "+1", "1.5", "1e3", "1_000", "1000x", " 1000", "1 ", "٣", "²", "9" * 5000]
)
def test_reconnection_time_that_is_no_number_is_ignored(value: str) -> None:
    """ASCII digits only, and at most as many as a time can have."""
    parser = Parser()
    parser.feed(b"retry: 3000\n" + f"retry: {value}\n\n".encode())
    assert parser.retry_ms == 3000


def test_reconnection_time_may_begin_with_zeros() -> None:
    """Zeros in front are not what makes a number long."""
    parser = Parser()
    parser.feed(b"retry: " + b"0" * 5000 + b"\n")
    assert parser.retry_ms == 0
    parser.feed(b"retry: " + b"0" * 5000 + f"{MAX_RETRY_MS}\n".encode())
    assert parser.retry_ms == MAX_RETRY_MS
