"""
Hearing of a shutdown before the server waits for it.

A server that shuts down cleanly waits for open responses before it tells the application, in the
lifespan's shutdown; streams that never end by themselves would hold it up for ever. uvicorn has
set its signal handlers when the lifespan starts, so there they can be followed by one more.
"""

import signal
import threading
from collections.abc import Callable
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class SignalChain:
    """Calls `heard` at SIGINT and SIGTERM, then the handler that stood there before."""

    def __init__(self, heard: Callable[[], object]) -> None:
        self._heard = heard
        self._before: dict[int, Callable[[int, FrameType | None], object]] = {}

    def install(self) -> None:
        """
        Set the handlers, where a Python handler stands and this is the main thread.

        Elsewhere nothing is set: a default action would be lost, and only the main thread may.
        """
        if threading.current_thread() is not threading.main_thread():
            return
        for number in SIGNALS:
            before = signal.getsignal(number)
            if callable(before) and before != self._handle:
                self._before[number] = before
                signal.signal(number, self._handle)

    def remove(self) -> None:
        """Put the handlers back, unless somebody has set others since."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number, before in self._before.items():
            if signal.getsignal(number) == self._handle:
                signal.signal(number, before)
        self._before.clear()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._heard()
        before = self._before.get(number)
        if before is not None:
            before(number, frame)
