"""
What is known of the server behind an ASGI `send`, beyond what ASGI says.

Everything here is an improvement where it applies and no more: a server, or a middleware around
`send`, that is not recognised is served by the letter of ASGI.
"""

from typing import Any, Protocol

from sse.asgi import Receive, Send

UVICORN = "uvicorn.protocols.http."


def may_step(send: Send) -> bool:
    """
    Tell whether a call of `send` may be stepped from outside the task that serves the request.

    uvicorn's own `send` writes to the transport and waits, if at all, for a bare event: it does
    not ask which task runs it. A wrapper may (anyio's cancel scopes, `asyncio.timeout`), so only
    the very method of uvicorn's request cycle is taken, found by the module of its class.
    """
    owner = getattr(send, "__self__", None)
    return type(owner).__module__.startswith(UVICORN)


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
        cycle.message_event.set()
    return True


def _cycle(send: Send, receive: Receive) -> Any | None:
    for end in (send, receive):
        owner = getattr(end, "__self__", None)
        if type(owner).__module__.startswith(UVICORN):
            return owner
    return None
