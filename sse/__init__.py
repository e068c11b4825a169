"""Server-Sent Events for ASGI, https://html.spec.whatwg.org/multipage/server-sent-events.html"""

from sse.channel import Channel, ClosedError, Frame, Subscriber
from sse.event import Event, comment, encode, escape_line_breaks
from sse.parser import EventTooLargeError, Parser
from sse.registry import StreamRegistry, TooManyStreamsError

__all__ = [
    "Channel",
    "ClosedError",
    "Event",
    "EventTooLargeError",
    "Frame",
    "Parser",
    "StreamRegistry",
    "Subscriber",
    "TooManyStreamsError",
    "comment",
    "encode",
    "escape_line_breaks",
]
