"""What one client is to be sent next: the newest frame, a heartbeat, the end. No I/O."""

from dataclasses import dataclass, field

from sse.asgi import Message
from sse.channel import Channel, Frame
from sse.event import comment

HEARTBEAT = comment()


@dataclass(slots=True, eq=False)
class Feed:
    """
    The place of one client in a channel.

    `prefix` goes out in front of the first frame, inside its block: some clients take a block of
    its own for an empty event. `sent` is the frame the client has; it is not sent again.
    """

    channel: Channel
    prefix: bytes = b""
    sent: Frame | None = None
    ending: bool = False
    over: bool = False
    heartbeat_due: bool = False
    frames_sent: int = 0
    frames_skipped: int = 0
    _seen: int = field(init=False)

    def __post_init__(self) -> None:
        self._seen = self.channel.published

    def take(self) -> Message | None:
        """Take the next body to send, or None while there is nothing; the last one ends it."""
        if self.over:
            return None
        frame = self.channel.newest
        last = self.channel.closed or self.ending
        if frame is not None and frame is not self.sent:
            body = self._take(frame)
        elif last:
            body = b""
        elif self.heartbeat_due:
            body = HEARTBEAT
        else:
            return None
        self.heartbeat_due = False
        self.over = last
        return {"type": "http.response.body", "body": body, "more_body": not last}

    def _take(self, frame: Frame) -> bytes:
        published = self.channel.published
        self.frames_sent += 1
        self.frames_skipped += max(0, published - self._seen - 1)
        self._seen = published
        self.sent = frame
        if not self.prefix:
            return frame.encoded
        prefix, self.prefix = self.prefix, b""
        return prefix + frame.encoded
