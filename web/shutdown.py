"""
The end of the service's responses when its server or host shuts down.

One owner, one flag, one grace period. The steps, in this order:

1. notify: the flag is set, every event stream ends after its newest frame, every long poll is
   answered. Requests that arrive later are still answered, but none of them waits.
2. drain: clients have the grace period to read what they were sent.
3. abort: at the end of the grace period, and of each further one while responses of the service
   remain, the connections are aborted whose clients made no progress since the look before: they
   read nothing of a response, or sent nothing of a request. A server would wait for them without
   limit. A client that reads slowly is left to finish. Streams that did not end, and
   downloads of reports, are aborted at once: their clients repeat the request.

Callers: a signal and the stream registry, which notices a server that shuts down, call `begin`;
`Application.drain` and the end of the lifespan await `drain`. Both can be called any number of
times, in any order, on the event loop that runs the service. Each request is added when it starts
and removed when its response is complete; if the server still holds bytes of it, the connection
stays tracked until they are sent.

Guarantee: only connections of the service's own responses are aborted, never those of its host.
"""

import asyncio

from sse import StreamRegistry
from web.long_poll import LongPoll
from web.request import Request

GRACE_SECONDS = 0.5
"""From the notification to the abort of streams and of clients that make no progress."""

FIRST_PRUNING = 64
"""Complete responses with unsent bytes that are tracked before the sent ones are removed."""


class Shutdown:
    """
    The shutdown of one running service.

    Args:
        started: the flag, which routes and long polls read.
        streams: ended by `begin`, aborted after the grace period.
        polling: answered by `begin`.

    """

    def __init__(self, started: asyncio.Event, streams: StreamRegistry, polling: LongPoll) -> None:
        self._started = started
        self._streams = streams
        self._polling = polling
        self._serving: set[Request] = set()
        self._unsent: set[Request] = set()
        self._prune_at = FIRST_PRUNING
        self._progress: dict[Request, int] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, request: Request) -> None:
        """Track a request that is being served."""
        self._serving.add(request)
        if self._started.is_set():
            self._schedule_look()

    def remove(self, request: Request) -> None:
        """Stop tracking a request, as soon as the bytes of its response are sent."""
        self._serving.discard(request)
        if not request.holds_connection:
            return
        self._unsent.add(request)
        if len(self._unsent) >= self._prune_at:
            self._prune()

    def begin(self) -> None:
        """Notify all who wait; abort what is stuck when the grace period is over."""
        self._notify()
        if self._timer is None:
            self._look()
            self._timer = asyncio.get_running_loop().call_later(GRACE_SECONDS, self._abort)

    async def drain(self) -> None:
        """Start the shutdown, and wait until every stream has ended or was aborted."""
        self.begin()
        await self._streams.drain()

    def _notify(self) -> None:
        self._started.set()
        self._streams.end()
        self._polling.wake()

    def _abort(self) -> None:
        self._streams.abort()
        self._timer = None
        downloads = [request for request in self._serving if request.is_download]
        for request in dict.fromkeys([*self._look(), *downloads]):
            self._unsent.discard(request)
            request.connection.abort()
        self._schedule_look()

    def _schedule_look(self) -> None:
        if self._timer is None and (self._serving or self._unsent):
            self._timer = asyncio.get_running_loop().call_later(GRACE_SECONDS, self._abort)

    def _look(self) -> list[Request]:
        """Return the requests whose clients made no progress since the last look."""
        self._prune()
        before = self._progress
        waiting = {r for r in self._serving if r.waits_for_client or r.holds_connection}
        self._progress = {request: request.progress for request in waiting | self._unsent}
        return [r for r, now in self._progress.items() if r in before and now <= before[r]]

    def _prune(self) -> None:
        self._unsent = {request for request in self._unsent if request.holds_connection}
        # Doubled, so that a response costs the same however many clients are slow.
        self._prune_at = max(FIRST_PRUNING, 2 * len(self._unsent))
