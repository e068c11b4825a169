"""
What is written for an event, and what is refused.

https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

import json

import pytest

from sse.event import MAX_RETRY_MS, Event, comment, encode, escape_line_breaks


def test_data_alone_is_one_field_and_a_blank_line() -> None:
    """An event of the default type has no `event:` line, and without an id no `id:` line."""
    assert encode("hello") == b"data: hello\n\n"


def test_every_field_has_its_line() -> None:
    """The fields stand one a line, the data last, so that they are in force when it is there."""
    frame = encode("hello", id="7", type="add", retry_ms=1500)
    assert frame == b"id: 7\nevent: add\nretry: 1500\ndata: hello\n\n"


def test_explicit_default_type_is_not_written() -> None:
    """`message` costs no bytes on the wire."""
    assert encode("hello", type="message") == encode("hello")


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_line_breaks_in_data_begin_new_data_lines(end: str) -> None:
    """No CR, LF or CRLF in the data can end the event or forge a field."""
    frame = encode(f"a{end}{end}id: forged{end}")
    assert frame == b"data: a\ndata: \ndata: id: forged\ndata: \n\n"


def test_mixed_line_breaks_are_each_one() -> None:
    """LF CR is two line breaks, CR LF is one."""
    assert encode("a\n\rb\r\nc") == b"data: a\ndata: \ndata: b\ndata: c\n\n"


def test_bytes_and_text_make_the_same_frame() -> None:
    """JSON that is bytes already need not be decoded to be sent."""
    text = '{"name": "Ωmega\u2028"}\nsecond'
    assert encode(text.encode(), id="Ω") == encode(text, id="Ω")


def test_bytes_are_not_checked() -> None:
    """Bytes that are not UTF-8 pass as they are; the receiver puts U+FFFD for them."""
    assert encode(b"\xff") == b"data: \xff\n\n"


def test_empty_data_is_still_an_event() -> None:
    """A data line with nothing in it is dispatched; no data line at all would not be."""
    assert encode("") == b"data: \n\n"


def test_empty_id_is_written() -> None:
    """`id=""` resets the last event ID, which leaving the field out does not."""
    assert encode("x", id="") == b"id: \ndata: x\n\n"


@pytest.mark.parametrize("bad", ["\0", "\r", "\n"])
@pytest.mark.parametrize("at", ["{}x", "x{}y", "x{}"])
def test_id_that_no_field_can_carry_is_refused(bad: str, at: str) -> None:
    """NUL makes a receiver ignore the id, a line break cuts it: neither is sent."""
    value = at.format(bad)
    with pytest.raises(ValueError, match="NUL, CR or LF") as caught:
        encode("x", id=value)
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "\n"])
def test_type_with_a_line_break_is_refused(value: str) -> None:
    """A type cannot forge a field."""
    with pytest.raises(ValueError, match="CR or LF") as caught:
        encode("x", type=value)
    assert repr(value) in str(caught.value)


def test_empty_type_is_refused() -> None:
    """On the wire an empty type means `message`, so whoever asks for one gets another."""
    with pytest.raises(ValueError, match="event type of 0 characters; the least is 1"):
        encode("x", type="")


@pytest.mark.parametrize("value", [-1, MAX_RETRY_MS + 1])
def test_reconnection_time_out_of_range_is_refused(value: int) -> None:
    """A minus sign would make the receiver ignore the field without a word."""
    with pytest.raises(ValueError, match=f"{value:,} ms; the limits are 0 and {MAX_RETRY_MS:,}"):
        encode("x", retry_ms=value)


def test_limits_of_the_reconnection_time_are_within() -> None:
    """0, which asks for an immediate reconnect, is a time like any other."""
    assert encode("x", retry_ms=0) == b"retry: 0\ndata: x\n\n"
    assert encode("x", retry_ms=MAX_RETRY_MS).startswith(b"retry: 999999999999999\n")


def test_lone_surrogate_is_refused() -> None:
    """A file name that is not UTF-8 fails here, with a ValueError, and not at the receiver."""
    with pytest.raises(ValueError, match="surrogates not allowed"):
        encode("\udcff")
    with pytest.raises(ValueError, match="surrogates not allowed"):
        encode("x", id="\udcff")


def test_comment_is_a_line_and_no_block() -> None:
    """No blank line follows a comment: some clients would dispatch an empty event there."""
    assert comment() == b":\n"
    assert comment("still here") == b":still here\n"


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_comment_of_two_lines_is_refused(end: str) -> None:
    """The second line would be read as a field."""
    with pytest.raises(ValueError, match="it may hold no CR or LF"):
        comment(f"a{end}data: forged")


def test_line_breaks_of_unicode_are_escaped() -> None:
    """The JSON means the same, and has nothing left that `str.splitlines` would split at."""
    value = {"a\u0085b": ["\u2028", "\u2029\u2029", "\\u2028", "Ω…\u0084\u2027"]}
    raw = json.dumps(value, ensure_ascii=False).encode()
    escaped = escape_line_breaks(raw)
    assert json.loads(escaped) == value
    assert len(raw.decode().splitlines()) > 1
    assert len(escaped.decode().splitlines()) == 1


def test_json_without_line_breaks_is_not_changed() -> None:
    """Other characters that share bytes with the three stay as they are."""
    for text in ("plain", "\u00c2\u0080…\u2027\u202a", "é \u00e2\u0080\u00a8"):
        assert escape_line_breaks(text.encode()) == text.encode()


def test_event_has_the_defaults_of_the_standard() -> None:
    """Data apart, an event nobody described is a `message` without an id."""
    assert Event("x") == Event(data="x", type="message", id="", retry_ms=None)
