"""What is taken for granted of uvicorn, held against the installed uvicorn's own classes."""

import asyncio
import functools
import importlib
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest
from uvicorn.config import Config
from uvicorn.server import ServerState

from sse.channel import Channel
from sse.parser import Parser
from sse.registry import Delivery, StreamRegistry
from sse.types import Message, Receive, Scope, Send
from sse.uvicorn import Connection
from tests.support.asgi import UvicornClient
from tests.support.running import run, settle
from tests.support.streams import frame

PROTOCOLS = {
    "httptools": ("httptools_impl", "HttpToolsProtocol"),
    "h11": ("h11_impl", "H11Protocol"),
    "zttp": ("zttp_impl", "ZttpProtocol"),
    "zttp h2": ("zttp_h2_impl", "ZttpH2Protocol"),
}

GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"

App: TypeAlias = Callable[[Scope, Receive, Send], Any]

each = pytest.mark.parametrize("name", PROTOCOLS)
each_http1 = pytest.mark.parametrize("name", [name for name in PROTOCOLS if name != "zttp h2"])


class Wire(asyncio.Transport):
    """The server's side of a connection, whose peer reads when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.buffered = 0
        self.closing = False
        self.aborted = False
        self.protocol: Any = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def get_write_buffer_size(self) -> int:
        return self.buffered

    def get_extra_info(self, name: str, default: object = None) -> object:
        return default

    def get_protocol(self) -> Any:
        return self.protocol

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.aborted = self.closing = True

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class ServerConnection:
    """A connection to one of uvicorn's protocols, with a request for `app`."""

    def __init__(self, name: str, app: App) -> None:
        module, protocol = PROTOCOLS[name]
        pytest.importorskip(name.partition(" ")[0])
        found = getattr(importlib.import_module(f"uvicorn.protocols.http.{module}"), protocol)
        config = Config(app=app, log_config=None, lifespan="off", proxy_headers=False)
        config.load()
        self.state = ServerState()
        self.wire = Wire()
        self.wire.protocol = self.protocol = found(config, self.state, {})
        self.protocol.connection_made(self.wire)
        self.peer: Any = None
        if name == "zttp h2":
            self._ask_http2()
        else:
            self.protocol.data_received(GET)

    def _ask_http2(self, streams: int = 1) -> None:
        zttp = pytest.importorskip("zttp")
        self.peer = zttp.Connection(zttp.CLIENT, protocol=zttp.HTTP2)
        self.peer.initiate_connection()
        for _ in range(streams):
            self.peer.send_request(b"GET", b"/", b"HTTP/2", [(b"host", b"x")]).end_message()
        self.protocol.data_received(self.peer.data_to_send())

    def body(self) -> bytes:
        """Return the received body of the response, without its framing."""
        if self.peer is None:
            head, _, rest = bytes(self.wire.written).partition(b"\r\n\r\n")
            assert b"transfer-encoding: chunked" in head.lower()
            data = b""
            while rest:
                size, _, rest = rest.partition(b"\r\n")
                length = int(size, 16)
                data += rest[:length]
                assert rest[length : length + 2] == b"\r\n"
                rest = rest[length + 2 :]
            return data
        self.peer.receive_data(bytes(self.wire.written))
        self.wire.written.clear()
        data = b""
        while type(event := self.peer.next_event()).__name__ != "NeedData":
            data += getattr(event, "data", b"")
        return data

    async def lose(self) -> None:
        """Lose the connection, and wait for what the server had running for it."""
        self.protocol.connection_lost(None)
        if self.state.tasks:
            await asyncio.wait(self.state.tasks)
        await settle()
        self.protocol._unset_keepalive_if_required()


class Caught:
    """An application that keeps what it was called with until the client is gone."""

    def __init__(self) -> None:
        self.send: Send
        self.receive: Receive

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.send, self.receive = send, receive
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while (await receive())["type"] != "http.disconnect":
            pass


def serving(streams: StreamRegistry, channel: Channel) -> App:
    """Return an application that serves one stream of the channel."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await streams.serve(channel, scope, receive, send)

    return app


async def nothing() -> Message:
    """A `receive` of no known server."""
    return {"type": "http.disconnect"}


def can_step(send: Send) -> bool:
    return Connection(send, nothing).can_step


async def caught(name: str) -> tuple[ServerConnection, Caught]:
    app = Caught()
    connection = ServerConnection(name, app)
    await settle()
    return connection, app


@each
async def test_own_send_may_be_stepped(name: str) -> None:
    """`send` and `receive` are methods of the request cycle in every protocol of uvicorn's."""
    connection, app = await caught(name)
    assert can_step(app.send)
    await connection.lose()


@each
async def test_wrapped_send_may_not_be_stepped(name: str) -> None:
    """Whatever stands in front of `send` may care which task calls it."""
    connection, app = await caught(name)

    async def function(message: Message) -> None:
        await app.send(message)

    class Middleware:
        async def send(self, message: Message) -> None:
            await app.send(message)

        __call__ = send

    class Cycle(type(app.send.__self__)):  # type: ignore[misc]
        """One of another's own making, on uvicorn's."""

    derived = Cycle.__new__(Cycle)
    wrapped: list[Send] = [function, Middleware().send, Middleware(), derived.send]
    wrapped.append(functools.partial(app.send))
    assert [can_step(send) for send in wrapped] == [False] * len(wrapped)
    await connection.lose()


class TimedClient(UvicornClient):
    """A client whose `send` has a time limit, as that of a later uvicorn might."""

    __module__ = "uvicorn.protocols.http.fake"

    async def send(self, message: Message) -> None:
        async with asyncio.timeout(5):
            await super().send(message)


class TaskAwareClient(UvicornClient):
    """A client whose `send` asks which task runs it."""

    __module__ = "uvicorn.protocols.http.fake"

    async def send(self, message: Message) -> None:
        assert asyncio.current_task() is not None
        await super().send(message)


@pytest.mark.parametrize("kind", [TimedClient, TaskAwareClient])
async def test_send_that_needs_its_task_is_called_by_it(kind: type[UvicornClient]) -> None:
    """A frame published from a timer reaches a client whose `send` may not be stepped."""
    registry, channel, client = StreamRegistry(), Channel(frame("0")), kind()
    assert not can_step(client.send)
    scope = {"type": "http", "method": "GET", "headers": []}
    serving = asyncio.create_task(registry.serve(channel, scope, client.receive, client.send))
    await settle()
    assert registry.statistics().direct == 0
    asyncio.get_running_loop().call_soon(channel.publish, frame("1"))
    await settle()
    assert client.data == ["0", "1"]
    client.leave()
    await asyncio.wait([serving])


async def test_delivery_by_tasks_can_be_chosen() -> None:
    """`delivery="task"` steps no `send`, whatever the server is."""
    ways: dict[Delivery, int] = {"auto": 1, "task": 0}
    for delivery, direct in ways.items():
        registry = StreamRegistry(delivery=delivery)
        client, scope = UvicornClient(), {"type": "http", "method": "GET", "headers": []}
        serving = asyncio.create_task(
            registry.serve(Channel(frame("0")), scope, client.receive, client.send)
        )
        await settle()
        assert registry.statistics().direct == direct
        client.leave()
        await asyncio.wait([serving])


def test_what_no_server_gave_may_not_be_stepped() -> None:
    """A builtin has an owner too: its module."""
    assert not can_step(len)  # type: ignore[arg-type]
    assert not Connection(len, len).abort()  # type: ignore[arg-type]
    assert not Connection(len, len).unsent_bytes  # type: ignore[arg-type]


@each
async def test_first_step_of_send_is_the_whole(name: str) -> None:
    """A `send` is done in one step unless the transport is over its high-water mark."""
    connection, app = await caught(name)
    message = {"type": "http.response.body", "body": b"x", "more_body": True}
    step: Any = app.send(message)
    with pytest.raises(StopIteration):
        step.send(None)
    connection.protocol.pause_writing()
    step = app.send(message)
    assert step.send(None)._asyncio_future_blocking
    step.close()
    await connection.lose()


@each_http1
@pytest.mark.parametrize("wraps_send", [False, True])
async def test_abort_cuts_the_connection(name: str, wraps_send: bool) -> None:
    """Found behind `receive` too, where a middleware wraps `send` alone."""
    connection, app = await caught(name)

    async def wrapped(message: Message) -> None:
        await app.send(message)

    assert Connection(wrapped if wraps_send else app.send, app.receive).abort()
    assert connection.wire.aborted
    await connection.lose()


@each
def test_abort_is_not_possible_behind_wrappers(name: str) -> None:
    """Where both ends are wrapped nothing is known, and nothing done."""

    async def test() -> None:
        connection, app = await caught(name)
        connection.wire.buffered = 1

        async def send(message: Message) -> None:
            await app.send(message)

        async def receive() -> Message:
            return await app.receive()

        assert not Connection(send, receive).abort()
        assert not Connection(send, receive).unsent_bytes
        assert not connection.wire.aborted
        await connection.lose()

    run(test())


async def test_abort_of_http2_resets_the_one_stream() -> None:
    """Other streams of the connection go on; the one that is reset is notified at once."""
    connection, app = await caught("zttp h2")
    assert Connection(app.send, app.receive).abort()
    assert not connection.wire.aborted
    await asyncio.wait(connection.state.tasks)
    connection.peer.receive_data(bytes(connection.wire.written))
    names = []
    while (event := type(connection.peer.next_event()).__name__) != "NeedData":
        names.append(event)
    assert "RstStream" in names
    assert Connection(app.send, app.receive).abort()
    await connection.lose()


@pytest.mark.parametrize("stuck", ["paused", "closing"])
async def test_abort_of_http2_cuts_a_connection_that_is_stuck(stuck: str) -> None:
    """Where the peer takes nothing at all, a reset would wait behind the rest."""
    connection, app = await caught("zttp h2")
    if stuck == "paused":
        connection.protocol.pause_writing()
    else:
        connection.wire.closing = True
    assert Connection(app.send, app.receive).abort()
    assert connection.wire.aborted
    await connection.lose()


@each
async def test_only_http2_parks_bytes(name: str) -> None:
    """A stream over HTTP/2 reports the bytes that exceed its window; over HTTP/1 there is none."""
    connection, app = await caught(name)
    stream = Connection(app.send, nothing).http2_stream()
    assert (stream is not None) == (name == "zttp h2")
    assert Connection(len, nothing).http2_stream() is None  # type: ignore[arg-type]
    if stream is not None:
        assert not stream.pending_bytes
        body = bytes(100_000)  # more than the 65,535 that a stream begins with
        await app.send({"type": "http.response.body", "body": body, "more_body": True})
        assert stream.pending_bytes == 100_000 - 65_535
    await connection.lose()


async def test_chunk_is_what_send_would_have_written() -> None:
    """To the byte: a client cannot tell which way its event came."""
    connection, app = await caught("httptools")
    event = frame("1")
    connection.wire.written.clear()
    await app.send({"type": "http.response.body", "body": event.encoded, "more_body": True})
    assert connection.wire.written == event.chunk
    await connection.lose()


@each
async def test_chunks_are_written_to_what_frames_them_so(name: str) -> None:
    """Over httptools alone, once the response has begun, and never behind a wrapper."""
    before: list[object] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        before.append(Connection(send, nothing).chunked_cycle())
        await caught_app(scope, receive, send)

    caught_app = Caught()
    connection = ServerConnection(name, app)
    await settle()
    assert before == [None]
    assert (Connection(caught_app.send, nothing).chunked_cycle() is not None) == (
        name == "httptools"
    )
    assert Connection(functools.partial(caught_app.send), nothing).chunked_cycle() is None
    await connection.lose()


@pytest.mark.parametrize("way", ["wrapped", "buffers", "waits", "fails"])
async def test_send_that_does_anything_else_is_called(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An instrument sees every frame, and a server that has changed is not written past."""
    pytest.importorskip("httptools")
    from uvicorn.protocols.http import httptools_impl  # noqa: PLC0415 - it may not be installed

    cycle_class = httptools_impl.RequestResponseCycle
    own: Any = cycle_class.send

    async def send(self: Any, message: Message) -> None:
        seen.append(message)
        if message.get("body") and way != "wrapped":
            if way == "waits":
                await asyncio.sleep(0)
            if way == "fails":
                raise RuntimeError("broken")
            return
        await own(self, message)

    if way != "wrapped":  # as if it stood in uvicorn's own file
        send.__code__ = send.__code__.replace(co_filename=httptools_impl.__file__)
    seen: list[Message] = []
    monkeypatch.setattr(cycle_class, "send", send)

    connection, app = await caught("httptools")
    assert can_step(app.send) is (way == "wrapped")
    assert Connection(app.send, nothing).chunked_cycle() is None
    await connection.lose()


async def test_event_waits_where_send_would_wait_or_leave_it_out() -> None:
    """Neither past a client that is behind, nor to one that is gone."""
    streams, channel = StreamRegistry(), Channel(frame("0"))
    app = serving(streams, channel)
    connection = ServerConnection("httptools", app)
    await settle()
    connection.protocol.pause_writing()
    for number in "123":
        channel.publish(frame(number))
    connection.protocol.resume_writing()
    await settle()
    assert [event.data for event in Parser().feed(connection.body())] == ["0", "1", "3"]
    written = len(connection.wire.written)
    connection.protocol.connection_lost(None)
    channel.publish(frame("4"))
    assert len(connection.wire.written) == written
    await connection.lose()
    assert streams.open == 0


async def test_server_that_fails_to_write_costs_no_other_stream_its_frame() -> None:
    """The one is cut, the next gets its event."""
    streams, channel = StreamRegistry(), Channel(frame("0"))
    app = serving(streams, channel)

    def broken(data: bytes) -> None:
        raise RuntimeError("broken")

    failing, other = ServerConnection("httptools", app), ServerConnection("httptools", app)
    await settle()
    failing.wire.write = broken  # type: ignore[assignment, method-assign]
    channel.publish(frame("1"))
    await settle()
    assert failing.wire.aborted
    assert [event.data for event in Parser().feed(other.body())] == ["0", "1"]
    assert streams.open == 1
    await other.lose()
    await failing.lose()


@each
async def test_bytes_that_the_server_holds_are_seen(name: str) -> None:
    """What the peer has not read is seen behind either end."""
    connection, app = await caught(name)
    assert not Connection(app.send, app.receive).unsent_bytes
    connection.wire.buffered = 1
    assert Connection(app.send, app.receive).unsent_bytes
    assert Connection(len, app.receive).unsent_bytes  # type: ignore[arg-type]
    await connection.lose()


@each
@pytest.mark.parametrize("wraps", [False, True])
async def test_stream_over_each_protocol(name: str, wraps: bool) -> None:
    """Back pressure, conflation, a disconnect and a clean end, on the server's real classes."""
    streams, channel = StreamRegistry(), Channel(frame("0"))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def wrapped(message: Message) -> None:
            async with asyncio.timeout(60):
                await send(message)

        await streams.serve(channel, scope, receive, wrapped if wraps else send)

    gone, ended = ServerConnection(name, app), ServerConnection(name, app)
    await settle()
    channel.publish(frame("1"))
    await settle()
    ended.protocol.pause_writing()
    for number in "234":
        channel.publish(frame(number))
        await settle()
    await gone.lose()
    assert channel.statistics().subscribers == 1
    ended.protocol.resume_writing()
    await settle()
    channel.publish(frame("5"), last=True)
    await asyncio.wait(ended.state.tasks)
    parser = Parser()
    assert [event.data for event in parser.feed(ended.body())] == ["0", "1", "2", "4", "5"]
    await ended.lose()
    assert streams.statistics().open == 0


@each
async def test_shutdown_is_seen_without_a_signal(name: str) -> None:
    """Connections are marked, whatever made the server stop; at the next tick all streams end."""
    streams, channel = StreamRegistry(), Channel(frame("0"))
    app = serving(streams, channel)
    told, other = ServerConnection(name, app), ServerConnection(name, app)
    await settle()
    streams._tick()
    assert streams.open == 2
    told.protocol.shutdown()
    streams._tick()
    await asyncio.wait(told.state.tasks | other.state.tasks)
    assert Parser().feed(other.body())[-1].data == "0"
    assert streams.open == 0
    for connection in (told, other):
        await connection.lose()


@pytest.mark.parametrize("name", ["httptools", "zttp"])
async def test_stream_behind_which_another_request_waits_ends_with_its_connection(
    name: str,
) -> None:
    """With pipelining uvicorn notifies the last request alone that its client is gone."""
    streams, channel = StreamRegistry(), Channel(frame("0"))
    app = serving(streams, channel)
    connection = ServerConnection(name, app)
    await settle()
    connection.protocol.data_received(GET)
    connection.wire.close()
    connection.protocol.connection_lost(None)
    await settle()
    for stream in tuple(streams._open):
        stream.tick(stream.clock())
    await settle()
    assert streams.open == 0
    assert channel.statistics().subscribers == 0
    await connection.lose()


def test_cycle_that_lacks_a_part_is_not_recognised() -> None:
    """Another version of the server is served as ASGI specifies, without an error."""

    class Cycle:
        __module__ = "uvicorn.protocols.http.other"
        disconnected = response_complete = False
        transport = message_event = None

        async def send(self, message: Message) -> None: ...

        async def receive(self) -> Message:
            return {}

    cycle = Cycle()
    assert not can_step(cycle.send)
    assert not Connection(cycle.send, cycle.receive).abort()
    assert not Connection(cycle.send, cycle.receive).unsent_bytes


@each
@pytest.mark.parametrize("wraps", [False, True])
async def test_server_that_gives_up_leaves_nothing(name: str, wraps: bool) -> None:
    """At a forced shutdown uvicorn cancels its tasks, also one whose client does not read."""
    streams, channel = StreamRegistry(), Channel(frame("0"))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def wrapped(message: Message) -> None:
            await send(message)

        await streams.serve(channel, scope, receive, wrapped if wraps else send)

    connection = ServerConnection(name, app)
    await settle()
    connection.protocol.pause_writing()
    channel.publish(frame("1"))
    await settle()
    for task in connection.state.tasks:
        task.cancel()
    await asyncio.wait(connection.state.tasks)
    assert channel.statistics().subscribers == 0
    assert streams.statistics().open == 0
    await connection.lose()
