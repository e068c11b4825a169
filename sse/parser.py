"""
A parser of event streams, from bytes to events, as the standard specifies it.

https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from codecs import BOM_UTF8

from sse.event import DEFAULT_TYPE, MAX_RETRY_MS, Event

MAX_EVENT_SIZE = 1024 * 1024
"""
The most bytes of one event that are held while it is unfinished: a peer that never ends a line
or a block must not take all memory. Line readers that know no events stop at 64 KiB (Go's
`bufio.Scanner`, `asyncio.StreamReader`), which a large JSON document does reach.
"""


class EventTooLargeError(ValueError):
    """The peer sent more of one event than the parser holds: the stream is of no more use."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"unfinished event of {size:,} bytes; the limit is {limit:,}")


class Parser:
    """
    One event stream, from its first byte to its last.

    The chunks may be cut anywhere: in a CRLF, a character or the byte order mark. An event is
    returned by the call that brings its blank line's first byte. What is unfinished when the
    stream ends is dropped with the parser, as the standard asks; a new connection takes a new one,
    which is given the last event ID that it goes on from.

    `last_event_id` and `retry_ms` (None until the peer sets one) are what a client reconnects with.

    Time is linear in the bytes fed, memory bounded by the chunk and a few times `max_event_size`.
    """

    def __init__(self, *, last_event_id: str = "", max_event_size: int = MAX_EVENT_SIZE) -> None:
        self.last_event_id = last_event_id
        self.retry_ms: int | None = None
        self._max_event_size = max_event_size
        self._excess_size = 0
        self._at_start = True
        self._after_cr = False
        self._line = bytearray()
        self._data = bytearray()
        self._type = b""
        self._id = last_event_id
        self._block_retry_ms: int | None = None

    def feed(self, data: bytes) -> list[Event]:
        """
        The events that these bytes complete.

        Raises:
            EventTooLargeError: when an event outgrows the limit, and at each call after that.
                Events completed by the same chunk are not lost to it: they are returned first,
                and the next call raises.
        """
        events: list[Event] = []
        if not self._excess_size:
            self._take(data, events)
        if self._excess_size and not events:
            raise EventTooLargeError(self._excess_size, self._max_event_size)
        return events

    def _take(self, data: bytes, events: list[Event]) -> None:
        if self._after_cr and data:
            # That CR ended its line at once; waiting for its LF would hold the event back.
            data = data.removeprefix(b"\n")
            self._after_cr = False
        if not data:
            return
        lines = data.splitlines()
        rest = b"" if data.endswith((b"\n", b"\r")) else lines.pop()
        self._after_cr = data.endswith(b"\r")
        for line in lines:
            if not self._fits(line):
                return
            if (event := self._end_line(line)) is not None:
                events.append(event)
        if self._fits(rest):
            self._line += rest

    def _fits(self, piece: bytes) -> bool:
        size = len(self._data) + len(self._line) + len(piece)
        if size <= self._max_event_size:
            return True
        self._excess_size = size
        self._line.clear()
        self._data.clear()
        return False

    def _end_line(self, line: bytes) -> Event | None:
        if self._line:
            line = bytes(self._line + line)
            self._line.clear()
        if self._at_start:
            line = line.removeprefix(BOM_UTF8)
            self._at_start = False
        if not line:
            return self._dispatch()
        # A comment has no name, and so is one more field that nobody knows.
        name, _, value = line.partition(b":")
        self._process_field(name, value.removeprefix(b" "))
        return None

    def _process_field(self, name: bytes, value: bytes) -> None:
        # Decoded only when whole: in UTF-8 no CR, LF, colon or space is part of anything longer.
        match name:
            case b"data":
                self._data += value
                self._data += b"\n"
            case b"event":
                self._type = value
            case b"id" if b"\0" not in value:
                self._id = value.decode(errors="replace")
            case b"retry" if value.isdigit():
                self._set_retry(value.lstrip(b"0") or b"0")

    def _set_retry(self, digits: bytes) -> None:
        if len(digits) <= len(str(MAX_RETRY_MS)):
            self.retry_ms = self._block_retry_ms = int(digits)

    def _dispatch(self) -> Event | None:
        self.last_event_id = self._id
        event = None
        if self._data:
            event = Event(
                data=self._data[:-1].decode(errors="replace"),
                type=self._type.decode(errors="replace") or DEFAULT_TYPE,
                id=self._id,
                retry_ms=self._block_retry_ms,
            )
            self._data.clear()
        self._type = b""
        self._block_retry_ms = None
        return event
