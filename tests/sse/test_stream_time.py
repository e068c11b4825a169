"""Heartbeats and ages, by a clock that is moved."""

from dataclasses import replace

from sse.subscription import HEARTBEAT
from tests.support.asgi import CALM, UvicornClient
from tests.support.running import settle
from tests.support.streams import Kind, both, opened


@both
async def test_heartbeat_comes_after_silence_only(kind: Kind) -> None:
    """A comment is sent after 15 s without anything, and each event postpones it."""
    it = await opened(kind)
    it.tick_after(14.5)
    await settle()
    it.publish("1")
    await settle()
    it.tick_after(14.5)
    await settle()
    assert HEARTBEAT not in it.client.bodies
    it.tick_after(0.5)
    await settle()
    assert it.client.bodies[2:] == [HEARTBEAT]
    it.tick_after(14.5)
    await settle()
    assert it.client.bodies[2:] == [HEARTBEAT]
    it.tick_after(0.5)
    await settle()
    assert it.client.bodies[2:] == [HEARTBEAT, HEARTBEAT]
    assert it.client.data == ["0", "1"]
    await it.leave()


@both
async def test_heartbeat_is_not_caught_up_on(kind: Kind) -> None:
    """One that fell due while `send` waited is needless when it is back: there was no silence."""
    it = await opened(kind)
    it.client.stall()
    it.publish("1")
    await settle()
    it.tick_after(20)
    await settle()
    it.client.read()
    await settle()
    assert it.client.data == ["0", "1"]
    assert HEARTBEAT not in it.client.bodies
    await it.leave()


@both
async def test_heartbeat_stalls_like_any_message(kind: Kind) -> None:
    """An idle client that stopped reading is found by its heartbeats."""
    it = await opened(kind)
    it.client.stall()
    it.tick_after(15)
    await settle()
    assert it.client.waiting == 1
    it.tick_after(30)
    await it.gone()


@both
async def test_old_stream_ends_cleanly(kind: Kind) -> None:
    """At `max_age` the response is completed, with nothing missed, for its client to reconnect."""
    it = await opened(kind, limits=replace(CALM, max_age=100))
    it.tick_after(99.9)
    await settle()
    assert not it.task.done()
    it.tick_after(0.5)
    await it.gone()
    assert it.client.complete
    assert it.client.data == ["0"]


@both
async def test_old_stream_that_is_stalled_ends_in_its_time(kind: Kind) -> None:
    """Age alone cuts nobody off: one that does not read has `send_timeout`, as ever."""
    client = UvicornClient()
    it = await opened(kind, client=client, limits=replace(CALM, max_age=100))
    it.clock.now += 90
    client.stall()
    it.publish("1")
    await settle()
    it.tick_after(20)
    it.tick_after(9)
    await settle()
    assert not it.task.done()
    it.tick_after(1)
    await it.gone()
    assert client.transport.aborted


@both
async def test_stream_without_an_age_never_ends_of_it(kind: Kind) -> None:
    """An infinite `max_age` is never reached."""
    it = await opened(kind, limits=replace(CALM, max_age=float("inf")))
    it.tick_after(1e9)
    await settle()
    assert not it.task.done()
    await it.leave()
