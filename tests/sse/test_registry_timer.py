"""The one timer of all streams: heartbeats, stalls and ages, on a loop that skips its waiting."""

import asyncio

import pytest

from sse.channel import Channel
from sse.parser import Parser
from sse.registry import SWEEP_SLICE, StreamRegistry
from sse.subscription import HEARTBEAT
from tests.support.asgi import Client, UvicornClient
from tests.support.running import settle
from tests.support.streams import each_server, frame, served


@pytest.mark.skips_waiting
@each_server
async def test_heartbeats_come_from_one_timer(client_of: type[Client]) -> None:
    """However many idle streams there are, one timer keeps them all; each is late by a second."""
    streams, channel = StreamRegistry(), Channel(frame("0"))
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


@pytest.mark.skips_waiting
@each_server
async def test_event_postpones_the_heartbeat(client_of: type[Client]) -> None:
    """A stream with an event every ten seconds never has a comment."""
    streams, channel, client = StreamRegistry(), Channel(frame("0")), client_of()
    task = served(streams, channel, client)
    for number in range(20):
        await asyncio.sleep(10)
        channel.publish(frame(str(number)))
    await settle()
    assert HEARTBEAT not in client.bodies
    assert len(client.data) == 21
    client.leave()
    await task


@pytest.mark.skips_waiting
@each_server
async def test_stalled_client_is_dropped_by_the_timer(client_of: type[Client]) -> None:
    """One that stops reading is gone after half a minute, and little more."""
    streams, channel, client = StreamRegistry(), Channel(frame("0")), client_of()
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


@pytest.mark.skips_waiting
async def test_ages_differ_by_a_tenth() -> None:
    """Streams opened together do not all end together, and each ends cleanly."""
    streams, channel = StreamRegistry(max_age=1000), Channel(frame("0"))
    clients = [UvicornClient() for _ in range(50)]
    tasks = [served(streams, channel, client) for client in clients]
    await asyncio.sleep(899)
    assert not any(task.done() for task in tasks)
    await asyncio.sleep(101)
    assert 0 < sum(task.done() for task in tasks) < 50
    await asyncio.sleep(102)
    assert all(task.done() for task in tasks)
    assert all(client.complete for client in clients)


@pytest.mark.skips_waiting
async def test_age_of_0_is_no_end() -> None:
    """With `max_age=0` a stream lasts as long as its client."""
    streams, client = StreamRegistry(max_age=0), UvicornClient()
    task = served(streams, Channel(frame("0")), client)
    await asyncio.sleep(100_000)
    assert not task.done()
    client.leave()
    await task


@pytest.mark.skips_waiting
async def test_short_times_are_kept() -> None:
    """The timer is as fine as the shortest time asks for."""
    streams, client = StreamRegistry(heartbeat=0.2), UvicornClient()
    task = served(streams, Channel(frame("0")), client)
    await asyncio.sleep(2.05)
    assert 7 <= client.bodies.count(HEARTBEAT) <= 10
    client.leave()
    await task


@pytest.mark.skips_waiting
async def test_timer_stops_with_the_last_stream_and_starts_with_the_next() -> None:
    """An application without streams is never woken for them."""
    loop = asyncio.get_running_loop()
    streams, channel = StreamRegistry(), Channel(frame("0"))
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
