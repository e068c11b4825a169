"""Threads for calls that may never return: what runs in them, and who waits for them."""

import subprocess
import sys
import threading
from concurrent.futures import wait

import pytest

from ingest.daemon_threads import DaemonThreads

HANGS = """
import threading
from ingest.daemon_threads import DaemonThreads
begun = threading.Event()
threads = DaemonThreads(2, "t")
threads.submit(lambda: (begun.set(), threading.Event().wait()))
begun.wait()
threads.shutdown(wait=False, cancel_futures=True)
"""


def test_calls_run_in_as_many_threads_as_are_needed() -> None:
    """Two calls that meet need two threads; no call starts more than the limit."""
    threads = DaemonThreads(2, "t")
    meeting = threading.Barrier(2)
    wait([threads.submit(meeting.wait), threads.submit(meeting.wait)])
    names = {threads.submit(threading.current_thread).result().name for _ in range(20)}
    assert names <= {"t_0", "t_1"}
    threads.shutdown()


def test_what_a_call_raises_is_the_futures() -> None:
    """SystemExit too: it ends neither the thread nor the process."""
    threads = DaemonThreads(1, "t")
    with pytest.raises(SystemExit):
        threads.submit(sys.exit).result()
    assert threads.submit(int).result() == 0
    threads.shutdown()


def test_calls_that_wait_can_be_cancelled_at_the_end() -> None:
    """The call that runs is finished; no further one is taken."""
    threads = DaemonThreads(1, "t")
    gate, begun = threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        gate.wait()

    running = threads.submit(hold)
    waiting = threads.submit(int)
    begun.wait()
    threads.shutdown(wait=False, cancel_futures=True)
    assert waiting.cancelled()
    with pytest.raises(RuntimeError, match="shut down"):
        threads.submit(int)
    gate.set()
    threads.shutdown()
    assert running.done()


def test_process_does_not_wait_for_a_call_that_hangs() -> None:
    """The interpreter ends though a thread is in a dead file system."""
    subprocess.run([sys.executable, "-c", HANGS], check=True, timeout=30)
