"""
What is known of the server behind an ASGI `send`, beyond what ASGI says.

Everything here is an improvement where it applies and no more: a server, or a middleware around
`send`, that is not recognised is served by the letter of ASGI.
"""

import asyncio
import sys
from collections.abc import Callable
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, Protocol

from sse.types import Message, Receive, Send

UVICORN = "uvicorn.protocols.http."
HTTPTOOLS = "uvicorn.protocols.http.httptools_impl"

PARTS = ("disconnected", "flow", "message_event", "response_complete", "transport")
"""What is used of a request cycle of uvicorn's: one that lacks any of it is not recognised."""


def may_step(send: Send) -> bool:
    """
    Tell whether a call of `send` may be stepped from outside the task that serves the request.

    uvicorn's own `send` writes to the transport and waits, if at all, for a bare event: it does
    not ask which task runs it. A wrapper may (anyio's cancel scopes, `asyncio.timeout`), so only
    the very method of uvicorn's request cycle is taken, found by the module of its class.
    """
    return _is_cycle(getattr(send, "__self__", None))


class FlowControl(Protocol):
    """Whether more than the connection's high-water mark waits to be written."""

    write_paused: bool


class ChunkedCycle(Protocol):
    """
    A request cycle of uvicorn's over httptools, whose response goes out in chunks.

    Its `send` waits while `flow.write_paused`, and is silent once `disconnected`.
    """

    disconnected: bool

    @property
    def flow(self) -> FlowControl: ...
    @property
    def transport(self) -> asyncio.WriteTransport: ...


def chunked_cycle(send: Send) -> ChunkedCycle | None:
    """
    Give the request cycle whose `send` began a response in chunks; None if it is not known.

    `send` frames each body and writes it to the transport. A frame that goes to many has its
    chunk made already (`Frame.chunk`), and may be written to the transport in the place of a
    `send` that would neither wait nor be silent: that leaves out most of what an event costs beside
    the system call. Whether the installed `send` does just that is tried once.
    """
    cycle: Any = getattr(send, "__self__", None)
    kind: Any = type(cycle)
    known = kind.__module__ == HTTPTOOLS and _is_cycle(cycle)
    if not known or getattr(cycle, "chunked_encoding", False) is not True:
        return None
    # By the file it stands in: an instrument may have put a function of its own in its place.
    function = getattr(send, "__func__", None)
    code = getattr(function, "__code__", None)
    if code is None or code.co_filename != sys.modules[HTTPTOOLS].__file__:
        return None
    return cycle if _writes_chunks(kind, function) else None


class _Notebook:
    """A transport that only notes what is written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(bytes(data))


@lru_cache(8)
def _writes_chunks(kind: Any, function: Callable[[Any, Message], Any]) -> bool:
    """Have a cycle that is only a dummy send something, and look at what it writes."""
    dummy = object.__new__(kind)
    dummy.scope = {"method": "GET"}
    dummy.transport = notebook = _Notebook()
    dummy.flow = SimpleNamespace(write_paused=False)
    dummy.response_started = dummy.chunked_encoding = True
    dummy.disconnected = dummy.response_complete = False
    step = function(dummy, {"type": "http.response.body", "body": b"x" * 17, "more_body": True})
    try:
        step.send(None)
    except StopIteration:
        return notebook.written == [b"11\r\n" + b"x" * 17 + b"\r\n"]
    except Exception:  # noqa: BLE001 - whatever it is, this is no `send` that is known
        return False
    step.close()
    return False


class Parking(Protocol):
    """An HTTP/2 stream, with the bytes that wait for the client to allow more."""

    @property
    def pending_bytes(self) -> int | None: ...


def parking(send: Send) -> Parking | None:
    """
    Give the HTTP/2 stream behind `send`; None over HTTP/1.

    A client that reads its connection but not one of its streams gives that stream no more room
    (RFC 9113, 5.2). uvicorn's `send` does not wait for it: what does not fit is kept, without
    limit, and has to be looked for here.
    """
    stream: Parking | None = getattr(getattr(send, "__self__", None), "stream", None)
    return stream if may_step(send) and hasattr(stream, "pending_bytes") else None


def is_unread(send: Send, receive: Receive) -> bool:
    """
    Tell whether the server still holds what `send` took for the client; False if unknown.

    A client that stopped reading leaves them there however often `send` returned at once: only
    beyond the high-water mark it would wait.
    """
    cycle = _cycle(send, receive)
    return cycle is not None and cycle.transport.get_write_buffer_size() > 0


def is_gone(send: Send, receive: Receive) -> bool:
    """
    Tell whether the connection has come to its end; False if unknown.

    uvicorn tells `receive` of it, but only that of the connection's last request: not one behind
    which a client has sent another (pipelining).
    """
    cycle = _cycle(send, receive)
    return cycle is not None and cycle.transport.is_closing()


def is_last(send: Send, receive: Receive) -> bool:
    """
    Tell whether the server means to close the connection after this response; False if unknown.

    For one that would have been kept, that is how a shutdown of uvicorn shows before it waits for
    open responses, whatever made it shut down.
    """
    cycle = _cycle(send, receive)
    if cycle is None:
        return False
    if hasattr(cycle, "keep_alive"):
        return not cycle.keep_alive
    return getattr(cycle.transport.get_protocol(), "shutdown_requested", False)


def drop_unread(server: object) -> None:
    """
    Cut each connection of a uvicorn `Server` that has bytes which its client does not take.

    At its shutdown it waits for all of them without limit, complete responses too.
    """
    if type(server).__module__ == "uvicorn.server":
        for connection in tuple(server.server_state.connections):  # type: ignore[attr-defined]
            if connection.transport.get_write_buffer_size():
                connection.transport.abort()


def abort(send: Send, receive: Receive) -> bool:
    """
    Cut the connection without waiting for what is buffered; tell whether that was possible.

    ASGI has no such thing, and a server that merely closes a connection whose peer stopped
    reading waits for the peer first, at its own shutdown too. uvicorn's request cycle has the
    transport at hand, behind `receive` also where a middleware wraps `send` alone. HTTP/2 streams
    share a connection: there only the one stream is reset, unless the connection itself is stuck.
    """
    cycle = _cycle(send, receive)
    if cycle is None:
        return False
    stuck = cycle.flow.write_paused or cycle.response_complete or cycle.transport.is_closing()
    if stuck or not hasattr(cycle, "abort_stream"):
        cycle.transport.abort()
    else:
        cycle.abort_stream()
    # uvicorn does so itself at the connection's end, but for its last request alone.
    cycle.disconnected = True
    cycle.message_event.set()
    return True


def _cycle(send: Send, receive: Receive) -> Any | None:
    for end in (send, receive):
        owner = getattr(end, "__self__", None)
        if _is_cycle(owner):
            return owner
    return None


def _is_cycle(owner: object) -> bool:
    known = type(owner).__module__.startswith(UVICORN)
    return (
        known
        and all(hasattr(owner, part) for part in PARTS)
        and hasattr(owner.flow, "write_paused")  # type: ignore[attr-defined]
    )
