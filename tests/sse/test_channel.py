"""Publishing: who is notified, when, and which frame is the newest then."""

from collections.abc import Callable

import pytest

from sse.channel import ROUND_SLICE, Channel, ClosedError, Frame


class Reader:
    """A subscriber that reads the newest frame at each notification, as streams do."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.read: list[str] = []
        self.then: Callable[[], None] = lambda: None

    def notify(self) -> None:
        assert self.channel.newest is not None
        self.read.append(self.channel.newest.id)
        self.then()


class Loop:
    """An event loop's `call_soon`, whose turns are taken by hand."""

    def __init__(self) -> None:
        self.callbacks: list[Callable[[], None]] = []

    def call_soon(self, callback: Callable[[], None]) -> None:
        self.callbacks.append(callback)

    def turn(self) -> None:
        for callback in [self.callbacks.pop(0) for _ in range(len(self.callbacks))]:
            callback()

    def run(self) -> None:
        while self.callbacks:
            self.turn()


def frame(name: str) -> Frame:
    return Frame.of(b"x", id=name)


def crowd(channel: Channel, size: int) -> list[Reader]:
    readers = [Reader(channel) for _ in range(size)]
    for reader in readers:
        channel.subscribe(reader)
    return readers


def test_frame_is_encoded_once_with_its_id() -> None:
    """What is sent of a frame is made when the frame is, not for each client."""
    made = Frame.of(b'{"a":1}', id="7")
    assert (made.id, made.data, made.encoded) == ("7", b'{"a":1}', b'id: 7\ndata: {"a":1}\n\n')


def test_frame_with_an_id_of_two_lines_is_refused() -> None:
    """An id cannot forge a field."""
    with pytest.raises(ValueError, match="NUL, CR or LF"):
        Frame.of(b"x", id="a\nb")


def test_every_subscriber_is_told_within_publish() -> None:
    """No turn of an event loop stands between publishing and the subscribers."""
    channel = Channel()
    readers = crowd(channel, 3)
    channel.publish(frame("1"))
    channel.publish(frame("2"))
    assert [reader.read for reader in readers] == [["1", "2"]] * 3
    assert channel.newest is not None
    assert channel.newest.id == "2"


def test_subscribing_tells_nothing_by_itself() -> None:
    """The newest frame is the subscriber's own to look up: it is not told of what was before."""
    channel = Channel(frame("0"))
    (reader,) = crowd(channel, 1)
    assert reader.read == []


def test_subscribing_twice_is_subscribing_once() -> None:
    """No subscriber is notified twice of one frame."""
    channel = Channel()
    (reader,) = crowd(channel, 1)
    channel.subscribe(reader)
    channel.publish(frame("1"))
    assert reader.read == ["1"]
    assert channel.statistics().subscribers == 1


def test_unsubscribed_is_not_told() -> None:
    """A removed subscriber is forgotten at once; a second removal is ignored."""
    channel = Channel()
    reader, other = crowd(channel, 2)
    channel.unsubscribe(reader)
    channel.unsubscribe(reader)
    channel.publish(frame("1"))
    assert (reader.read, other.read) == ([], ["1"])


def test_last_frame_closes_in_the_same_step() -> None:
    """At the notification of the last frame the channel is closed already."""
    channel = Channel()
    (reader,) = crowd(channel, 1)
    closed: list[bool] = []
    reader.then = lambda: closed.append(channel.closed)
    channel.publish(frame("1"), last=True)
    assert closed == [True]


def test_publishing_after_the_last_frame_is_refused() -> None:
    """A terminal frame stays the newest."""
    channel = Channel()
    channel.publish(frame("1"), last=True)
    with pytest.raises(ClosedError, match="'2'"):
        channel.publish(frame("2"))
    assert channel.newest is not None
    assert channel.newest.id == "1"
    assert channel.statistics().published == 1


def test_close_tells_once() -> None:
    """A second close notifies nobody."""
    channel = Channel(frame("0"))
    (reader,) = crowd(channel, 1)
    channel.close()
    channel.close()
    assert channel.closed
    assert reader.read == ["0"]


def test_statistics_count_subscribers_and_frames() -> None:
    """The frame that a channel is made with was not published on it."""
    channel = Channel(frame("0"))
    crowd(channel, 2)
    channel.publish(frame("1"))
    assert (channel.statistics().subscribers, channel.statistics().published) == (2, 1)


def test_long_round_gives_way_after_each_slice() -> None:
    """A round yields to the event loop after a bounded number of subscribers."""
    loop = Loop()
    channel = Channel(call_soon=loop.call_soon)
    readers = crowd(channel, 2 * ROUND_SLICE + 1)
    channel.publish(frame("1"))
    told = [sum(bool(reader.read) for reader in readers)]
    while loop.callbacks:
        loop.turn()
        told.append(sum(bool(reader.read) for reader in readers))
    assert told == [ROUND_SLICE, 2 * ROUND_SLICE, 2 * ROUND_SLICE + 1]
    assert all(reader.read == ["1"] for reader in readers)


def test_round_of_one_full_slice_needs_no_second_turn() -> None:
    """Nothing is scheduled when no subscriber is left."""
    loop = Loop()
    channel = Channel(call_soon=loop.call_soon)
    crowd(channel, ROUND_SLICE)
    channel.publish(frame("1"))
    assert loop.callbacks == []


def test_frame_published_while_a_round_is_under_way_reaches_all() -> None:
    """Subscribers served before it are notified again; none keeps the older frame."""
    loop = Loop()
    channel = Channel(call_soon=loop.call_soon)
    readers = crowd(channel, 3 * ROUND_SLICE)
    channel.publish(frame("1"))
    channel.publish(frame("2"))
    channel.publish(frame("3"))
    assert sum(len(reader.read) for reader in readers) == ROUND_SLICE
    loop.run()
    assert readers[0].read == ["1", "3"]
    assert readers[-1].read[0] == "3"
    assert all(reader.read[-1] == "3" for reader in readers)


def test_without_call_soon_a_round_is_one_call() -> None:
    """Without `call_soon` every subscriber is notified within `publish`."""
    channel = Channel()
    readers = crowd(channel, 2 * ROUND_SLICE + 1)
    channel.publish(frame("1"))
    assert all(reader.read == ["1"] for reader in readers)


def test_close_while_a_round_is_under_way_is_told_to_all() -> None:
    """The end of a channel is not lost in a round for its last frame but one."""
    loop = Loop()
    channel = Channel(call_soon=loop.call_soon)
    readers = crowd(channel, 2 * ROUND_SLICE)
    seen_closed: set[Reader] = set()
    for reader in readers:
        reader.then = lambda reader=reader: seen_closed.update({reader} if channel.closed else ())  # type: ignore[misc]
    channel.publish(frame("1"))
    channel.close()
    loop.run()
    assert seen_closed == set(readers)


def test_one_that_left_during_a_round_is_not_told() -> None:
    """A subscriber that unsubscribed hears nothing more, even of a round begun before."""
    loop = Loop()
    channel = Channel(call_soon=loop.call_soon)
    readers = crowd(channel, ROUND_SLICE + 2)
    channel.publish(frame("1"))
    channel.unsubscribe(readers[-1])
    loop.run()
    assert readers[-1].read == []
    assert readers[-2].read == ["1"]


def test_one_that_came_during_a_round_is_told_of_the_next_frame() -> None:
    """A newcomer misses no frame that is published after it subscribed."""
    loop = Loop()
    channel = Channel(call_soon=loop.call_soon)
    crowd(channel, ROUND_SLICE + 1)
    channel.publish(frame("1"))
    (newcomer,) = crowd(channel, 1)
    channel.publish(frame("2"))
    loop.run()
    assert newcomer.read == ["2"]


def test_publishing_from_a_notification_is_told_to_all() -> None:
    """A subscriber may publish, without recursion; all end with the newest frame."""
    channel = Channel()
    readers = crowd(channel, 3)
    readers[1].then = lambda: None if channel.published == 2 else channel.publish(frame("2"))
    channel.publish(frame("1"))
    assert [reader.read for reader in readers] == [["1", "2"], ["1", "2"], ["2", "2"]]


def test_next_frame_reaches_all_after_one_that_raised() -> None:
    """A subscriber must not raise; one that does costs a frame, not the channel."""

    class Raising:
        def notify(self) -> None:
            raise RuntimeError("it must not")

    channel, raising = Channel(), Raising()
    channel.subscribe(raising)
    (reader,) = crowd(channel, 1)
    with pytest.raises(RuntimeError):
        channel.publish(frame("1"))
    channel.unsubscribe(raising)
    channel.publish(frame("2"))
    assert reader.read == ["2"]


def test_leaving_from_a_notification_disturbs_nobody() -> None:
    """A stream that ends at the frame of its notification leaves during the round."""
    channel = Channel()
    readers = crowd(channel, 3)
    readers[0].then = lambda: channel.unsubscribe(readers[0])
    channel.publish(frame("1"))
    channel.publish(frame("2"))
    assert [reader.read for reader in readers] == [["1"], ["1", "2"], ["1", "2"]]
