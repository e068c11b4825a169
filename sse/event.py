"""
An event, and the bytes that carry it.

https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

from dataclasses import dataclass

DEFAULT_TYPE = "message"
"""The type of an event that names none; EventSource hands it to `onmessage`."""

MAX_RETRY_MS = 10**15 - 1
"""
The longest reconnection time, 31,000 years: a longer number need not fit the double that a
browser keeps it in, and Python refuses to read one of more than 4,300 digits.
"""

_LINE_BREAKS = (
    ("\u0085".encode(), rb"\u0085"),
    ("\u2028".encode(), rb"\u2028"),
    ("\u2029".encode(), rb"\u2029"),
)


@dataclass(frozen=True, slots=True)
class Event:
    """
    One server-sent event, as its receiver has it.

    `id` is the last event ID in force, whichever block set it, and empty when there is none.
    `retry_ms` is the reconnection time in milliseconds that the event's own block set, or None.
    Encoded again with all four fields, an event parses to its equal, whatever came before it.
    """

    data: str = ""
    type: str = DEFAULT_TYPE
    id: str = ""
    retry_ms: int | None = None


def encode(
    data: str | bytes,
    *,
    id: str | None = None,  # noqa: A002 - the wire's own name
    type: str = DEFAULT_TYPE,  # noqa: A002 - the wire's own name
    retry_ms: int | None = None,
) -> bytes:
    """
    The frame of one event: its fields and the blank line that dispatches it.

    Each CR, LF or CRLF in `data` begins a new line, and reaches the receiver as LF. `bytes` are
    taken as UTF-8 and not checked. `id=None` leaves the last event ID as it is, `id=""` resets it.

    Raises:
        ValueError: for what no field can carry: an id with NUL, CR or LF, a type that is empty
            or has CR or LF, a reconnection time below 0 or above `MAX_RETRY_MS`, and a lone
            surrogate anywhere (as `UnicodeEncodeError`).
    """
    head = ""
    if id is not None:
        _refuse("event ID", id, "\0\r\n", "NUL, CR or LF")
        head = f"id: {id}\n"
    if type != DEFAULT_TYPE:
        if not type:
            raise ValueError("event type of 0 characters; the least is 1")
        _refuse("event type", type, "\r\n", "CR or LF")
        head += f"event: {type}\n"
    if retry_ms is not None:
        if not 0 <= retry_ms <= MAX_RETRY_MS:
            limits = f"the limits are 0 and {MAX_RETRY_MS:,}"
            raise ValueError(f"reconnection time of {retry_ms:,} ms; {limits}")
        head += f"retry: {retry_ms}\n"
    return b"".join((head.encode(), b"data: ", _data_lines(data), b"\n\n"))


def comment(text: str = "") -> bytes:
    """
    One comment line, silent at every receiver: what keeps an idle connection open.

    No blank line follows: the standard ignores one, but several clients dispatch an empty event
    there. It may stand between two frames, not inside one.

    Raises:
        ValueError: for a text with CR or LF.
    """
    _refuse("comment", text, "\r\n", "CR or LF")
    return f":{text}\n".encode()


def escape_line_breaks(json: bytes) -> bytes:
    """
    The same JSON with U+0085, U+2028 and U+2029 written as escapes.

    They end no line in the standard, but they do for a client that splits with something like
    `str.splitlines`. The other characters it splits at, JSON never holds unescaped.
    """
    if json.isascii():
        return json
    for raw, escaped in _LINE_BREAKS:
        json = json.replace(raw, escaped)
    return json


def _data_lines(data: str | bytes) -> bytes:
    raw = data.encode() if isinstance(data, str) else data
    if b"\r" in raw:
        raw = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return raw.replace(b"\n", b"\ndata: ")


def _refuse(what: str, value: str, forbidden: str, names: str) -> None:
    if any(character in value for character in forbidden):
        raise ValueError(f"{what} {value!r}; it may hold no {names}")
