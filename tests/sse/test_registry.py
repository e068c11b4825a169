"""All streams of an application: what is answered, how many there may be, and what is counted."""

import asyncio
import logging

import pytest

from sse.channel import Channel, Frame
from sse.registry import HEADERS, StreamRegistry, TooManyStreamsError
from sse.types import Headers, Message, Scope
from tests.support.asgi import Client, Clock, UvicornClient
from tests.support.running import run, settle
from tests.support.streams import each_server, frame, request, served


async def answer(channel: Channel, scope: Scope, extra: Headers | None = None) -> list[Message]:
    """Return the whole response to a request that is answered at once."""
    client = Client()
    await StreamRegistry().serve(channel, scope, client.receive, client.send, headers=extra)
    return client.sent


@each_server
async def test_headers_keep_the_stream_live_on_its_way(client_of: type[Client]) -> None:
    """No cache, no compression, no buffering proxy, and no header that HTTP/2 forbids."""
    client = client_of()
    task = served(StreamRegistry(), Channel(frame("0"), closed=True), client)
    await task
    assert client.sent[0]["status"] == 200
    assert client.sent[0]["headers"] == [
        (b"content-type", b"text/event-stream"),
        (b"cache-control", b"no-store, no-transform"),
        (b"x-accel-buffering", b"no"),
    ]


async def test_headers_of_the_caller_are_added() -> None:
    """What one answer adds is not in the next one."""
    extra = [(b"vary", b"origin")]
    channel = Channel(frame("0"), closed=True)
    for method, status in (("GET", 200), ("HEAD", 200)):
        sent = await answer(channel, request(method=method), extra)
        assert (sent[0]["status"], sent[0]["headers"]) == (status, HEADERS + extra)
    has_it = request((b"last-event-id", b"0"))
    assert (await answer(channel, has_it, extra))[0]["headers"] == extra
    assert (await answer(channel, request()))[0]["headers"] == HEADERS


async def test_head_is_the_headers_alone() -> None:
    """A HEAD request is over at once, however long the stream would last."""
    sent = await answer(Channel(frame("0")), request(method="HEAD"))
    assert [message["type"] for message in sent] == [
        "http.response.start",
        "http.response.body",
    ]
    assert (sent[0]["status"], sent[0]["headers"]) == (200, HEADERS)
    assert (sent[1]["body"], sent[1]["more_body"]) == (b"", False)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_client_that_has_the_last_frame_is_told_to_stop(method: str) -> None:
    """204 stops an EventSource; after any other response it reconnects without limit."""
    scope = request((b"last-event-id", b"9"), method=method)
    sent = await answer(Channel(frame("9"), closed=True), scope)
    assert (sent[0]["status"], sent[0]["headers"]) == (204, [])
    assert (sent[1]["body"], sent[1]["more_body"]) == (b"", False)


@pytest.mark.parametrize("last_event_id", [b"8", b"", b"99", b"\xff", b"9 "])
async def test_any_other_last_event_id_gets_the_newest(last_event_id: bytes) -> None:
    """An id of another server, of another run or without meaning gets the newest frame."""
    client = Client()
    channel = Channel(frame("9"), closed=True)
    await served(StreamRegistry(), channel, client, (b"last-event-id", last_event_id))
    assert client.data == ["9"]
    assert client.complete


@each_server
async def test_newest_frame_is_not_resent(client_of: type[Client]) -> None:
    """Last-Event-ID of the newest frame: nothing was missed, and the next event is the first."""
    client = client_of()
    channel = Channel(Frame.of(b"nine", id="9\u00e4"))
    task = served(StreamRegistry(), channel, client, (b"last-event-id", "9\u00e4".encode()))
    await settle()
    assert client.bodies == []
    channel.publish(frame("10"))
    await settle()
    (event,) = client.events
    assert event.data == "10"
    assert event.retry_ms is not None
    client.leave()
    await task


async def test_last_event_id_is_known_however_it_is_written() -> None:
    """In capitals it is the same header."""
    closed = Channel(frame("7"), closed=True)
    (start, _) = await answer(closed, request((b"Last-Event-ID", b"7")))
    assert start["status"] == 204


async def test_channel_without_a_frame_is_streamed() -> None:
    """A client may follow before there is anything, whatever id it brings."""
    client, channel = Client(), Channel()
    task = served(StreamRegistry(), channel, client, (b"last-event-id", b""))
    await settle()
    assert len(client.sent) == 1
    channel.publish(frame("1"), last=True)
    await task
    assert client.data == ["1"]


async def test_empty_channel_that_is_closed_is_an_empty_stream() -> None:
    """There is nothing to tell and nothing to wait for."""
    sent = await answer(Channel(closed=True), request())
    assert [message.get("body") for message in sent] == [None, b""]


async def test_reconnection_times_differ_by_a_tenth() -> None:
    """Clients that lost the same server do not all come back at once."""
    channel = Channel(frame("0"), closed=True)
    times = set()
    for _ in range(100):
        client = Client()
        await served(StreamRegistry(retry_ms=10_000), channel, client)
        times.add(client.events[0].retry_ms)
    assert all(time is not None and 9_000 <= time <= 11_000 for time in times)
    assert len(times) > 10


@each_server
async def test_one_stream_too_many_is_refused(client_of: type[Client]) -> None:
    """The limit raises before anything is sent, and applies until a client has left."""
    streams, channel = StreamRegistry(limit=2), Channel(frame("0"))
    clients = [client_of() for _ in range(3)]
    first, second, third = (served(streams, channel, client) for client in clients)
    with pytest.raises(TooManyStreamsError, match="2 streams are open"):
        await third
    assert clients[2].sent == []
    clients[0].leave()
    await first
    again = served(streams, channel, clients[2])
    await settle()
    assert clients[2].data == ["0"]
    for client in clients:
        client.leave()
    await asyncio.wait([second, again])


async def test_answers_that_do_not_last_are_not_limited() -> None:
    """HEAD and 204 are given where no stream fits."""
    streams = StreamRegistry(limit=0)
    for scope in (request(method="HEAD"), request((b"last-event-id", b"0"))):
        client = Client()
        channel = Channel(frame("0"), closed=True)
        await streams.serve(channel, scope, client.receive, client.send)
        assert client.complete


def test_statistics_and_log_tell_of_streams(caplog: pytest.LogCaptureFixture) -> None:
    """A line when a stream opens, and one when it ends: duration, frames sent and skipped."""

    async def test() -> None:
        clock = Clock()
        streams, channel, client = StreamRegistry(clock=clock), Channel(frame("0")), UvicornClient()
        task = served(streams, channel, client)
        await settle()
        assert (streams.statistics().open, streams.statistics().opened) == (1, 1)
        client.stall()
        for name in "123":
            channel.publish(frame(name))
        client.read()
        await settle()
        clock.now += 2.5
        client.leave()
        await task
        found = streams.statistics()
        assert (found.open, found.opened, found.frames_sent, found.frames_skipped) == (0, 1, 3, 1)

    with caplog.at_level(logging.INFO, "sse"):
        run(test())
    assert caplog.messages == [
        "the first stream is delivered directly, by the publisher",
        "stream opened; 1 open now",
        "stream closed after 2.5 s: 3 frames sent, 1 skipped",
    ]


@pytest.mark.parametrize("name", ["heartbeat", "send_timeout"])
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_time_that_is_none_is_refused(name: str, value: float) -> None:
    """A heartbeat of 0 would flood every client with comments; it is refused at the start."""
    with pytest.raises(ValueError, match=f"{name} is {value}; it must be greater than 0"):
        StreamRegistry(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["max_age", "retry_ms"])
@pytest.mark.parametrize("value", [-1, float("nan")])
def test_time_below_0_is_refused(name: str, value: float) -> None:
    """A negative age would end every stream at once; a negative `retry` is ignored by clients."""
    with pytest.raises(ValueError, match=f"{name} is {value}; it must be 0 or greater"):
        StreamRegistry(**{name: value})  # type: ignore[arg-type]
