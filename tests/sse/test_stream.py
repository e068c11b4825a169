"""One stream, delivered both ways: what its client gets."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from sse.channel import Channel
from sse.direct import DirectStream
from sse.types import Message
from tests.support.asgi import Client
from tests.support.running import settle
from tests.support.streams import HEADERS, Kind, Opened, both, frame, opened, with_ends


@both
async def test_newest_frame_follows_the_headers_at_once(kind: Kind) -> None:
    """A client that connects need not wait for a change to see the state."""
    it = await opened(kind)
    assert it.client.sent == [
        {"type": "http.response.start", "status": 200, "headers": HEADERS},
        {
            "type": "http.response.body",
            "body": b"retry: 1000\nid: 0\ndata: 0\n\n",
            "more_body": True,
        },
    ]
    await it.leave()


@both
async def test_each_frame_is_one_message(kind: Kind) -> None:
    """A client that keeps up misses nothing and gets nothing twice."""
    it = await opened(kind)
    for name in "123":
        it.publish(name)
        await settle()
    assert it.client.data == ["0", "1", "2", "3"]
    assert it.subscription.frames_skipped == 0
    await it.leave()


@both
async def test_reconnection_time_is_told_in_a_first_event_that_comes_later(kind: Kind) -> None:
    """A client whose Last-Event-ID matched gets `retry` inside the block of its first event."""
    newest = frame("0")
    it = await opened(kind, channel=Channel(newest), sent=newest)
    assert it.client.bodies == []
    it.publish("1")
    await settle()
    assert it.client.bodies == [b"retry: 1000\nid: 1\ndata: 1\n\n"]
    (event,) = it.client.events
    assert (event.data, event.retry_ms) == ("1", 1000)
    await it.leave()


@both
async def test_last_frame_ends_the_response(kind: Kind) -> None:
    """A closed channel leaves no stream behind, and no client without the last frame."""
    it = await opened(kind)
    it.channel.publish(frame("1"), last=True)
    await it.gone()
    assert it.client.data == ["0", "1"]
    assert it.client.complete


@both
async def test_channel_closed_before_the_stream_gives_its_last_frame(kind: Kind) -> None:
    """A stream of what is over already is one event and the end."""
    it = Opened(kind, channel=Channel(frame("9"), closed=True))
    await it.gone()
    assert it.client.data == ["9"]
    assert it.client.complete


@both
async def test_end_is_clean_and_with_the_newest(kind: Kind) -> None:
    """`end` closes the response in due form, so that no client takes it for an error."""
    it = await opened(kind)
    it.stream.end()
    await it.gone()
    assert it.client.data == ["0"]
    assert it.client.complete


async def test_direct_stream_is_sent_to_within_publish() -> None:
    """No turn of the loop stands between a frame and the socket of one that keeps up."""
    it = await opened(DirectStream)
    it.publish("1", "2")
    assert it.client.data == ["0", "1", "2"]
    await it.leave()


@both
async def test_frame_published_while_a_round_is_under_way_reaches_every_stream(kind: Kind) -> None:
    """With rounds in slices too, every client ends with the newest, and the end."""
    channel = Channel(frame("0"), call_soon=asyncio.get_running_loop().call_soon)
    streams = [Opened(kind, channel=channel) for _ in range(300)]
    await settle()
    channel.publish(frame("1"))
    channel.publish(frame("2"))
    streams[-1].client.leave()
    await settle()
    assert all(it.client.data[-1] == "2" for it in streams[:-1])
    channel.publish(frame("3"))
    channel.publish(frame("4"), last=True)
    for it in streams:
        await it.gone()
    assert all(it.client.data[-1] == "4" for it in streams[:-1])


async def _by_sleep() -> None:
    await asyncio.sleep(0)


async def _by_task() -> None:
    await asyncio.create_task(asyncio.sleep(0))


async def _by_several() -> None:
    await asyncio.gather(asyncio.sleep(0), asyncio.sleep(0))
    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.set_result, None)
    await future
    await asyncio.sleep(0)


async def _by_timeout() -> None:
    await asyncio.sleep(0)
    async with asyncio.timeout(0):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
    await asyncio.sleep(0)


@both
@pytest.mark.parametrize("suspend", [_by_sleep, _by_task, _by_several, _by_timeout])
async def test_send_may_suspend_in_any_way(
    kind: Kind, suspend: Callable[[], Awaitable[None]]
) -> None:
    """A bare yield, a task, several futures, one that is done at once: each is waited for."""
    client = Client()

    async def send(message: Message) -> None:
        if len(client.sent) > 1:
            await suspend()
        await Client.send(client, message)

    it = await opened(kind, client=with_ends(client, send=send))
    for name in "123":
        it.publish(name)
        await settle()
    it.publish("4", "5")
    await settle()
    assert client.data[-1] == "5"
    assert client.data[:4] == ["0", "1", "2", "3"]
    await it.leave()


@both
async def test_send_can_clean_up_when_it_is_cancelled(kind: Kind) -> None:
    """A cancellation arrives inside `send`, which may wait in its clean-up, twice if need be."""
    client = Client()
    steps: list[str] = []

    async def send(message: Message) -> None:
        try:
            await Client.send(client, message)
        except asyncio.CancelledError:
            steps.append("cancelled")
            await asyncio.sleep(0)
            await asyncio.create_task(asyncio.sleep(0))
            steps.append("cleaned up")
            raise

    it = await opened(kind, client=with_ends(client, send=send))
    client.stall()
    it.publish("1")
    await settle()
    it.task.cancel()
    await asyncio.wait([it.task])
    await settle()
    assert steps == ["cancelled", "cleaned up"]


async def test_every_cancellation_arrives_in_the_send() -> None:
    """One that is cancelled again in its clean-up sees that too: nothing is lost on the way."""
    client = Client()
    steps: list[str] = []

    async def send(message: Message) -> None:
        try:
            await Client.send(client, message)
        except asyncio.CancelledError:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                await asyncio.sleep(0)
                steps.append("cancelled twice")
            raise

    it = await opened(DirectStream, client=with_ends(client, send=send))
    before = asyncio.all_tasks()
    client.stall()
    it.publish("1")
    await settle()
    (remainder,) = asyncio.all_tasks() - before
    for _ in range(2):
        remainder.cancel()
        await settle()
    assert steps == ["cancelled twice"]
    assert remainder.cancelled()
    await it.leave()


async def test_send_that_is_cancelled_by_another_goes_on_with_the_newest() -> None:
    """A frame may be lost to a cancelled `send`; the stream is not."""
    it = await opened(DirectStream)
    before = asyncio.all_tasks()
    it.client.stall()
    it.publish("1")
    it.client.read()
    (asyncio.all_tasks() - before).pop().cancel()
    await settle()
    it.publish("2")
    await settle()
    assert it.client.data[-1] == "2"
    await it.leave()
