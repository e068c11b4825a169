"""A client that is slow: what it gets, what it costs the others, when it is cut."""

import asyncio
import gc
import logging

import pytest

from sse.channel import Channel, Frame
from sse.direct import DirectStream
from sse.stream import TaskStream
from sse.types import Message
from tests.support.asgi import CALM, Client, UvicornClient
from tests.support.running import run, settle
from tests.support.streams import Kind, both, frame, opened, with_ends


@both
async def test_slow_client_gets_the_newest_when_it_reads_again(kind: Kind) -> None:
    """What was published while `send` waited is conflated: one frame follows, not a backlog."""
    it = await opened(kind)
    it.client.stall()
    it.publish("1")
    await settle()
    it.publish("2", "3", "4")
    await settle()
    assert it.client.waiting == 1
    it.client.read()
    await settle()
    assert it.client.data == ["0", "1", "4"]
    assert it.subscription.frames_skipped == 2
    it.publish("5")
    await settle()
    assert it.client.data == ["0", "1", "4", "5"]
    await it.leave()


@both
async def test_stalled_client_holds_up_nobody(kind: Kind) -> None:
    """One `send` that never comes back, and all others have every frame on time."""
    channel = Channel(frame("0"))
    streams = [await opened(kind, channel=channel) for _ in range(5)]
    stalled = streams[2]
    stalled.client.stall()
    for name in "123":
        channel.publish(frame(name))
        await settle()
        others = [it for it in streams if it is not stalled]
        assert all(it.client.data[-1] == name for it in others)
    assert stalled.client.data == ["0"]
    for it in streams:
        it.client.leave()
    for it in streams:
        await it.gone()


@both
async def test_last_frame_reaches_a_client_that_was_slow(kind: Kind) -> None:
    """The end is published while `send` waits: the frame and the end follow when it is back."""
    it = await opened(kind)
    it.client.stall()
    it.publish("1")
    await settle()
    it.channel.publish(frame("2"), last=True)
    await settle()
    it.client.read()
    await it.gone()
    assert it.client.data == ["0", "1", "2"]
    assert it.client.complete


@both
async def test_end_waits_for_a_client_that_reads_again(kind: Kind) -> None:
    """A slow client too gets the newest and a clean end, once it reads."""
    it = await opened(kind)
    it.client.stall()
    it.publish("1")
    await settle()
    it.publish("2")
    it.stream.end()
    await settle()
    assert not it.task.done()
    it.client.read()
    await it.gone()
    assert it.client.data == ["0", "1", "2"]
    assert it.client.complete


@both
async def test_stalled_client_is_cut(kind: Kind) -> None:
    """`cut` ends a stream whose `send` does not come back, and aborts its connection."""
    client = UvicornClient()
    it = await opened(kind, client=client)
    client.stall()
    it.publish("1")
    await settle()
    it.stream.end()
    await settle()
    assert not it.task.done()
    it.stream.abort()
    await it.gone()
    assert client.transport.aborted
    assert client.data == ["0"]


@both
async def test_idle_stream_is_cut(kind: Kind) -> None:
    """`cut` ends a stream that has nothing to send as well."""
    it = await opened(kind)
    it.stream.abort()
    await it.gone()
    assert not it.client.complete


@both
async def test_cutting_twice_is_cutting_once(kind: Kind) -> None:
    """A disconnect, a timer and a shutdown may all cut the same stream, at any moments."""
    it = await opened(kind)
    it.client.stall()
    it.publish("1")
    await settle()
    for _ in range(5):
        it.stream.abort()
        await asyncio.sleep(0)
    await it.gone()
    it.stream.abort()
    it.stream.end()


async def test_send_that_takes_its_time_to_be_cancelled_may_be_cut_again() -> None:
    """A wrapper that cleans up after a cancellation is cut again meanwhile, to no effect."""
    client = Client()
    cleaned = asyncio.Event()

    async def send(message: Message) -> None:
        try:
            await Client.send(client, message)
        except asyncio.CancelledError:
            await cleaned.wait()
            raise

    it = await opened(TaskStream, client=with_ends(client, send=send))
    client.stall()
    it.publish("1")
    await settle()
    it.stream.abort()
    await settle()
    it.stream.abort()
    it.tick_after(60)
    assert not it.task.done()
    cleaned.set()
    await it.gone()


@both
def test_stalled_client_is_cut_after_its_time(kind: Kind, caplog: pytest.LogCaptureFixture) -> None:
    """A client that stops reading is aborted after `send_timeout`, not before, which is logged."""

    async def test() -> None:
        it = await opened(kind)
        it.client.stall()
        it.publish("1")
        await settle()
        it.tick_after(29.9)
        await settle()
        assert not it.task.done()
        it.tick_after(0.2)
        await it.gone()

    with caplog.at_level(logging.INFO, "sse"):
        run(test())
    assert "stream aborted: the client read nothing for 30.1 s" in caplog.text


@both
async def test_time_of_one_stall_is_not_added_to_the_next(kind: Kind) -> None:
    """A client that is slow now and then is not one that stopped reading."""
    it = await opened(kind)
    for name in "123":
        it.client.stall()
        it.publish(name)
        await settle()
        it.tick_after(20)
        it.client.read()
        await settle()
    assert it.client.data == ["0", "1", "2", "3"]
    assert it.stream.stalled_for(it.clock.now) == 0
    await it.leave()


@both
async def test_headers_that_are_not_taken_are_a_stall(kind: Kind) -> None:
    """A client that does not even take the headers is dropped after `send_timeout`."""
    client = UvicornClient()
    client.stall()
    it = await opened(kind, client=client)
    assert client.waiting == 1
    it.tick_after(30)
    await it.gone()
    assert client.sent == []


@both
async def test_nothing_is_sent_before_the_headers_are(kind: Kind) -> None:
    """While the headers wait, an end and a heartbeat that fall due wait behind them."""
    client = UvicornClient()
    client.stall()
    it = await opened(kind, client=client)
    it.tick_after(20)
    it.stream.end()
    await settle()
    assert client.waiting == 1
    client.read()
    await it.gone()
    assert [message["type"] for message in client.sent] == [
        "http.response.start",
        "http.response.body",
    ]
    assert client.data == ["0"]
    assert client.complete


@both
async def test_stalled_clients_hold_a_bounded_number_of_frames(kind: Kind) -> None:
    """100,000 events and 100 clients that do not read: a frame each and the newest, no more."""
    channel = Channel(frame("0"))
    streams = [await opened(kind, channel=channel) for _ in range(100)]
    for it in streams:
        it.client.stall()
    for number in range(100_000):
        channel.publish(frame(str(number)))
        if number % 10_000 == 0:
            await settle()
    frames = sum(isinstance(thing, Frame) for thing in gc.get_objects())
    assert frames <= 2 * len(streams) + 2
    assert len(asyncio.all_tasks()) <= 3 * len(streams) + 1
    for it in streams:
        it.client.leave()
    for it in streams:
        await it.gone()


class Window:
    """An HTTP/2 stream that parks what its client has no room for."""

    pending_bytes = 0


async def test_http2_client_without_room_is_sent_nothing_more() -> None:
    """One frame is parked for it, no more; when there is room the newest follows."""
    client = UvicornClient()
    client.stream = window = Window()  # type: ignore[attr-defined]
    it = await opened(DirectStream, client=client)
    it.publish("1")
    window.pending_bytes = 100
    it.publish("2", "3")
    it.tick_after(1.0)
    assert it.client.data == ["0", "1"]
    window.pending_bytes = 0
    it.tick_after(1.0)
    assert it.client.data == ["0", "1", "3"]
    assert it.stream.stalled_for(it.clock.now) == 0
    await it.leave()


async def test_http2_client_that_gives_no_room_is_cut() -> None:
    """`send_timeout` holds for a stream whose `send` never waits, too."""
    client = UvicornClient()
    client.stream = window = Window()  # type: ignore[attr-defined]
    it = await opened(DirectStream, client=client)
    window.pending_bytes = 100
    it.publish("1")
    it.tick_after(CALM.send_timeout - 1)
    assert not client.transport.aborted
    it.tick_after(1)
    await it.gone()
    assert client.transport.aborted
