"""The pool of worker processes: what calls become, and what becomes of the processes."""

import os
import select
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ingest.workers import process as worker_process
from ingest.workers import supervisor as dispatcher
from ingest.workers.pool import (
    CallTimedOut,
    PoolBroken,
    PoolClosed,
    PoolStatistics,
    WorkerDied,
    WorkerPool,
)
from ingest.workers.process import WorkerProcess
from tests.support import pool_calls

DEADLINE = 30.0  # seconds for what takes milliseconds
ROOT = Path(__file__).parents[3]


@contextmanager
def pool_of(workers: int, **options: Any) -> Iterator[WorkerPool]:
    """Return a pool that is killed at the end, so that a failed test does not hang."""
    pool = WorkerPool(workers, **options)
    try:
        yield pool
    finally:
        pool.kill()


@pytest.fixture
def pool() -> Iterator[WorkerPool]:
    with pool_of(1) as one:
        yield one


class Fifo:
    """A named pipe between a test and a call, of which neither end blocks when it is opened."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = str(path)
        self._fd = os.open(path, os.O_RDWR)

    def line(self) -> str:
        """Wait for a line that a call tells."""
        assert select.select([self._fd], [], [], DEADLINE)[0], "no message arrived"
        return os.read(self._fd, 1000).decode().strip()

    def open_gate(self) -> None:
        os.write(self._fd, b"!")

    def close(self) -> None:
        os.close(self._fd)


@pytest.fixture
def begun(tmp_path: Path) -> Iterator[Fifo]:
    fifo = Fifo(tmp_path / "begun")
    yield fifo
    fifo.close()


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Fifo]:
    fifo = Fifo(tmp_path / "gate")
    yield fifo
    fifo.close()


def held(pool: WorkerPool, begun: Fifo, gate: Fifo) -> Future[int]:
    """Keep one worker busy until the gate opens."""
    future = pool.submit(pool_calls.hold, begun.path, gate.path)
    begun.line()
    return future


def result(future: Future[Any]) -> Any:
    return future.result(DEADLINE)


def until(holds: Callable[[], bool]) -> None:
    """Wait for another thread to bring something about that it does not announce."""
    deadline = time.monotonic() + DEADLINE
    while not holds():
        assert time.monotonic() < deadline, "it did not come about"
        os.sched_yield()


def assert_gone(pid: int) -> None:
    """The process has ended, or does so before the deadline."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([fd], [], [], DEADLINE)[0], f"process {pid} is still there"
    finally:
        os.close(fd)


# What becomes of a call


def test_call_gives_its_value(pool: WorkerPool) -> None:
    """Arguments by position and by name arrive, and the value comes from another process."""
    assert result(pool.submit(pool_calls.echo, 1, two=b"2")) == ((1,), {"two": b"2"})
    assert result(pool.submit(os.getpid)) != os.getpid()


def test_large_call_and_answer_pass(pool: WorkerPool) -> None:
    """A call and an answer may be far larger than the pipe's buffer."""
    blob = os.urandom(5_000_000)
    assert result(pool.submit(pool_calls.echo, blob)) == ((blob,), {})


def test_exception_comes_with_its_traceback(pool: WorkerPool) -> None:
    """What a function raises is raised here, caused by the traceback in the worker."""
    error = pool.submit(pool_calls.fail, KeyError("k")).exception(DEADLINE)
    assert isinstance(error, KeyError)
    assert error.args == ("k",)
    assert "in fail\n    raise error" in str(error.__cause__)


@pytest.mark.parametrize(
    ("function", "args", "text"),
    [
        (pool_calls.fail_with_a_lock, (), r"ValueError: \('held by', <unlocked"),
        (pool_calls.fail_for_good, (), "CannotTravelError: one and two"),
        (pool_calls.fail, (SystemExit(3),), "SystemExit: 3"),
        (pool_calls.fail, (KeyboardInterrupt(),), "KeyboardInterrupt"),
        (pool_calls.fail, (StopIteration(),), "StopIteration"),
    ],
)
def test_exception_that_must_not_travel_becomes_a_runtime_error(
    pool: WorkerPool, function: Callable[..., Any], args: tuple[Any, ...], text: str
) -> None:
    """An exception that does not pickle, or would end the server's loop, comes as its text."""
    with pytest.raises(RuntimeError, match=text):
        result(pool.submit(function, *args))


def test_unpicklable_call_is_refused_by_submit(pool: WorkerPool) -> None:
    """What cannot be sent is an error where it is submitted, not later in the future."""
    with pytest.raises(TypeError, match="pickle"):
        pool.submit(pool_calls.echo, threading.Lock())


def test_unpicklable_value_fails_only_its_call(pool: WorkerPool) -> None:
    """A value that cannot come back is that call's error; the worker lives on."""
    pid = result(pool.submit(os.getpid))
    with pytest.raises(TypeError, match="pickle"):
        result(pool.submit(pool_calls.make_a_lock))
    assert result(pool.submit(os.getpid)) == pid


def test_calls_begin_in_the_order_of_submission(pool: WorkerPool, begun: Fifo, gate: Fifo) -> None:
    """With one worker, calls are done strictly one after the other as submitted."""
    first = held(pool, begun, gate)
    order: list[int] = []
    futures = [pool.submit(pool_calls.echo, n) for n in range(50)]
    for future in futures:
        future.add_done_callback(lambda done: order.append(done.result()[0][0]))
    assert pool.statistics().waiting == 50
    gate.open_gate()
    result(first)
    wait(futures, DEADLINE)
    assert order == list(range(50))


def test_waiting_call_can_be_cancelled(pool: WorkerPool, begun: Fifo, gate: Fifo) -> None:
    """A call that waits can be cancelled, one that runs cannot, and the next is not held up."""
    first = held(pool, begun, gate)
    second, third = pool.submit(os.getpid), pool.submit(os.getpid)
    assert second.cancel()
    assert not first.cancel()
    gate.open_gate()
    assert result(third) == result(first)
    assert second.cancelled()


# What becomes of a worker


@pytest.mark.parametrize(
    ("function", "args", "text"),
    [
        (os._exit, (3,), "the worker process ended with exit status 3"),
        (pool_calls.crash, (), "the worker process was killed by SIGSEGV"),
        (pool_calls.fork_and_die, (4,), "the worker process ended with exit status 4"),
    ],
)
def test_dead_worker_fails_its_call_alone(
    function: Callable[..., Any], args: tuple[Any, ...], text: str, begun: Fifo, gate: Fifo
) -> None:
    """
    A worker that dies, even one that leaves a child with its pipe, takes one call with it.

    The call of another worker and those that wait go on, and a new worker takes its place.
    """
    with pool_of(2) as pool:
        other = held(pool, begun, gate)
        dead = pool.submit(function, *args)
        waiting = [pool.submit(os.getpid) for _ in range(10)]
        with pytest.raises(WorkerDied, match=f"^{text}$"):
            result(dead)
        assert len({result(future) for future in waiting}) == 1
        gate.open_gate()
        assert result(other) != result(waiting[0])
        assert (pool.statistics().workers, pool.statistics().replaced) == (2, 1)


def test_dead_worker_leaves_no_program_behind(pool: WorkerPool, begun: Fifo) -> None:
    """What a call had started is ended with the worker that dies under it."""
    future = pool.submit(pool_calls.start_a_program_and_die, begun.path)
    assert_gone(int(begun.line()))
    assert isinstance(future.exception(DEADLINE), WorkerDied)


def test_idle_worker_that_dies_is_replaced_unseen(pool: WorkerPool) -> None:
    """A worker that is killed while idle fails no call."""
    pid = result(pool.submit(os.getpid))
    os.kill(pid, signal.SIGKILL)
    until(lambda: pool.statistics().replaced == 1)
    assert result(pool.submit(os.getpid)) != pid


def test_call_that_its_worker_never_read_goes_to_another(pool: WorkerPool) -> None:
    """A call is not blamed for a worker that died before it took it from the pipe."""
    pid = result(pool.submit(os.getpid))
    os.kill(pid, signal.SIGSTOP)
    future = pool.submit(os.getpid)
    until(future.running)
    os.kill(pid, signal.SIGKILL)
    assert result(future) != pid


def test_call_that_forks_is_answered_once(pool: WorkerPool) -> None:
    """A call that returns in a child of the worker, too, does not answer for the next one."""
    pid = result(pool.submit(os.getpid))
    assert [result(pool.submit(pool_calls.fork_and_go_on)) for _ in range(5)] == [pid] * 5
    assert result(pool.submit(pool_calls.echo, 7)) == ((7,), {})


def test_overdue_call_is_ended_alone(begun: Fifo, gate: Fifo) -> None:
    """
    A call that runs too long fails, and its worker is killed, while another goes on.

    The time that a call waits for a worker is not counted: the second one waits as long as the
    first may run.
    """
    with pool_of(1, call_timeout=0.3) as pool:
        first = pool.submit(pool_calls.hold, begun.path, gate.path)
        second = pool.submit(os.getpid)
        begun.line()
        with pytest.raises(CallTimedOut, match=r"^timed out after 0\.3 s$"):
            result(first)
        assert result(second) > 0
        until(lambda: pool.statistics().replaced == 1)


def test_call_may_take_longer_than_a_selector_waits() -> None:
    """A time-out of a year, as good as none, is taken; a selector takes 24 days at most."""
    with pool_of(1, call_timeout=365 * 24 * 3600) as pool:
        assert result(pool.submit(os.getpid)) > 0
        assert result(pool.submit(os.getpid)) > 0


def test_worker_that_cannot_start_is_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pool: WorkerPool
) -> None:
    """
    Workers that die before they are up fail the waiting calls; once they start, calls succeed.

    The status that this one ends with says that it was started with Ctrl-C and SIGTERM blocked.
    It takes longer to be gone than the next one takes to start.
    """
    looks: Counter[int] = Counter()
    reap = WorkerProcess.reap

    def reap_late(worker: WorkerProcess) -> str | None:
        looks[worker.pid] += 1
        return reap(worker) if looks[worker.pid] > 10 else None

    script = tmp_path / "broken.py"
    script.write_text(
        "import signal\n"
        "mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])\n"
        "raise SystemExit((signal.SIGINT in mask) + 2 * (signal.SIGTERM in mask))\n"
    )
    with monkeypatch.context() as patch:
        patch.setattr(worker_process, "SCRIPT", script)
        patch.setattr(WorkerProcess, "reap", reap_late)
        patch.setattr(dispatcher, "RETRY_PAUSE", 0.01)
        text = "^no worker process can be started: the last one ended with exit status 3$"
        for _ in range(2):
            with pytest.raises(PoolBroken, match=text):
                result(pool.submit(os.getpid))
    os.kill(result(pool.submit(os.getpid)), signal.SIGKILL)
    deaths = dispatcher.MAX_FAILED_STARTS + 2
    until(lambda: pool.statistics() == PoolStatistics(1, 0, 0, deaths))


def test_refusal_of_the_system_is_reported(
    monkeypatch: pytest.MonkeyPatch, pool: WorkerPool
) -> None:
    """Where no process can be made, calls fail with the system's reason, and it is left at that."""
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(PoolBroken, match="No such file or directory: '/no/such/python'"):
        result(pool.submit(os.getpid))
    assert pool._dispatcher is not None
    assert not pool._dispatcher._may_start()
    assert pool._dispatcher._pause() is None


# What a worker has and does not have


def test_worker_inherits_no_sockets() -> None:
    """A worker holds its standard streams, its pipe and its lifeline, and nothing inheritable."""
    with socket.create_server(("127.0.0.1", 0)) as listener, pool_of(1) as pool:
        listener.set_inheritable(True)
        inode = os.fstat(listener.fileno()).st_ino
        files = result(pool.submit(pool_calls.open_files))
        assert f"socket:[{inode}]" not in files
        assert len(files) == 5
        assert sum(name.startswith("socket:") for name in files) == 1
        assert "/dev/null" in files


def test_program_of_a_worker_holds_no_pipe(pool: WorkerPool) -> None:
    """A program that a call starts inherits neither the pipe nor the lifeline."""
    files = result(pool.submit(pool_calls.open_files_of_a_program))
    assert "/dev/null" in files
    assert "socket:" not in files


def test_worker_runs_at_a_lower_priority() -> None:
    """
    A worker is nicer than the server by as much as was asked for, and in the same session.

    In one of its own, the scheduler might not compare the two at all.
    """
    with pool_of(1, niceness=3) as pool:
        assert result(pool.submit(os.nice, 0)) == min(os.nice(0) + 3, 19)
        assert result(pool.submit(os.getsid, 0)) == os.getsid(0)


def test_worker_ignores_polite_signals(pool: WorkerPool) -> None:
    """Ctrl-C and SIGTERM do not end a worker, but end a program that it started."""
    assert result(pool.submit(pool_calls.signal_myself)) == "alive"
    assert result(pool.submit(pool_calls.terminate_a_program)) == -signal.SIGTERM


def test_worker_has_no_terminal(tmp_path: Path) -> None:
    """A program that asks at the terminal for a password fails in a worker, and does not stop."""
    script = """
        import os
        from ingest.workers.pool import WorkerPool
        from tests.support import pool_calls

        os.setsid()
        terminal = os.open(os.ttyname(os.openpty()[1]), os.O_RDWR)  # it becomes the session's
        with WorkerPool(1) as pool:
            print(pool_calls.open_the_terminal())
            print(pool.submit(pool_calls.open_the_terminal).result())
    """
    process = run_script(tmp_path, script)
    assert (process.stdout, process.stderr) == ("opened\nOSError\n", "")


def test_functions_of_the_main_module_can_be_called(tmp_path: Path) -> None:
    """
    A script's own functions and classes work, and it is run in a worker only for these.

    It prints at each run: once in the server, and once for the first call that names it. What
    is printed in a worker goes where errors go: the server's output is for its reader. That
    multiprocessing, imported before, gives a name to the main module changes nothing.
    """
    script = """
        import multiprocessing
        from dataclasses import dataclass
        from ingest.workers.pool import WorkerPool

        print("run as", __name__, flush=True)

        @dataclass
        class Point:
            x: int

        def double(point):
            return Point(2 * point.x)

        if __name__ == "__main__":
            with WorkerPool(1) as pool:
                pool.submit(multiprocessing.cpu_count).result()
                print("before", flush=True)
                print([pool.submit(double, Point(n)).result() for n in (1, 2)])
    """
    expected = "run as __main__\nbefore\n[Point(x=2), Point(x=4)]\n"
    for by_name in (False, True):
        process = run_script(tmp_path, script, by_name=by_name)
        assert (process.stdout, process.stderr) == (expected, "run as __mp_main__\n")


def test_worker_runs_where_there_is_no_standard_error(tmp_path: Path) -> None:
    """A service whose standard error was closed for it has workers all the same."""
    script = """
        import os, sys
        if sys.__stderr__ is not None:
            os.close(2)
            os.execv(sys.executable, [sys.executable, "-P", *sys.argv])
        from ingest.workers.pool import WorkerPool

        with WorkerPool(1) as pool:
            print(pool.submit(os.readlink, "/proc/self/fd/2").result())
    """
    process = run_script(tmp_path, script)
    assert (process.stdout, process.stderr) == ("/dev/null\n", "")


def test_unguarded_main_module_is_refused(tmp_path: Path) -> None:
    """A script that lacks the guard gets an error, not processes without end."""
    script = """
        import multiprocessing
        from ingest.workers.pool import WorkerPool

        def one():
            return 1

        with WorkerPool(1) as pool:
            print(pool.submit(one).exception())
    """
    process = run_script(tmp_path, script)
    assert "the main module starts a pool outside of `if __name__" in process.stdout


def run_script(
    tmp_path: Path, text: str, *, by_name: bool = False
) -> subprocess.CompletedProcess[str]:
    (tmp_path / "host.py").write_text(textwrap.dedent(text))
    script = ["-m", "host"] if by_name else ["host.py"]
    return subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", *script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )


# The end of it all


def test_new_pool_is_inert() -> None:
    """Making a pool opens and starts nothing, and one that never ran can be closed."""
    before = threading.active_count(), own_files()
    pool = WorkerPool(4)
    assert (threading.active_count(), own_files()) == before
    pool.kill()
    pool.shutdown()
    with pytest.raises(PoolClosed):
        pool.start()


def own_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def own_children() -> set[str]:
    """Return the processes that this one started and has not reaped."""
    threads = Path("/proc/self/task").glob("*/children")
    return {pid for thread in threads for pid in thread.read_text().split()}


@pytest.mark.parametrize("end", [WorkerPool.kill, WorkerPool.shutdown])
def test_nothing_is_left_behind(end: Callable[[WorkerPool], None]) -> None:
    """After many deaths and the pool's end, no descriptor, thread or child process is left."""
    before = threading.active_count(), own_files(), own_children()
    pool = WorkerPool(2)
    deaths = [pool.submit(os._exit, 1) for _ in range(20)]
    assert all(isinstance(future.exception(DEADLINE), WorkerDied) for future in deaths)
    end(pool)
    assert (threading.active_count(), own_files(), own_children()) == before


def test_kill_ends_what_holds_the_gil(begun: Fifo) -> None:
    """A kill returns in moments, with all calls failed, whatever a worker is at."""
    pool = WorkerPool(1)
    running = pool.submit(pool_calls.hold_the_gil, begun.path, program=True)
    waiting = pool.submit(os.getpid)
    pids = [int(pid) for pid in begun.line().split()]
    start = time.monotonic()
    pool.kill()
    assert time.monotonic() - start < 0.5
    for future in (running, waiting):
        with pytest.raises(PoolClosed):
            result(future)
    for pid in pids:
        assert_gone(pid)
    pool.kill()
    with pytest.raises(PoolClosed):
        pool.submit(os.getpid)


def test_kill_does_not_wait_for_a_callback(begun: Fifo, gate: Fifo) -> None:
    """Workers are killed even while the pool's own thread is stuck in a future's callback."""
    stuck, release = threading.Event(), threading.Event()

    def block(_: Future[int]) -> None:
        stuck.set()
        release.wait()

    pool = WorkerPool(2)
    running = pool.submit(pool_calls.hold_the_gil, begun.path)
    pid = int(begun.line())
    held(pool, begun, gate).add_done_callback(block)
    gate.open_gate()
    assert stuck.wait(DEADLINE)
    try:
        pool.kill()
        assert_gone(pid)
    finally:
        release.set()
    assert isinstance(running.exception(DEADLINE), PoolClosed)
    pool.shutdown()


def test_callback_may_kill_the_pool(pool: WorkerPool) -> None:
    """A future's callback, which runs in the pool's own thread, can end the pool."""
    future = pool.submit(os.getpid)
    killed = threading.Event()

    def kill(_: Future[int]) -> None:
        pool.kill()
        killed.set()

    future.add_done_callback(kill)
    assert killed.wait(DEADLINE)
    pool.shutdown()


def test_shutdown_finishes_what_it_has(begun: Fifo, gate: Fifo) -> None:
    """Calls that run or wait are done after a shutdown, and no new ones are taken."""
    with pool_of(1) as pool:
        first = held(pool, begun, gate)
        second = pool.submit(os.getpid)
        pool.shutdown(wait=False)
        with pytest.raises(RuntimeError, match="closed"):
            pool.submit(os.getpid)
        gate.open_gate()
        pool.shutdown()
        assert first.result(0) == second.result(0)


def test_shutdown_lets_idle_workers_leave(pool: WorkerPool, begun: Fifo) -> None:
    """An idle worker runs its exit handlers."""
    result(pool.submit(pool_calls.tell_at_exit, begun.path))
    pool.shutdown()
    assert begun.line() == "leaving"


def test_shutdown_can_cancel_what_waits(begun: Fifo, gate: Fifo) -> None:
    """With `cancel_futures`, the call that runs is finished and those that wait are cancelled."""
    with pool_of(1) as pool:
        first = held(pool, begun, gate)
        second = pool.submit(os.getpid)
        pool.shutdown(wait=False, cancel_futures=True)
        assert wait([second], DEADLINE).done
        with pytest.raises(CancelledError):
            second.result(0)
        gate.open_gate()
        assert result(first) > 0


def test_interpreter_ends_without_shutdown(tmp_path: Path) -> None:
    """A program that forgets its pool ends all the same, at once and without a warning."""
    script = """
        import os
        from ingest.workers.pool import WorkerPool

        pool = WorkerPool(2)
        print(pool.submit(os.getpid).result())
    """
    process = run_script(tmp_path, script)
    assert (process.returncode, process.stderr) == (0, "")
    assert_gone(int(process.stdout))


def test_workers_do_not_outlive_a_killed_server(begun: Fifo) -> None:
    """
    When the server is killed, so are its workers and the programs that they started.

    One worker is idle, the other holds the GIL, so that none of its own code could run.
    """
    script = """
        import sys
        from ingest.workers.pool import WorkerPool
        from tests.support import pool_calls

        pool = WorkerPool(2)
        pool.submit(pool_calls.hold_the_gil, sys.argv[1], program=True)
        print(pool.submit(pool_calls.os.getpid).result(), flush=True)
        sys.stdin.read()
    """
    server = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), begun.path],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with server:
        assert server.stdout is not None
        pids = [int(pid) for pid in (*begun.line().split(), server.stdout.readline())]
        for pid in pids:
            os.kill(pid, 0)
        server.kill()
    assert len(pids) == 3
    for pid in pids:
        assert_gone(pid)


def test_worker_that_starts_after_the_servers_end_ends_too() -> None:
    """A worker whose lifeline is cut before it has set up anything does not wait for calls."""
    ours, theirs = socket.socketpair()
    lifeline, other_end = os.pipe()
    os.close(other_end)
    with ours, theirs:
        fds = theirs.fileno(), lifeline
        command = [sys.executable, "-P", str(worker_process.SCRIPT), *map(str, fds), "0"]
        # In a group of its own: it asks for that group to be ended.
        subprocess.run(command, pass_fds=fds, process_group=0, timeout=DEADLINE, check=True)
    os.close(lifeline)


def test_call_reports_its_progress_until_it_ends() -> None:
    """The probe of a call that takes long is asked; nothing comes after its result."""
    reports: list[object] = []
    first = threading.Event()

    def take(report: object) -> None:
        reports.append(report)
        first.set()

    with pool_of(1) as pool:
        call = pool.submit_watched(take, pool_calls.wait_with_progress, 7)
        assert first.wait(DEADLINE)
        assert call.result(DEADLINE) == "done"
        told = len(reports)
        assert reports[0] == ("at", 7)
        assert pool.submit(int).result(DEADLINE) == 0
        assert len(reports) == told


def test_worker_has_none_of_the_services_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens, the webhook's secret and the database's URL stay in the server."""
    secrets = ("TOKEN", "READ_TOKEN", "TOKENS", "WEBHOOK_SECRET", "WEBHOOK", "DATABASE")
    for name in secrets:
        monkeypatch.setenv(f"INGEST_{name}", "hush")
    monkeypatch.setenv("INGEST_ROOT", "/srv")
    monkeypatch.setenv("TOKEN_OF_THE_HOST", "mine")
    with pool_of(1) as pool:
        names = pool.submit(pool_calls.environment).result(DEADLINE)
    assert not set(names) & {f"INGEST_{name}" for name in secrets}
    assert {"INGEST_ROOT", "TOKEN_OF_THE_HOST"} <= set(names)


def test_answer_that_is_too_long_ends_its_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that announces more than the bound is killed before the server holds it."""
    monkeypatch.setattr(worker_process, "MAX_MESSAGE", 1_000_000)
    with pool_of(1) as pool:
        with pytest.raises(WorkerDied):
            pool.submit(bytes, 2_000_000).result(DEADLINE)
        assert pool.submit(len, "abc").result(DEADLINE) == 3
