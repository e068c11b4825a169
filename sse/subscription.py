"""What one client is sent next: the newest frame, a heartbeat or the end. No I/O."""

from dataclasses import dataclass, field

from sse.channel import Channel, Frame
from sse.event import comment
from sse.types import Message

HEARTBEAT = comment()


@dataclass(slots=True, eq=False)
class Subscription:
    """
    The position of one client in a channel.

    `prefix` is sent before the first frame, without an empty line between them: some clients
    dispatch an event for a block without data. `sent` is the frame that the client has already;
    it is not sent again. `ending`: end after the newest frame. `over`: nothing more is sent.
    """

    channel: Channel
    prefix: bytes = b""
    sent: Frame | None = None
    ending: bool = False
    over: bool = False
    heartbeat_due: bool = False
    frames_skipped: int = 0
    _seen: int = field(init=False)
    _before: int = field(init=False)

    def __post_init__(self) -> None:
        self._seen = self._before = self.channel.published

    @property
    def frames_sent(self) -> int:
        """Frames taken, of those that were published and not skipped."""
        return self._seen - self._before - self.frames_skipped

    def take_chunk(self) -> bytes | None:
        """Return the next frame as a chunk, unless it is the first or last one of the response."""
        frame = self.channel.newest
        if frame is None or frame is self.sent or self.prefix:
            return None
        if self.over or self.ending or self.channel.closed:
            return None
        self.heartbeat_due = False
        self._note(frame)
        return frame.chunk

    def take(self) -> Message | None:
        """Return the next body to send, or None; the last has `more_body` false."""
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
        self._note(frame)
        if not self.prefix:
            return frame.encoded
        prefix, self.prefix = self.prefix, b""
        return prefix + frame.encoded

    def _note(self, frame: Frame) -> None:
        published = self.channel.published
        skipped = published - self._seen - 1
        if skipped > 0:
            self.frames_skipped += skipped
        elif skipped < 0:  # the frame is older than the subscription
            self._before -= 1
        self._seen = published
        self.sent = frame
