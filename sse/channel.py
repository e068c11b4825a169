"""The channel: the newest frame of one source of events, and its subscribers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from sse.event import encode

ROUND_SLICE = 128
"""
Subscribers notified before `publish` yields to the event loop.

Writing to one socket takes 7 to 15 µs, so a slice holds the loop for less than 2 ms however many
subscribers there are: requests and other sessions are served between two slices.
"""


class ChannelError(Exception):
    """A channel cannot do what was requested."""


class ClosedError(ChannelError):
    """A frame was published on a closed channel."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """
    An event, encoded once for all its recipients.

    `chunk` is `encoded` as a chunk of an HTTP/1.1 body (RFC 9112, 7.1).
    """

    id: str
    data: bytes
    encoded: bytes
    chunk: bytes

    @classmethod
    def of(cls, data: bytes, *, id: str) -> "Frame":  # noqa: A002 - the field's name in the standard
        """
        Encode `data`, UTF-8 text, as an event of the default type.

        Raises:
            ValueError: `id` holds a NUL or a line break.
        """
        encoded = encode(data, id=id)
        return cls(id, data, encoded, b"%x\r\n%b\r\n" % (len(encoded), encoded))


class Subscriber(Protocol):
    """An object that a channel notifies of frames."""

    def notify(self) -> None:
        """
        React to a newer frame, or to the channel's end.

        Called at any time between `subscribe` and `unsubscribe`. Must neither wait nor raise.
        """


@dataclass(frozen=True, slots=True)
class ChannelStatistics:
    subscribers: int
    published: int


class Channel:
    """
    The newest frame, and the subscribers that wait for the next.

    Publishing never waits: a slow subscriber skips to the newest frame, so a stalled one holds at
    most one frame. A frame published while a round of notifications runs replaces the one before.

    With `call_soon` of an event loop, long rounds yield to the loop after each slice; without it
    a round is one call.
    """

    __slots__ = (
        "_again",
        "_call_soon",
        "_position",
        "_round",
        "_subscribers",
        "closed",
        "newest",
        "published",
    )

    def __init__(
        self,
        newest: Frame | None = None,
        *,
        closed: bool = False,
        call_soon: Callable[[Callable[[], None]], object] | None = None,
    ) -> None:
        self.newest = newest
        self.closed = closed
        self.published = 0
        self._call_soon = call_soon
        self._subscribers: dict[Subscriber, None] = {}
        self._round: tuple[Subscriber, ...] = ()
        self._position = 0
        self._again = False

    def subscribe(self, subscriber: Subscriber) -> None:
        """Notify `subscriber` of each later frame; it reads the current one from `newest`."""
        self._subscribers[subscriber] = None

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Remove `subscriber` if it is subscribed."""
        self._subscribers.pop(subscriber, None)

    def publish(self, frame: Frame, *, last: bool = False) -> None:
        """
        Make `frame` the newest, and with `last` close the channel in the same step.

        Raises:
            ClosedError: the channel is closed.
        """
        if self.closed:
            raise ClosedError(f"frame {frame.id!r} was published on a closed channel")
        self.newest = frame
        self.closed = last
        self.published += 1
        self._notify_all()

    def close(self) -> None:
        """Close the channel after the newest frame, and notify every subscriber once."""
        if not self.closed:
            self.closed = True
            self._notify_all()

    def statistics(self) -> ChannelStatistics:
        """Return the number of subscribers and of published frames."""
        return ChannelStatistics(len(self._subscribers), self.published)

    def _notify_all(self) -> None:
        if self._round:
            # Only subscribers that this round has not reached yet will find the newer frame.
            self._again = True
            return
        self._begin_round()
        self._continue_round()

    def _begin_round(self) -> None:
        self._round = tuple(self._subscribers)
        self._position = 0
        self._again = False

    def _continue_round(self) -> None:
        while self._round:
            end = self._position + ROUND_SLICE
            try:
                for subscriber in self._round[self._position : end]:
                    if subscriber in self._subscribers:
                        subscriber.notify()
            except BaseException:  # a later frame must still reach the others
                self._round = ()
                raise
            self._position = end
            if end >= len(self._round):
                self._round = ()
                if self._again:
                    self._begin_round()
            if self._round and self._call_soon is not None:
                self._call_soon(self._continue_round)
                return
