"""
Threads for calls that block on the file system, which may never return.

The standard library's ThreadPoolExecutor joins its threads when the interpreter ends, so one that
hangs in a dead network file system keeps the process alive. These are daemon threads: neither
`shutdown` nor the end of the interpreter waits for a call that hangs.
"""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class DaemonThreads(Executor):
    """
    Runs calls in at most `limit` daemon threads, each started when it is first needed.

    One condition guards the calls that wait and the counts of threads.
    """

    def __init__(self, limit: int, name: str) -> None:
        self._limit = limit
        self._name = name
        self._changed = threading.Condition()
        self._waiting: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._closed = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """
        Return a future of the call.

        Raises:
            RuntimeError: after `shutdown`, or if no thread can be started and none runs.
        """
        future: Future[T] = Future()
        with self._changed:
            if self._closed:
                raise RuntimeError("the threads are shut down")
            if self._idle <= len(self._waiting) and len(self._threads) < self._limit:
                self._start_thread()
            self._waiting.append((future, lambda: fn(*args, **kwargs)))
            self._changed.notify()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Accept no further call; with `wait`, return when the accepted ones are done."""
        with self._changed:
            self._closed = True
            cancelled = [future for future, _ in self._waiting] if cancel_futures else []
            if cancel_futures:
                self._waiting.clear()
            self._changed.notify_all()
        for future in cancelled:
            future.cancel()
        for thread in self._threads if wait else ():
            thread.join()

    def _start_thread(self) -> None:
        thread = threading.Thread(
            target=self._run, name=f"{self._name}_{len(self._threads)}", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:
            if not self._threads:
                raise
        else:
            self._threads.append(thread)

    def _run(self) -> None:
        while (taken := self._take()) is not None:
            future, call = taken
            if future.set_running_or_notify_cancel():
                _resolve(future, call)
            del future, call, taken  # an idle thread must not keep a result

    def _take(self) -> tuple[Future[Any], Callable[[], Any]] | None:
        """Wait for a call and return it; None after `shutdown`, when none is left."""
        with self._changed:
            self._idle += 1
            try:
                while not self._waiting:
                    if self._closed:
                        return None
                    self._changed.wait()
                return self._waiting.popleft()
            finally:
                self._idle -= 1


def _resolve(future: Future[Any], call: Callable[[], Any]) -> None:
    try:
        result = call()
    except BaseException as error:  # noqa: BLE001 - it is the caller's, whatever it is
        future.set_exception(error)
    else:
        future.set_result(result)
