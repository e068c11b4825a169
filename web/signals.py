"""
Hearing of a shutdown before the server waits for it.

A server that shuts down cleanly waits for open responses before it tells the application, in the
lifespan's shutdown; streams that never end by themselves would block it without limit. uvicorn has
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
            if callable(before) and not self.is_in_chain(number, before):
                self._before[number] = before
                signal.signal(number, self._handle)

    def remove(self) -> None:
        """
        Restore the handlers.

        Where another chain has been set in front of this one it still calls it, so there this
        one stays, as a link that only hands on.
        """
        if threading.current_thread() is not threading.main_thread():
            return
        for number in tuple(self._before):
            if signal.getsignal(number) == self._handle:
                signal.signal(number, self._before.pop(number))

    def is_in_chain(self, number: int, handler: object) -> bool:
        """Return whether `handler` is this chain's, directly or through other chains."""
        chain = getattr(handler, "__self__", None)
        if not isinstance(chain, SignalChain):
            return False
        return chain is self or self.is_in_chain(number, chain.next_of(number))

    def next_of(self, number: int) -> object:
        """Return the handler that is called after this one."""
        return self._before.get(number)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._heard()
        before = self._before.get(number)
        if before is not None:
            before(number, frame)
