"""What one client is sent next, by the state of its channel."""

from sse.channel import Channel, Frame
from sse.parser import Parser
from sse.subscription import HEARTBEAT, Subscription
from sse.types import Message

RETRY = b"retry: 1000\n"


def frame(name: str) -> Frame:
    return Frame.of(b"x", id=name)


def body(message: Message | None) -> bytes:
    assert message is not None
    assert message["type"] == "http.response.body"
    assert message["more_body"]
    return bytes(message["body"])


def last_body(message: Message | None) -> bytes:
    assert message is not None
    assert not message["more_body"]
    return bytes(message["body"])


def test_newest_frame_comes_once() -> None:
    """A client gets the newest frame at once, and nothing until there is a newer one."""
    channel = Channel(frame("1"))
    subscription = Subscription(channel)
    assert body(subscription.take()) == b"id: 1\ndata: x\n\n"
    assert subscription.take() is None
    channel.publish(frame("2"))
    assert body(subscription.take()) == b"id: 2\ndata: x\n\n"
    assert subscription.take() is None


def test_channel_without_a_frame_has_nothing_to_send() -> None:
    """A stream may be open before the first frame is there."""
    channel = Channel()
    subscription = Subscription(channel)
    assert subscription.take() is None
    channel.publish(frame("1"))
    assert body(subscription.take()) == b"id: 1\ndata: x\n\n"


def test_frame_that_the_client_has_is_not_resent() -> None:
    """With the newest frame's id as Last-Event-ID, the next frame is the first one sent."""
    newest = frame("1")
    channel = Channel(newest)
    subscription = Subscription(channel, sent=newest)
    assert subscription.take() is None
    channel.publish(frame("2"))
    assert body(subscription.take()) == b"id: 2\ndata: x\n\n"


def test_prefix_is_in_the_block_of_the_first_frame_only() -> None:
    """No client that takes a block of its own for an event gets an empty one."""
    channel = Channel(frame("1"))
    subscription = Subscription(channel, RETRY)
    assert body(subscription.take()) == b"retry: 1000\nid: 1\ndata: x\n\n"
    channel.publish(frame("2"))
    assert body(subscription.take()) == b"id: 2\ndata: x\n\n"


def test_prefix_waits_for_the_first_frame_that_is_sent() -> None:
    """A heartbeat before the first event does not use up the reconnection time."""
    newest = frame("1")
    channel = Channel(newest)
    subscription = Subscription(channel, RETRY, sent=newest)
    subscription.heartbeat_due = True
    assert body(subscription.take()) == HEARTBEAT
    channel.publish(frame("2"))
    assert body(subscription.take()) == b"retry: 1000\nid: 2\ndata: x\n\n"


def test_slow_client_skips_to_the_newest() -> None:
    """What was published meanwhile is counted as skipped, and not sent."""
    channel = Channel(frame("1"))
    subscription = Subscription(channel)
    subscription.take()
    for name in "2345":
        channel.publish(frame(name))
    assert body(subscription.take()) == b"id: 5\ndata: x\n\n"
    assert subscription.take() is None
    assert (subscription.frames_sent, subscription.frames_skipped) == (2, 3)


def test_client_that_keeps_up_skips_nothing() -> None:
    """The frames before the stream was opened are not counted as skipped."""
    channel = Channel()
    for name in "123":
        channel.publish(frame(name))
    subscription = Subscription(channel)
    subscription.take()
    channel.publish(frame("4"))
    subscription.take()
    assert (subscription.frames_sent, subscription.frames_skipped) == (2, 0)


def test_heartbeat_is_one_line_and_no_event() -> None:
    """A comment is silent at a parser that follows the standard, and ends no block."""
    subscription = Subscription(Channel())
    subscription.heartbeat_due = True
    sent = body(subscription.take())
    assert sent == b":\n"
    assert subscription.take() is None
    assert Parser().feed(sent * 3) == []
    assert [event.id for event in Parser().feed(sent + frame("1").encoded)] == ["1"]


def test_frame_goes_before_a_heartbeat_and_makes_it_needless() -> None:
    """Whoever gets an event needs no comment."""
    subscription = Subscription(Channel(frame("1")))
    subscription.heartbeat_due = True
    assert body(subscription.take()) == b"id: 1\ndata: x\n\n"
    assert subscription.take() is None


def test_last_frame_of_a_channel_ends_the_response() -> None:
    """One message carries the last frame and the end; nothing follows it."""
    channel = Channel()
    subscription = Subscription(channel)
    channel.publish(frame("1"), last=True)
    assert last_body(subscription.take()) == b"id: 1\ndata: x\n\n"
    assert subscription.over
    subscription.heartbeat_due = True
    assert subscription.take() is None


def test_close_after_the_last_frame_ends_with_no_body() -> None:
    """A channel closed without a newer frame ends the response all the same."""
    channel = Channel(frame("1"))
    subscription = Subscription(channel)
    subscription.take()
    channel.close()
    assert last_body(subscription.take()) == b""
    assert subscription.take() is None


def test_ending_subscription_sends_what_is_newest_and_the_end() -> None:
    """A stream that is to end does so with the newest frame, not without it."""
    channel = Channel(frame("1"))
    subscription = Subscription(channel, ending=True)
    assert last_body(subscription.take()) == b"id: 1\ndata: x\n\n"
    assert subscription.take() is None


def test_end_takes_the_place_of_a_heartbeat() -> None:
    """No comment is sent after the response was to end."""
    subscription = Subscription(Channel(), ending=True)
    subscription.heartbeat_due = True
    assert last_body(subscription.take()) == b""
    assert subscription.take() is None


def test_chunk_is_of_a_frame_that_goes_out_as_it_is() -> None:
    """The first has the reconnection time in front of it, the last ends the response."""
    channel = Channel(frame("1"))
    subscription = Subscription(channel, RETRY)
    assert subscription.take_chunk() is None
    subscription.take()
    assert subscription.take_chunk() is None
    channel.publish(frame("2"))
    channel.publish(frame("3"))
    subscription.heartbeat_due = True
    assert subscription.take_chunk() == b"f\r\nid: 3\ndata: x\n\n\r\n"
    assert (subscription.frames_sent, subscription.frames_skipped) == (2, 1)
    assert subscription.take() is None
    channel.publish(frame("4"), last=True)
    assert subscription.take_chunk() is None
    assert last_body(subscription.take()) == b"id: 4\ndata: x\n\n"
    assert subscription.take_chunk() is None


def test_stream_that_ends_has_no_chunk() -> None:
    """What ends a stream goes through `send`, which ends the response."""
    channel = Channel()
    subscription = Subscription(channel)
    assert subscription.take_chunk() is None
    subscription.ending = True
    channel.publish(frame("1"))
    assert subscription.take_chunk() is None
