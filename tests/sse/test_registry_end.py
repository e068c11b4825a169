"""The common end of all streams, and the wrappers that ask which task calls `send`."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import pytest

from sse.channel import Channel
from sse.registry import DRAIN_GRACE, StreamRegistry
from sse.types import Message, Send
from tests.support.asgi import Client, UvicornClient
from tests.support.running import run, settle
from tests.support.streams import each_server, frame, request, served

Wrap: TypeAlias = Callable[[Send], Send]


def _not_at_all(send: Send) -> Send:
    return send


def _by_another(send: Send) -> Send:
    async def wrapped(message: Message) -> None:
        await send(message)

    return wrapped


both_wrapped = pytest.mark.parametrize("wrap", [_not_at_all, _by_another])


@pytest.mark.skips_waiting
@each_server
async def test_drain_ends_every_stream_cleanly(client_of: type[Client]) -> None:
    """Clients that read get the newest and a proper end, and nobody waits for anything."""
    streams, channel = StreamRegistry(), Channel(frame("0"))
    clients = [client_of() for _ in range(300)]
    tasks = [served(streams, channel, client) for client in clients]
    await settle()
    began = asyncio.get_running_loop().time()
    await streams.drain()
    assert asyncio.get_running_loop().time() == began
    assert streams.statistics().open == 0
    assert all(client.complete for client in clients)
    assert all(client.data == ["0"] for client in clients)
    await asyncio.wait(tasks)


@pytest.mark.skips_waiting
@each_server
async def test_drain_cuts_a_client_that_does_not_read(client_of: type[Client]) -> None:
    """One stalled client holds up a shutdown for half a second, and no longer."""
    streams, channel = StreamRegistry(), Channel(frame("0"))
    clients = [client_of() for _ in range(3)]
    tasks = [served(streams, channel, client) for client in clients]
    await settle()
    clients[1].stall()
    channel.publish(frame("1"))
    await settle()
    began = asyncio.get_running_loop().time()
    await streams.drain()
    assert asyncio.get_running_loop().time() - began == pytest.approx(DRAIN_GRACE)
    await asyncio.wait(tasks)
    assert [client.complete for client in clients] == [True, False, True]
    assert all(task.exception() is None for task in tasks)


@pytest.mark.skips_waiting
@each_server
async def test_drain_waits_for_a_client_that_reads_in_time(client_of: type[Client]) -> None:
    """A slow client that takes what it was sent within the grace is ended cleanly too."""
    streams, channel, client = StreamRegistry(), Channel(frame("0")), client_of()
    task = served(streams, channel, client)
    await settle()
    client.stall()
    channel.publish(frame("1"))
    channel.publish(frame("2"))
    asyncio.get_running_loop().call_later(DRAIN_GRACE / 2, client.read)
    await streams.drain()
    await task
    assert client.complete
    assert client.data[-1] == "2"


@pytest.mark.skips_waiting
@both_wrapped
async def test_drain_cuts_a_client_that_never_read_its_end(wrap: Wrap) -> None:
    """
    A client that stopped reading is cut though every `send` to it returned at once.

    The server has room for what it does not read, but cannot stop before it is gone.
    """
    streams, channel = StreamRegistry(), Channel(frame("0"))
    clients = [UvicornClient() for _ in range(3)]
    tasks = [
        asyncio.create_task(streams.serve(channel, request(), client.receive, wrap(client.send)))
        for client in clients
    ]
    await settle()
    clients[0].transport.buffered = clients[1].transport.buffered = 1
    loop = asyncio.get_running_loop()
    began = loop.time()
    loop.call_later(DRAIN_GRACE / 2, setattr, clients[1].transport, "buffered", 0)
    await streams.drain()
    assert loop.time() - began == pytest.approx(DRAIN_GRACE)
    assert all(client.complete for client in clients)
    assert [client.transport.aborted for client in clients] == [True, False, False]
    await asyncio.wait(tasks)


@pytest.mark.parametrize("buffered", [0, 1])
async def test_cut_after_the_end_spares_clients_that_have_read(buffered: int) -> None:
    """A connection whose stream ended and was read may serve the next request; it is not cut."""
    streams, client = StreamRegistry(), UvicornClient()
    task = served(streams, Channel(frame("0")), client)
    await settle()
    client.transport.buffered = buffered
    streams.end()
    await task
    assert client.complete
    streams.end()
    streams.abort()
    assert client.transport.aborted == bool(buffered)


@pytest.mark.skips_waiting
async def test_drain_without_streams_is_done_at_once() -> None:
    """Nothing is waited for where nothing is open, before the first stream and after the last."""
    streams, client = StreamRegistry(), UvicornClient()
    await streams.drain()
    await served(streams, Channel(frame("0")), client)
    began = asyncio.get_running_loop().time()
    await streams.drain()
    assert asyncio.get_running_loop().time() == began


@pytest.mark.skips_waiting
async def test_two_drains_at_once_are_done_together() -> None:
    """A host's own shutdown and the lifespan's may both drain; both return."""
    streams, channel, client = StreamRegistry(), Channel(frame("0")), UvicornClient()
    task = served(streams, channel, client)
    await settle()
    client.stall()
    channel.publish(frame("1"))
    drains = [asyncio.create_task(streams.drain()) for _ in range(2)]
    loop = asyncio.get_running_loop()
    began = loop.time()
    loop.call_later(DRAIN_GRACE / 2, client.read)
    await asyncio.wait(drains)
    assert loop.time() - began == pytest.approx(DRAIN_GRACE / 2)
    await task
    assert client.complete


@each_server
async def test_stream_opened_after_the_end_is_one_event(client_of: type[Client]) -> None:
    """A server that stops still answers, with the newest and the end, and is not held up."""
    streams, channel = StreamRegistry(), Channel(frame("0"))
    streams.end()
    client = client_of()
    await served(streams, channel, client)
    assert client.data == ["0"]
    assert client.complete
    client = client_of()
    await served(streams, channel, client, (b"last-event-id", b"0"))
    assert client.bodies == [b""]
    assert channel.statistics().subscribers == 0


@each_server
async def test_cut_ends_every_stream_that_is_left(client_of: type[Client]) -> None:
    """`cut` asks no client, and may come at any time, again too."""
    streams, channel = StreamRegistry(), Channel(frame("0"))
    clients = [client_of() for _ in range(5)]
    tasks = [served(streams, channel, client) for client in clients]
    await settle()
    for client in clients[::2]:
        client.stall()
    channel.publish(frame("1"))
    await settle()
    streams.end()
    for _ in range(4):
        streams.abort()
        await asyncio.sleep(0)
    await asyncio.wait(tasks)
    assert all(task.exception() is None for task in tasks)
    assert streams.statistics().open == 0


def _by_timeout(send: Send) -> Send:
    async def wrapped(message: Message) -> None:
        async with asyncio.timeout(60):
            await send(message)

    return wrapped


def _by_task(send: Send) -> Send:
    tasks: set[object] = set()

    async def wrapped(message: Message) -> None:
        tasks.add(asyncio.current_task())
        await asyncio.sleep(0)
        await send(message)
        tasks.add(asyncio.current_task())
        assert None not in tasks
        assert len(tasks) == 1, "a send was moved to another task"

    return wrapped


def _by_cancel_scope(send: Send) -> Send:
    """Do what a cancel scope does: note the task at the entry, insist on it at the exit."""

    async def wrapped(message: Message) -> None:
        host = asyncio.current_task()
        assert host is not None, "a scope needs a task"
        before = host.cancelling()
        try:
            await send(message)
        finally:
            assert asyncio.current_task() is host, "a scope was left in another task"
        assert host.cancelling() == before

    return wrapped


@pytest.mark.parametrize("wrap", [_by_timeout, _by_task, _by_cancel_scope])
async def test_wrapped_send_is_called_in_the_streams_own_task(wrap: Wrap) -> None:
    """A middleware that asks who calls it is right, whatever the server under it is."""
    streams, channel, client = StreamRegistry(), Channel(frame("0")), UvicornClient()
    send = wrap(client.send)
    task = asyncio.create_task(streams.serve(channel, request(), client.receive, send))
    await settle()
    asyncio.get_running_loop().call_soon(channel.publish, frame("1"))  # from no task at all
    await settle()
    client.stall()
    channel.publish(frame("2"))
    await settle()
    channel.publish(frame("3"))
    channel.publish(frame("4"))
    client.read()
    await settle()
    assert client.data == ["0", "1", "2", "4"]
    client.stall()
    channel.publish(frame("5"))
    await settle()
    streams.end()
    streams.abort()
    await task
    assert client.transport.aborted


@pytest.mark.parametrize("wrap", [_by_timeout, _by_task, _by_cancel_scope])
def test_server_that_is_not_known_is_served_by_the_letter(wrap: Wrap) -> None:
    """Without anything known of the server, a stream is right, and ends when its client does."""

    async def test() -> None:
        streams, channel, client = StreamRegistry(), Channel(frame("0")), Client()

        async def receive() -> Message:
            return await client.receive()

        task = asyncio.create_task(streams.serve(channel, request(), receive, wrap(client.send)))
        await settle()
        channel.publish(frame("1"))
        await settle()
        assert client.data == ["0", "1"]
        client.leave()
        await task
        assert channel.statistics().subscribers == 0

    run(test())


def test_wrapper_that_gives_no_coroutine_is_served() -> None:
    """ASGI asks for an awaitable: a `send` that returns a future is as good."""

    async def test() -> None:
        streams, channel, client = StreamRegistry(), Channel(frame("0")), UvicornClient()

        def send(message: Message) -> Awaitable[None]:
            return asyncio.ensure_future(client.send(message))

        task = asyncio.create_task(streams.serve(channel, request(), client.receive, send))
        await settle()
        channel.publish(frame("1"), last=True)
        await task
        assert client.data == ["0", "1"]

    run(test())
