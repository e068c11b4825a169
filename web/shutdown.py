"""
The end of the service's responses when its server or host shuts down.

One owner, one flag, one grace period. The steps, in this order:

1. notify: the flag is set, every event stream ends after its newest frame, every long poll is
   answered. Requests that arrive later are still answered, but none of them waits.
2. drain: clients have the grace period to read what they were sent.
3. abort: connections of this service whose clients do not read are aborted, because a server
   waits for such a client without limit.

Callers: a signal and the stream registry, which notices a server that shuts down, call `begin`;
`Application.drain` and the end of the lifespan await `drain`. Both can be called any number of
times, in any order, on the event loop that runs the service.
"""

import asyncio
from collections.abc import Callable

from sse import StreamRegistry
from sse.uvicorn import abort, drop_unread
from web.long_poll import LongPoll
from web.request import Request

GRACE_SECONDS = 0.5
"""From the notification to the abort of connections whose clients do not read or send."""


class Shutdown:
    """
    The shutdown of one running service.

    Args:
        started: the flag, which routes and long polls read.
        streams: ended by `begin`, aborted after the grace period.
        polling: answered by `begin`.
        servers: returns the servers that run the application, as far as they are known.

    """

    def __init__(
        self,
        started: asyncio.Event,
        streams: StreamRegistry,
        polling: LongPoll,
        servers: Callable[[], list[object]],
    ) -> None:
        self._started = started
        self._streams = streams
        self._polling = polling
        self._servers = servers
        self._serving: set[Request] = set()

    def add(self, request: Request) -> None:
        """Track a request that is being served."""
        self._serving.add(request)

    def remove(self, request: Request) -> None:
        """Stop tracking a request."""
        self._serving.discard(request)

    def begin(self) -> None:
        """Notify all who wait, and abort the connections that are still stuck afterwards."""
        self._notify()
        asyncio.get_running_loop().call_later(GRACE_SECONDS, self._abort)

    async def drain(self) -> None:
        """Notify all who wait, and return when every stream has ended or was aborted."""
        self._notify()
        await self._streams.drain()

    def _notify(self) -> None:
        self._started.set()
        self._streams.end()
        self._polling.wake()

    def _abort(self) -> None:
        self._streams.cut()
        for request in tuple(self._serving):
            if request.waits_for_client:
                abort(request.send, request.receive)
        for server in self._servers():
            drop_unread(server)
