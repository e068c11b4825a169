"""
What stands behind an ASGI `send` and `receive` of uvicorn.

With `sse.uvicorn_protocol`, which bounds a connection's input, the only module that knows uvicorn's
internals.

uvicorn serves each request with an object that it calls a request cycle. `send` and `receive` are
methods of the cycle, so the cycle is their `__self__`. `Connection` recognises a cycle by the
module of its class and by its attributes, and reads and aborts the connection through it.

Callers: `sse.stream` and `sse.direct` for each stream, and `web` for its other responses.

Guarantees:

- With another server, or where a middleware wraps both `send` and `receive`, nothing is recognised:
  every question has the answer of a connection about which nothing is known, and `abort` does
  nothing. The response is then served as the ASGI specification requires.
- `can_step`, `chunked_cycle` and `http2_stream` look at `send` alone, because their callers bypass
  it. A wrapper around `send` turns them off.
- Nothing here waits or raises.
"""

import sys
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Protocol

from sse.types import Message, Receive, Send

if TYPE_CHECKING:
    import asyncio

UVICORN = "uvicorn.protocols.http."
HTTPTOOLS = "uvicorn.protocols.http.httptools_impl"

ATTRIBUTES = ("disconnected", "flow", "message_event", "response_complete", "transport")
"""The attributes used of a request cycle; an object that lacks one is not recognised."""


class FlowControl(Protocol):
    """Whether more than the connection's high-water mark waits to be written."""

    write_paused: bool


class ChunkedCycle(Protocol):
    """
    A request cycle of uvicorn over httptools whose response is sent in chunks.

    Its `send` waits while `flow.write_paused`, and writes nothing once `disconnected`.
    """

    disconnected: bool

    @property
    def flow(self) -> FlowControl: ...
    @property
    def transport(self) -> "asyncio.WriteTransport": ...


class HTTP2Stream(Protocol):
    """An HTTP/2 stream, with the bytes that wait for the client to allow more."""

    @property
    def pending_bytes(self) -> int | None: ...


class Connection:
    """The connection behind one request's `send` and `receive`, as far as it is recognised."""

    __slots__ = ("_cycle", "_send", "_sender")

    def __init__(self, send: Send, receive: Receive) -> None:
        self._send = send
        self._sender = _cycle_of(send)
        self._cycle: Any = _cycle_of(receive) if self._sender is None else self._sender

    @property
    def unsent_bytes(self) -> int:
        """
        Bytes that the server accepted and has not written to the socket; 0 if unknown.

        `send` waits only above the high-water mark, so those of a client that stopped reading
        stay here even though every `send` returned at once.
        """
        if self._cycle is None:
            return 0
        size: int = self._cycle.transport.get_write_buffer_size()
        return size

    @property
    def is_shared(self) -> bool:
        """
        Whether another request uses the connection: a later one over HTTP/1, an open stream beside
        this one over HTTP/2. False if unknown.
        """
        if self._cycle is None:
            return False
        protocol = self._cycle.transport.get_protocol()
        current = getattr(protocol, "cycle", None)
        if current is not None:
            return current is not self._cycle
        open_streams = getattr(protocol, "cycles", {})
        return any(cycle is not self._cycle for cycle in open_streams.values())

    @property
    def is_closing(self) -> bool:
        """
        Whether the connection is closed or is being closed; False if unknown.

        uvicorn sends `http.disconnect` to the last request of a connection only, not to one
        behind which the client has sent another (pipelining).
        """
        return self._cycle is not None and self._cycle.transport.is_closing()

    @property
    def closes_after_response(self) -> bool:
        """
        Whether the server will close the connection after this response; False if unknown.

        If it would have been kept before, uvicorn is shutting down: it marks every connection
        before it waits for open responses, whatever started the shutdown.
        """
        cycle = self._cycle
        if cycle is None:
            return False
        if hasattr(cycle, "keep_alive"):
            return not cycle.keep_alive
        return getattr(cycle.transport.get_protocol(), "shutdown_requested", False)

    def abort(self) -> bool:
        """
        Abort the connection without waiting for what is buffered; return whether it was possible.

        ASGI has no such call, and a server that closes a connection whose client stopped reading
        waits for the client first, also at its own shutdown. The streams of HTTP/2 share a
        connection: only this one is reset, unless the connection itself takes no bytes.
        """
        cycle = self._cycle
        if cycle is None:
            return False
        stuck = cycle.flow.write_paused or cycle.response_complete or cycle.transport.is_closing()
        if stuck or not hasattr(cycle, "abort_stream"):
            cycle.transport.abort()
        else:
            cycle.abort_stream()
        # uvicorn does this when the connection is lost, but for its last request only.
        cycle.disconnected = True
        cycle.message_event.set()
        return True

    @property
    def can_step(self) -> bool:
        """
        Whether a call of `send` may be stepped from outside the task that serves the request.

        uvicorn's `send` writes to the transport and waits, if at all, for the connection to take
        more: it does not ask which task runs it. A wrapper may (anyio's cancel scopes), and so may
        the `send` of another version (`asyncio.timeout`). What the installed one does is tried
        once.
        """
        function = getattr(self._send, "__func__", None)
        if self._sender is None or function is None:
            return False
        kind: Any = type(self._sender)
        return _runs_outside_a_task(kind, function)

    def chunked_cycle(self) -> ChunkedCycle | None:
        """
        Return the request cycle whose `send` began a response in chunks; None if not recognised.

        A frame that goes to many clients has its chunk encoded already (`Frame.chunk`). It may be
        written to the transport instead of calling a `send` that would neither wait nor discard
        it, which saves most of an event's cost beside the system call. Whether the installed
        `send` writes exactly that is tried once.
        """
        cycle = self._sender
        kind: Any = type(cycle)
        if kind.__module__ != HTTPTOOLS or getattr(cycle, "chunked_encoding", False) is not True:
            return None
        # By the file of its code: instrumentation may have replaced the function.
        function = getattr(self._send, "__func__", None)
        code = getattr(function, "__code__", None)
        if code is None or code.co_filename != sys.modules[HTTPTOOLS].__file__:
            return None
        return cycle if _writes_chunks(kind, function) else None

    def http2_stream(self) -> HTTP2Stream | None:
        """
        Return the HTTP/2 stream behind `send`; None over HTTP/1.

        A client may read its connection but allow one stream of it no more bytes (RFC 9113, 5.2).
        uvicorn's `send` does not wait for it: what does not fit is kept, without limit, so callers
        have to read `pending_bytes`.
        """
        stream: HTTP2Stream | None = getattr(self._sender, "stream", None)
        return stream if hasattr(stream, "pending_bytes") else None


class _RecordingTransport:
    """A transport that only records what is written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(bytes(data))


@lru_cache(8)
def _runs_outside_a_task(kind: Any, function: Callable[[Any, Message], Any]) -> bool:
    """
    Return whether `function` needs no task while it waits for a connection that takes no bytes.

    It is stepped in a thread that has neither an event loop nor a task, on a dummy cycle whose
    connection is paused and then lost.
    """
    with ThreadPoolExecutor(1, "sse-trial") as thread:
        return thread.submit(_waits_only_for_the_connection, kind, function).result()


def _waits_only_for_the_connection(kind: Any, function: Callable[[Any, Message], Any]) -> bool:
    async def drain() -> None:
        await _Paused()

    dummy = object.__new__(kind)
    dummy.flow = SimpleNamespace(write_paused=True, drain=drain)
    dummy.disconnected = False
    step = function(dummy, {"type": "http.response.body", "body": b"x", "more_body": True})
    try:
        if step.send(None) is not _PAUSED:
            return False
        dummy.disconnected = True
        step.send(None)
    except StopIteration:
        return bool(dummy.disconnected)
    except Exception:  # noqa: BLE001 - any error means that this `send` is not the known one
        return False
    finally:
        step.close()
    return False


_PAUSED = object()
"""The value that a `send` yields in the trial if it waits for the connection alone."""


class _Paused:
    """Suspends the coroutine that awaits it, once, by yielding `_PAUSED`."""

    def __await__(self) -> Generator[object, None, None]:
        yield _PAUSED


@lru_cache(8)
def _writes_chunks(kind: Any, function: Callable[[Any, Message], Any]) -> bool:
    """Return whether `function` writes one body as one chunk, tried on a dummy cycle."""
    dummy = object.__new__(kind)
    dummy.scope = {"method": "GET"}
    dummy.transport = transport = _RecordingTransport()
    dummy.flow = SimpleNamespace(write_paused=False)
    dummy.response_started = dummy.chunked_encoding = True
    dummy.disconnected = dummy.response_complete = False
    step = function(dummy, {"type": "http.response.body", "body": b"x" * 17, "more_body": True})
    try:
        step.send(None)
    except StopIteration:
        return transport.written == [b"11\r\n" + b"x" * 17 + b"\r\n"]
    except Exception:  # noqa: BLE001 - any error means that this `send` is not the known one
        return False
    step.close()
    return False


def abort(send: Send, receive: Receive) -> bool:
    """Abort the connection behind `send` and `receive`; return whether it was possible."""
    return Connection(send, receive).abort()


def _cycle_of(end: Send | Receive) -> Any | None:
    owner = getattr(end, "__self__", None)
    known = (
        type(owner).__module__.startswith(UVICORN)
        and all(hasattr(owner, attribute) for attribute in ATTRIBUTES)
        and hasattr(owner.flow, "write_paused")  # type: ignore[union-attr]
    )
    return owner if known else None
