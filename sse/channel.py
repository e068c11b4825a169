"""The channel: the newest frame of one source of events, and who waits for the next."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from sse.event import encode

ROUND_SLICE = 128
"""
Subscribers served before the event loop gets its turn.

Writing to one socket takes 7 to 15 µs, so a slice holds the loop for less than 2 ms however many
subscribers there are: requests and other sessions are served between two slices.
"""


class ChannelError(Exception):
    """What a channel was asked for cannot be done."""


class ClosedError(ChannelError):
    """Something was published on a channel that had its last frame."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """
    An event, encoded once for all who get it.

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
    """One that follows a channel."""

    def notify(self) -> None:
        """
        Take note that the channel has a newer frame, or was closed.

        Called at any time between `subscribe` and `unsubscribe`, synchronously. Must neither wait
        nor raise.
        """


@dataclass(frozen=True, slots=True)
class ChannelStatistics:
    subscribers: int
    published: int


class Channel:
    """
    The newest frame, and the subscribers that wait for the next.

    Publishing never waits: a subscriber that is slow skips to the newest frame, and what a
    stalled one costs is bounded by one frame, whatever is published. A frame published while
    a round of notifications is under way takes the place of the one before it.

    `call_soon`, an event loop's, makes long rounds give way to other work after each slice;
    without it a round is one call.
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
        """Notify `subscriber` of each frame from now on; the newest one is its to look up."""
        self._subscribers[subscriber] = None

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Forget `subscriber`; one that is not subscribed is no error."""
        self._subscribers.pop(subscriber, None)

    def publish(self, frame: Frame, *, last: bool = False) -> None:
        """
        Make `frame` the newest, and with `last` close the channel in the same step.

        Raises:
            ClosedError: the channel was closed before.
        """
        if self.closed:
            raise ClosedError(f"frame {frame.id!r} was published after the last one")
        self.newest = frame
        self.closed = last
        self.published += 1
        self._notify_all()

    def close(self) -> None:
        """End the channel with what is newest; every subscriber is told, once."""
        if not self.closed:
            self.closed = True
            self._notify_all()

    def statistics(self) -> ChannelStatistics:
        """Tell how many follow the channel, and how many frames it had."""
        return ChannelStatistics(len(self._subscribers), self.published)

    def _notify_all(self) -> None:
        if self._round:
            # Those still to come in this round find the newer frame; those before them do not.
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
            except BaseException:  # it must not, but the next frame is to reach the others
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
