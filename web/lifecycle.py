"""
The start and the end of the service.

States: closed (`Lifecycle.running` is None), opening (a task holds the lock of its event loop),
open (`running` is a `Running`). `open` moves to open from every state, `close` to closed.

Callers: the ASGI lifespan (`serve_lifespan`), a host's lifespan (`Application.lifespan`), and each
request and each method of the Python API, which call `open` first: a host without a lifespan works
too, and some hosts run each request on an event loop of its own.

Guarantees: nothing is opened, started or written before the first `open`. Concurrent calls of
`open` start the service once; one that fails or is cancelled leaves it closed, and the next call
tries again. A service whose event loop was closed is opened again on the running one. After `close`
it can be opened once more.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable

from ingest.errors import IngestError
from ingest.previews import Previews
from ingest.settings import Settings
from sse import StreamRegistry
from sse.types import Receive, Send
from web.files import FileRoutes
from web.guard import Guard
from web.long_poll import LongPoll
from web.metrics import Metrics, has_metrics
from web.report import ReportWriter
from web.routes import Routes
from web.sessions import Sessions
from web.shutdown import Shutdown
from web.signals import SignalChain
from web.static import Static

logger = logging.getLogger("web")


class Running:
    """What the service consists of from its start to its end."""

    def __init__(
        self,
        settings: Settings,
        sessions: Sessions,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.loop = loop
        self.sessions = sessions
        self.guard = Guard(settings)
        self.streams = StreamRegistry(
            heartbeat=settings.heartbeat,
            retry_ms=settings.retry,
            send_timeout=settings.send_timeout,
            max_age=settings.max_stream_age,
            limit=settings.max_streams,
            delivery=settings.delivery,
            on_shutdown=self.begin_shutdown,
        )
        stopping = asyncio.Event()
        self.polling = LongPoll(settings, stopping)
        self.shutdown = Shutdown(stopping, self.streams, self.polling)
        self.static = Static()
        self.previews = Previews(settings.root)
        self.metrics = Metrics(sessions, self.streams) if has_metrics() else None
        if self.metrics is not None:
            sessions.observe(self.metrics.delivered)
        self.reports = ReportWriter(lambda: sessions.running > 0)
        self.routes = Routes(
            sessions,
            self.streams,
            self.polling,
            self.static,
            self.guard,
            FileRoutes(sessions, self.previews, self.reports),
            stopping,
            self.metrics,
        )

    def begin_shutdown(self) -> None:
        """End all streams and long polls; abort own connections that are stuck afterwards."""
        self.shutdown.begin()


class Lifecycle:
    """
    Opens and closes the service, once per event loop.

    Args:
        settings: returns the settings, at each start.
        make_sessions: returns the sessions, not opened yet.

    """

    def __init__(
        self, settings: Callable[[], Settings], make_sessions: Callable[[Settings], Sessions]
    ) -> None:
        self._settings = settings
        self._make_sessions = make_sessions
        self._signals = SignalChain(self._on_signal)
        self._lock: tuple[asyncio.AbstractEventLoop, asyncio.Lock] | None = None
        self.running: Running | None = None

    async def open(self) -> Running:
        """
        Return the running service; start it if it does not run.

        Raises:
            IngestError: it cannot start; the text states the remedy.
        """
        if self.running is not None and not self.running.loop.is_closed():
            return self.running
        async with self._opening():
            if self.running is not None and self.running.loop.is_closed():
                # Objects that belong to the closed loop raise RuntimeError when they are used.
                with contextlib.suppress(RuntimeError):
                    await self.close()
            if self.running is None:
                self.running = await self._start()
        return self.running

    async def close(self) -> None:
        """End streams and long polls, then stop the sessions so that they can be resumed."""
        running = self.running
        if running is None:
            return
        self._signals.remove()
        if running.metrics is not None:
            running.metrics.stop()
        try:
            await running.shutdown.drain()
        finally:
            running.reports.close()
            try:
                await running.previews.close()
                await running.sessions.close()
            finally:
                self.running = None

    async def serve_lifespan(self, receive: Receive, send: Send) -> None:
        """Start and stop as the messages of the ASGI lifespan request."""
        await receive()
        try:
            await self.open()
        except IngestError as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        except Exception:
            # A server takes an exception for an application that does not support lifespan.
            logger.exception("the service cannot start")
            await send({"type": "lifespan.startup.failed", "message": "the service cannot start"})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _start(self) -> Running:
        loop = asyncio.get_running_loop()
        settings = self._settings()
        sessions = self._make_sessions(settings)
        running = await asyncio.to_thread(Running, settings, sessions, loop)
        await sessions.open()
        if running.metrics is not None:
            running.metrics.start()
        self._signals.install()
        return running

    def _opening(self) -> asyncio.Lock:
        """Return this event loop's lock: an asyncio.Lock cannot be reused across event loops."""
        loop = asyncio.get_running_loop()
        if self._lock is None or self._lock[0] is not loop:
            self._lock = loop, asyncio.Lock()
        return self._lock[1]

    def _on_signal(self) -> None:
        if self.running is not None:
            with contextlib.suppress(RuntimeError):  # a second signal, after the loop was closed
                self.running.loop.call_soon_threadsafe(self.running.begin_shutdown)
