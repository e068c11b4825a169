"""
A pool of worker processes, behind the interface of `concurrent.futures.Executor`.

The standard library's ProcessPoolExecutor cannot end one worker or one call, fails every call when
one worker dies, runs the host's main module in each worker and, where it forks, hands them the
server's sockets.
"""

import pickle
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, TypeVar

from ingest.workers.call import (
    Call,
    CallTimedOut,
    PoolBroken,
    PoolClosed,
    PoolError,
    WorkerDied,
    WorkerTraceback,
)
from ingest.workers.process import SCRIPT
from ingest.workers.supervisor import PoolStatistics, Supervisor

__all__ = [
    "CallTimedOut",
    "PoolBroken",
    "PoolClosed",
    "PoolError",
    "PoolStatistics",
    "WorkerDied",
    "WorkerPool",
    "WorkerTraceback",
]

P = ParamSpec("P")
T = TypeVar("T")

# How long `kill` waits for its work to be done. The workers are dead by then in any case, or in
# an uninterruptible sleep that nobody can end.
KILL_WAIT = 0.15


class WorkerPool(Executor):
    """
    Runs functions in `workers` processes; a call that crashes or hangs harms itself alone.

    Calls begin in the order in which they were submitted, each in a worker that has nothing else
    to do. One whose worker dies fails with WorkerDied, and one that takes longer than
    `call_timeout` seconds, not counting its wait for a worker, with CallTimedOut; that worker is
    killed. In both cases another takes its place and no other call notices.

    Functions, arguments and results are pickled; what does not pickle is refused by `submit`.
    A worker imports what a call needs, and runs the host's main module only for a function or a
    class that lives there (which is then guarded by `if __name__ == "__main__"`). What is raised
    there is raised here, with the worker's traceback as its cause; SystemExit and its like, and
    exceptions that do not pickle, come as a RuntimeError.

    Workers hold none of this process's files and sockets, run at a lower priority by `niceness`,
    and never outlive this process, however it ends, nor do programs that they start; only one
    that is started with a session or a process group of its own does, and is for the function to
    end.

    Making a pool starts nothing: the first `submit` does, or `start`. POSIX only.
    """

    def __init__(
        self, workers: int, *, call_timeout: float | None = None, niceness: int = 10
    ) -> None:
        if workers < 1:
            raise ValueError(f"{workers} workers; a pool needs at least 1")
        if call_timeout is not None and call_timeout <= 0:
            raise ValueError(f"a call_timeout of {call_timeout:g} s; it must be above 0")
        self._options = workers, call_timeout, niceness
        self._lock = threading.Lock()
        self._closed = False
        self._dispatcher: Supervisor | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """
        Start the workers, without waiting until they are up; does nothing the second time.

        Raises:
            PoolClosed: after `shutdown` or `kill`.
        """
        self._started()

    def _started(self) -> Supervisor:
        with self._lock:
            if self._closed:
                raise PoolClosed
            if self._dispatcher is None:
                refuse_in_unguarded_main()
                self._dispatcher = Supervisor(*self._options)
                # A daemon, so that the interpreter can end without `shutdown`; the workers then
                # end by their lifelines.
                self._thread = threading.Thread(
                    target=self._dispatcher.run, name="ingest-pool", daemon=True
                )
                self._thread.start()
            return self._dispatcher

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """
        Return a future of the function's call in a worker.

        Raises:
            PoolClosed: after `shutdown` or `kill`.
            Exception: whatever pickling raises, where the call cannot be pickled.
        """
        dispatcher = self._started()
        pickled = pickle.dumps((fn, args, kwargs, False), pickle.HIGHEST_PROTOCOL)
        call = Call(pickled, Future[T]())
        dispatcher.add(call)
        return call.future

    def submit_watched(
        self, on_progress: Callable[[Any], None], fn: Callable[..., T], /, *args: Any
    ) -> Future[T]:
        """
        Return a future of the function's call in a worker, whose progress is reported meanwhile.

        The function is called with one more argument, `watch`: a function that takes a probe. Every
        half second the probe is called in a thread of the worker, and what it returns, if not None,
        is handed to `on_progress` in the pool's thread.

        Raises:
            PoolClosed: after `shutdown` or `kill`.
            Exception: whatever pickling raises, where the call cannot be pickled.
        """
        dispatcher = self._started()
        pickled = pickle.dumps((fn, args, {}, True), pickle.HIGHEST_PROTOCOL)
        call = Call(pickled, Future[T](), on_progress=on_progress)
        dispatcher.add(call)
        return call.future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """
        Refuse further calls, and end the workers when the accepted ones are done.

        With `cancel_futures`, those that have not begun are cancelled. With `wait`, return when
        all workers have ended.
        """
        dispatcher = self._close()
        if dispatcher is not None:
            dispatcher.close(cancel_waiting=cancel_futures)
        if wait:
            self._join(None)

    def kill(self) -> None:
        """
        End all workers at once, whatever they do; running and waiting calls raise PoolClosed.

        It returns within 0.2 s. May be called at any time, from any thread, and repeatedly.
        """
        dispatcher = self._close()
        if dispatcher is not None:
            dispatcher.kill()
        self._join(KILL_WAIT)

    def statistics(self) -> PoolStatistics:
        if self._dispatcher is None:
            return PoolStatistics(workers=0, running=0, waiting=0, replaced=0)
        return self._dispatcher.statistics()

    def _close(self) -> Supervisor | None:
        with self._lock:
            self._closed = True
            return self._dispatcher

    def _join(self, timeout: float | None) -> None:
        # A future's callback runs in that thread, and may well close the pool.
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout)


def refuse_in_unguarded_main() -> None:
    """
    Start no pool while a worker runs the host's main module.

    Such a module lacks the `if __name__ == "__main__"`. The pool's workers would run it again and
    start a pool again, without end.
    """
    main_file = getattr(sys.modules["__main__"], "__file__", None)
    if main_file == str(SCRIPT) and "__mp_main__" in sys.modules:
        raise PoolError('the main module starts a pool outside of `if __name__ == "__main__"`')
