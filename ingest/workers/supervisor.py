"""The thread that owns a pool's workers: hands out calls, takes answers, replaces the dead."""

import enum
import logging
import os
import selectors
import signal
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from ingest.workers.call import Call, CallTimedOut, PoolBroken, PoolClosed, PoolError, WorkerDied
from ingest.workers.process import PROGRESS, WorkerProcess

logger = logging.getLogger("ingest")

# A worker takes some 40 ms to start. One that takes a thousand times as long never will.
START_TIMEOUT = 60.0
# Once is an accident; this often in a row, before any worker was up, is a broken installation.
MAX_FAILED_STARTS = 5
# How long calls wait then for the next attempt, so that a pool mends itself but does not spin.
RETRY_PAUSE = 1.0
# How long an idle worker may take to end by itself (its exit handlers) when the pool closes.
LEAVE_TIMEOUT = 5.0
# How often to look whether a worker that was killed is gone. One in uninterruptible sleep, as on
# a dead network file system, is not until that ends, so the thread must not wait for it.
REAP_INTERVAL = 0.005
# How often the thread looks at the clock while calls run, and how late it may be: a longer gap is a
# pause of the whole process (SIGSTOP, a frozen container), which is not counted as time of a call.
TICK = 1.0
LATE = 1.0
# How long to wait at most for something to happen: a selector takes no more than 24 days.
LONGEST_PAUSE = 3600.0


@dataclass(frozen=True, slots=True)
class PoolStatistics:
    """A pool at one moment: its worker processes, its calls, and how many workers it replaced."""

    workers: int
    running: int
    waiting: int
    replaced: int


class Phase(enum.Enum):
    OPEN = enum.auto()
    CLOSING = enum.auto()  # takes no more calls and finishes those it has
    KILLED = enum.auto()
    ENDED = enum.auto()


class Supervisor:
    """
    Runs calls in worker processes, in the order they came, one at a time in each.

    `run` is the thread. `add`, `close`, `kill` and `statistics` are for all others; the lock
    guards what these touch: the phase, the calls that wait, and the lists of workers, as
    `kill` does not wait for the thread.
    """

    def __init__(self, count: int, call_timeout: float | None, niceness: int) -> None:
        self._count = count
        self._call_timeout = call_timeout
        self._niceness = niceness
        self._lock = threading.Lock()
        self._phase = Phase.OPEN
        self._waiting: deque[Call] = deque()
        self._workers: list[WorkerProcess] = []
        self._dying: list[WorkerProcess] = []  # killed, closed, and not yet reaped
        self._replaced = 0
        self._failed_starts = 0  # in a row
        self._retry_at = 0.0
        self._awake_at = time.monotonic()
        self._selector = selectors.DefaultSelector()
        self._wake_up, self._waker = os.pipe()
        self._woken = False
        self._selector.register(self._wake_up, selectors.EVENT_READ)

    def add(self, call: Call) -> None:
        """
        Queue a call for a worker.

        Raises:
            PoolClosed: after `close` or `kill`.
        """
        with self._lock:
            if self._phase is not Phase.OPEN:
                raise PoolClosed
            self._waiting.append(call)
            self._wake()

    def close(self, *, cancel_waiting: bool) -> None:
        cancelled: list[Call] = []
        with self._lock:
            if self._phase is Phase.OPEN:
                self._phase = Phase.CLOSING
            if cancel_waiting:
                cancelled.extend(call for call in self._waiting if not call.retried)
                self._waiting = deque(call for call in self._waiting if call.retried)
            self._wake()
        for call in cancelled:  # without the lock, as it runs callbacks
            call.future.cancel()
            call.begin()  # tells those who wait for it

    def kill(self) -> None:
        with self._lock:
            if self._phase is not Phase.ENDED:
                self._phase = Phase.KILLED
            for worker in (*self._workers, *self._dying):
                worker.kill()
            self._wake()

    def statistics(self) -> PoolStatistics:
        with self._lock:
            running = sum(worker.call is not None for worker in self._workers)
            return PoolStatistics(len(self._workers), running, len(self._waiting), self._replaced)

    def _wake(self) -> None:
        if not self._woken and self._phase is not Phase.ENDED:
            self._woken = True
            os.write(self._waker, b"\0")

    def run(self) -> None:
        # What a worker inherits: until it has handlers of its own, neither Ctrl-C nor a service
        # manager's SIGTERM to all processes must end one before the server has decided.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        try:
            while not self._finished():
                self._start_workers()
                self._assign_calls()
                self._handle_events()
                self._add_pause()
                self._kill_overdue()
                self._reap()
        except Exception:
            logger.exception("the pool of worker processes failed")
        finally:
            self._end()

    def _finished(self) -> bool:
        if self._phase is not Phase.CLOSING:
            return self._phase is not Phase.OPEN
        if self._waiting or any(worker.call for worker in (*self._workers, *self._dying)):
            return False
        for worker in self._workers:
            if not worker.leaving:
                worker.leave()
                worker.deadline = time.monotonic() + LEAVE_TIMEOUT
        return not self._workers and not self._dying

    def _start_workers(self) -> None:
        while self._missing() > 0 and self._may_start():
            try:
                worker = WorkerProcess(self._niceness)
            except OSError as error:
                self._start_failed(str(error))
                continue
            worker.deadline = time.monotonic() + START_TIMEOUT
            self._selector.register(worker.pipe, worker.interest, worker)
            if worker.pidfd is not None:
                self._selector.register(worker.pidfd, selectors.EVENT_READ, worker)
            with self._lock:
                self._workers.append(worker)

    def _missing(self) -> int:
        wanted = self._count
        if self._phase is not Phase.OPEN:
            busy = sum(worker.call is not None for worker in self._workers)
            wanted = min(wanted, len(self._waiting) + busy)
        # One that ended before it was up has a successor only when its end has been counted.
        return wanted - len(self._workers) - sum(not worker.ready for worker in self._dying)

    def _may_start(self) -> bool:
        if self._failed_starts < MAX_FAILED_STARTS:
            return True
        return bool(self._waiting) and time.monotonic() >= self._retry_at

    def _start_failed(self, reason: str) -> None:
        self._failed_starts += 1
        if self._failed_starts < MAX_FAILED_STARTS:
            return
        self._retry_at = time.monotonic() + RETRY_PAUSE
        if not self._workers:
            self._refuse_waiting(lambda: PoolBroken(f"no worker process can be started: {reason}"))

    def _assign_calls(self) -> None:
        if self._waiting:
            for worker in self._workers:
                self._assign(worker)

    def _assign(self, worker: WorkerProcess) -> None:
        """Send the next call that was not cancelled to the worker, if it is idle."""
        call = None
        with self._lock:
            while self._waiting and worker.idle:
                call = self._waiting.popleft()
                if call.begin():
                    worker.call = call
        if worker.call is None or worker.call is not call:
            return
        if self._call_timeout is not None:
            worker.deadline = time.monotonic() + self._call_timeout
        worker.send(call.pickled)
        self._watch(worker)

    def _watch(self, worker: WorkerProcess) -> None:
        if self._selector.get_key(worker.pipe).events != worker.interest:
            self._selector.modify(worker.pipe, worker.interest, worker)

    def _handle_events(self) -> None:
        """Wait for events of the workers and the wake-up pipe, and handle them."""
        for key, _ in self._selector.select(self._pause()):
            worker: WorkerProcess | None = key.data
            if worker is None:
                with self._lock:
                    os.read(self._wake_up, 1)
                    self._woken = False
            elif not worker.closed:
                self._handle_worker(worker, dead=key.fileobj == worker.pidfd)

    def _pause(self) -> float | None:
        """Return the seconds to wait for an event; None without a deadline."""
        now = time.monotonic()
        moments = [worker.deadline for worker in self._workers if worker.deadline is not None]
        if moments:
            moments.append(now + TICK)
        if self._dying:
            moments.append(now + REAP_INTERVAL)
        if self._waiting and self._missing() > 0:
            moments.append(self._retry_at)
        return min(max(0.0, min(moments) - now), LONGEST_PAUSE) if moments else None

    def _handle_worker(self, worker: WorkerProcess, *, dead: bool) -> None:
        worker.flush()
        messages = worker.receive()
        worker.ended = worker.ended or dead
        for message in messages:
            if not message.startswith(PROGRESS):
                self._answered(worker, message)
            elif worker.call is not None:
                worker.call.progressed(message[len(PROGRESS) :])
        if worker.ended:
            self._remove(worker)
        else:
            self._watch(worker)

    def _answered(self, worker: WorkerProcess, answer: bytes) -> None:
        call, worker.call = worker.call, None
        if not worker.leaving:
            worker.deadline = None
        if not worker.ready:  # the first one says only this
            worker.ready = True
            self._failed_starts = 0
        self._assign(worker)  # first, as the callbacks below may take their time
        if call is not None:
            call.resolve(answer)

    def _add_pause(self) -> None:
        """Move the deadlines by the time for which this process was stopped."""
        now = time.monotonic()
        stopped = now - self._awake_at - TICK
        self._awake_at = now
        for worker in self._workers if stopped > LATE else ():
            if worker.deadline is not None:
                worker.deadline += stopped

    def _kill_overdue(self) -> None:
        now = time.monotonic()
        for worker in tuple(self._workers):
            if worker.deadline is not None and worker.deadline <= now:
                call, worker.call = worker.call, None
                self._remove(worker)
                if call is not None:
                    text = f"timed out after {self._call_timeout:g} s"
                    call.future.set_exception(CallTimedOut(text))

    def _remove(self, worker: WorkerProcess) -> None:
        with self._lock:
            worker.kill()  # also what a dead one has left running
            self._workers.remove(worker)
            self._dying.append(worker)
        self._selector.unregister(worker.pipe)
        if worker.pidfd is not None:
            self._selector.unregister(worker.pidfd)
        worker.close()

    def _reap(self) -> None:
        for worker in tuple(self._dying):
            with self._lock:
                how = worker.reap()
                if how is None:
                    continue
                self._dying.remove(worker)
            self._handle_end(worker, how)

    def _handle_end(self, worker: WorkerProcess, how: str) -> None:
        """Resolve, retry or fail the call of a worker that has ended."""
        call = worker.call
        if worker.leaving or self._phase in {Phase.KILLED, Phase.ENDED}:
            if call is not None:
                call.future.set_exception(PoolClosed())
            return
        logger.warning("worker process %d %s", worker.pid, how)
        self._replaced += 1
        if not worker.ready:
            self._start_failed(f"the last one {how}")
        elif call is not None and worker.unread and not call.retried:
            # It died before it had read the call, so that is not to blame. Once only: one that
            # no worker is able to read must not end them all in turn.
            call.retried = True
            with self._lock:
                self._waiting.appendleft(call)
        elif call is not None:
            call.future.set_exception(WorkerDied(f"the worker process {how}"))

    def _refuse_waiting(self, error: Callable[[], PoolError]) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, deque()
        for call in waiting:
            if call.begin():
                call.future.set_exception(error())

    def _end(self) -> None:
        with self._lock:
            self._phase = Phase.ENDED
        for worker in tuple(self._workers):
            self._remove(worker)
        for worker in self._dying:
            call, worker.call = worker.call, None
            if call is not None:
                call.future.set_exception(PoolClosed())
        self._refuse_waiting(PoolClosed)
        give_up_at = time.monotonic() + LEAVE_TIMEOUT
        while self._dying and time.monotonic() < give_up_at:
            self._reap()
            if self._dying:
                time.sleep(REAP_INTERVAL / 5)
        self._selector.close()
        os.close(self._wake_up)
        os.close(self._waker)
