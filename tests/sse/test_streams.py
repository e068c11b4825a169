"""All streams of an application: what is answered, how many there may be, and their timer."""

import asyncio
import logging

import pytest

from sse.asgi import Headers, Message, Scope
from sse.channel import Channel, Frame
from sse.feed import HEARTBEAT
from sse.parser import Parser
from sse.streams import HEADERS, SWEEP_SLICE, Streams, TooManyStreamsError
from tests.sse.fakes import Client, Clock, UvicornClient, run, run_in_no_time, settle
from tests.sse.opened import frame

both = pytest.mark.parametrize("client_of", [UvicornClient, Client])
"""A client behind a `send` that may be stepped, and one behind a `send` that may not."""


def request(*headers: tuple[bytes, bytes], method: str = "GET") -> Scope:
    return {"type": "http", "method": method, "headers": list(headers)}


def served(
    streams: Streams,
    channel: Channel,
    client: Client,
    *headers: tuple[bytes, bytes],
    method: str = "GET",
) -> asyncio.Task[None]:
    scope = request(*headers, method=method)
    return asyncio.create_task(streams.serve(channel, scope, client.receive, client.send))


async def answer(channel: Channel, scope: Scope, extra: Headers | None = None) -> list[Message]:
    """Give the whole answer to a request that is answered at once."""
    client = Client()
    await Streams().serve(channel, scope, client.receive, client.send, headers=extra)
    return client.sent


# What is answered


@both
def test_headers_keep_the_stream_live_on_its_way(client_of: type[Client]) -> None:
    """No cache, no compression, no buffering proxy, and no header that HTTP/2 forbids."""

    async def test() -> None:
        client = client_of()
        task = served(Streams(), Channel(frame("0"), closed=True), client)
        await task
        assert client.sent[0]["status"] == 200
        assert client.sent[0]["headers"] == [
            (b"content-type", b"text/event-stream"),
            (b"cache-control", b"no-store, no-transform"),
            (b"x-accel-buffering", b"no"),
        ]

    run(test())


def test_headers_of_the_caller_are_added() -> None:
    """What one answer adds is not in the next one."""

    async def test() -> None:
        extra = [(b"vary", b"origin")]
        channel = Channel(frame("0"), closed=True)
        for method, status in (("GET", 200), ("HEAD", 200)):
            sent = await answer(channel, request(method=method), extra)
            assert (sent[0]["status"], sent[0]["headers"]) == (status, HEADERS + extra)
        has_it = request((b"last-event-id", b"0"))
        assert (await answer(channel, has_it, extra))[0]["headers"] == extra
        assert (await answer(channel, request()))[0]["headers"] == HEADERS

    run(test())


def test_head_is_the_headers_alone() -> None:
    """A HEAD request is over at once, however long the stream would last."""

    async def test() -> None:
        sent = await answer(Channel(frame("0")), request(method="HEAD"))
        assert [message["type"] for message in sent] == [
            "http.response.start",
            "http.response.body",
        ]
        assert (sent[0]["status"], sent[0]["headers"]) == (200, HEADERS)
        assert (sent[1]["body"], sent[1]["more_body"]) == (b"", False)

    run(test())


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_client_that_has_the_last_frame_is_told_to_stop(method: str) -> None:
    """204, and an EventSource does not come back; any other answer, and it would for ever."""

    async def test() -> None:
        scope = request((b"last-event-id", b"9"), method=method)
        sent = await answer(Channel(frame("9"), closed=True), scope)
        assert (sent[0]["status"], sent[0]["headers"]) == (204, [])
        assert (sent[1]["body"], sent[1]["more_body"]) == (b"", False)

    run(test())


@pytest.mark.parametrize("last_event_id", [b"8", b"", b"99", b"\xff", b"9 "])
def test_any_other_last_event_id_gets_the_newest(last_event_id: bytes) -> None:
    """An id of another server, of another life or of no sense is no error."""

    async def test() -> None:
        client = Client()
        channel = Channel(frame("9"), closed=True)
        await served(Streams(), channel, client, (b"last-event-id", last_event_id))
        assert client.data == ["9"]
        assert client.complete

    run(test())


@both
def test_newest_frame_is_not_resent(client_of: type[Client]) -> None:
    """Last-Event-ID of the newest frame: nothing was missed, and the next event is the first."""

    async def test() -> None:
        client = client_of()
        channel = Channel(Frame.of(b"nine", id="9\u00e4"))
        task = served(Streams(), channel, client, (b"last-event-id", "9\u00e4".encode()))
        await settle()
        assert client.bodies == []
        channel.publish(frame("10"))
        await settle()
        (event,) = client.events
        assert event.data == "10"
        assert event.retry_ms is not None
        client.leave()
        await task

    run(test())


def test_channel_without_a_frame_is_streamed() -> None:
    """A client may follow before there is anything, whatever id it brings."""

    async def test() -> None:
        client, channel = Client(), Channel()
        task = served(Streams(), channel, client, (b"last-event-id", b""))
        await settle()
        assert len(client.sent) == 1
        channel.publish(frame("1"), last=True)
        await task
        assert client.data == ["1"]

    run(test())


def test_empty_channel_that_is_closed_is_an_empty_stream() -> None:
    """There is nothing to tell and nothing to wait for."""

    async def test() -> None:
        sent = await answer(Channel(closed=True), request())
        assert [message.get("body") for message in sent] == [None, b""]

    run(test())


def test_reconnection_times_differ_by_a_tenth() -> None:
    """Clients that lost the same server do not all come back at once."""

    async def test() -> None:
        channel = Channel(frame("0"), closed=True)
        times = set()
        for _ in range(100):
            client = Client()
            await served(Streams(retry_ms=10_000), channel, client)
            times.add(client.events[0].retry_ms)
        assert all(time is not None and 9_000 <= time <= 11_000 for time in times)
        assert len(times) > 10

    run(test())


# How many


@both
def test_one_stream_too_many_is_refused(client_of: type[Client]) -> None:
    """The limit is told before anything is sent, and holds until a client has left."""

    async def test() -> None:
        streams, channel = Streams(limit=2), Channel(frame("0"))
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

    run(test())


def test_answers_that_do_not_last_are_not_limited() -> None:
    """HEAD and 204 are given where no stream fits."""

    async def test() -> None:
        streams = Streams(limit=0)
        for scope in (request(method="HEAD"), request((b"last-event-id", b"0"))):
            client = Client()
            channel = Channel(frame("0"), closed=True)
            await streams.serve(channel, scope, client.receive, client.send)
            assert client.complete

    run(test())


def test_statistics_and_log_tell_of_streams(caplog: pytest.LogCaptureFixture) -> None:
    """One line for each stream that ended: its time, what it was sent, what it skipped."""

    async def test() -> None:
        clock = Clock()
        streams, channel, client = Streams(clock=clock), Channel(frame("0")), UvicornClient()
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
    assert caplog.messages == ["stream closed after 2.5 s: 3 frames sent, 1 skipped"]


@pytest.mark.parametrize("name", ["heartbeat", "send_timeout"])
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_time_that_is_none_is_refused(name: str, value: float) -> None:
    """A heartbeat of 0 would flood every client with comments; it is refused at the start."""
    with pytest.raises(ValueError, match=f"{name} is {value}; it has to be above 0"):
        Streams(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["max_age", "retry_ms"])
@pytest.mark.parametrize("value", [-1, float("nan")])
def test_time_below_0_is_refused(name: str, value: float) -> None:
    """A negative age would end every stream at once, a negative `retry` is no field at all."""
    with pytest.raises(ValueError, match=f"{name} is {value}; the least is 0"):
        Streams(**{name: value})  # type: ignore[arg-type]


# The timer


@both
def test_heartbeats_come_from_one_timer(client_of: type[Client]) -> None:
    """However many idle streams there are, one timer keeps them all; each is late by a second."""

    async def test() -> None:
        streams, channel = Streams(), Channel(frame("0"))
        clients = [client_of() for _ in range(SWEEP_SLICE + 10)]
        tasks = [served(streams, channel, client) for client in clients]
        await asyncio.sleep(14.5)
        assert all(client.bodies[1:] == [] for client in clients)
        await asyncio.sleep(2)
        assert all(client.bodies[1:] == [HEARTBEAT] for client in clients)
        assert all(len(Parser().feed(b"".join(client.bodies))) == 1 for client in clients)
        loop = asyncio.get_running_loop()
        timers = [handle for handle in loop._scheduled if not handle.cancelled()]  # type: ignore[attr-defined]
        assert len(timers) == 2  # and the test's own deadline
        for client in clients:
            client.leave()
        await asyncio.wait(tasks)

    run_in_no_time(test())


@both
def test_event_postpones_the_heartbeat(client_of: type[Client]) -> None:
    """A stream with an event every ten seconds never has a comment."""

    async def test() -> None:
        streams, channel, client = Streams(), Channel(frame("0")), client_of()
        task = served(streams, channel, client)
        for number in range(20):
            await asyncio.sleep(10)
            channel.publish(frame(str(number)))
        await settle()
        assert HEARTBEAT not in client.bodies
        assert len(client.data) == 21
        client.leave()
        await task

    run_in_no_time(test())


@both
def test_stalled_client_is_dropped_by_the_timer(client_of: type[Client]) -> None:
    """One that stops reading is gone after half a minute, and little more."""

    async def test() -> None:
        streams, channel, client = Streams(), Channel(frame("0")), client_of()
        task = served(streams, channel, client)
        await settle()
        client.stall()
        channel.publish(frame("1"))
        began = asyncio.get_running_loop().time()
        await task
        assert 30 <= asyncio.get_running_loop().time() - began <= 31.5
        await settle()
        assert client.waiting == 0
        assert streams.statistics().open == 0

    run_in_no_time(test())


def test_ages_differ_by_a_tenth() -> None:
    """Streams opened together do not all end together, and each ends cleanly."""

    async def test() -> None:
        streams, channel = Streams(max_age=1000), Channel(frame("0"))
        clients = [UvicornClient() for _ in range(50)]
        tasks = [served(streams, channel, client) for client in clients]
        await asyncio.sleep(899)
        assert not any(task.done() for task in tasks)
        await asyncio.sleep(101)
        assert 0 < sum(task.done() for task in tasks) < 50
        await asyncio.sleep(102)
        assert all(task.done() for task in tasks)
        assert all(client.complete for client in clients)

    run_in_no_time(test())


def test_age_of_0_is_no_end() -> None:
    """With `max_age=0` a stream lasts as long as its client."""

    async def test() -> None:
        streams, client = Streams(max_age=0), UvicornClient()
        task = served(streams, Channel(frame("0")), client)
        await asyncio.sleep(100_000)
        assert not task.done()
        client.leave()
        await task

    run_in_no_time(test())


def test_short_times_are_kept() -> None:
    """The timer is as fine as the shortest time asks for."""

    async def test() -> None:
        streams, client = Streams(heartbeat=0.2), UvicornClient()
        task = served(streams, Channel(frame("0")), client)
        await asyncio.sleep(2.05)
        assert 7 <= client.bodies.count(HEARTBEAT) <= 10
        client.leave()
        await task

    run_in_no_time(test())


def test_timer_stops_with_the_last_stream_and_starts_with_the_next() -> None:
    """An application without streams is never woken for them."""

    async def test() -> None:
        loop = asyncio.get_running_loop()
        streams, channel = Streams(), Channel(frame("0"))
        for _ in range(2):
            client = UvicornClient()
            task = served(streams, channel, client)
            await asyncio.sleep(16)
            assert client.bodies.count(HEARTBEAT) == 1
            client.leave()
            await task
            await asyncio.sleep(2)
            timers = [handle for handle in loop._scheduled if not handle.cancelled()]  # type: ignore[attr-defined]
            assert len(timers) == 1  # the test's own deadline

    run_in_no_time(test())
