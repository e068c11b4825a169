"""
What is known of the server behind an ASGI `send`, beyond what ASGI says.

Everything here is an improvement where it applies and no more: a server, or a middleware around
`send`, that is not recognised is served by the letter of ASGI.
"""

from typing import Protocol, runtime_checkable

from sse.asgi import Receive, Send

UVICORN = "uvicorn.protocols.http."


@runtime_checkable
class _Abortable(Protocol):
    def abort(self) -> None: ...


def may_step(send: Send) -> bool:
    """
    Tell whether a call of `send` may be stepped from outside the task that serves the request.

    uvicorn's own `send` writes to the transport and waits, if at all, for a bare event: it does
    not ask which task runs it. A wrapper may (anyio's cancel scopes, `asyncio.timeout`), so only
    the very method of uvicorn's request cycle is taken, found by the module of its class.
    """
    owner = getattr(send, "__self__", None)
    return type(owner).__module__.startswith(UVICORN)


def abort(send: Send, receive: Receive) -> bool:
    """
    Cut the connection without waiting for what is buffered; tell whether that was possible.

    ASGI has no such thing, and a server that merely closes a connection whose peer stopped
    reading waits for the peer first, at its own shutdown too. uvicorn's request cycle has the
    transport at hand, behind `receive` also where a middleware wraps `send` alone. HTTP/2 streams
    share a connection: there only the one stream is reset.
    """
    for end in (send, receive):
        cycle = getattr(end, "__self__", None)
        if type(cycle).__module__.startswith(UVICORN):
            abort_stream = getattr(cycle, "abort_stream", None)
            if abort_stream is not None:
                abort_stream()
                cycle.message_event.set()  # type: ignore[union-attr]
                return True
            transport = getattr(cycle, "transport", None)
            if isinstance(transport, _Abortable):
                transport.abort()
                return True
    return False
