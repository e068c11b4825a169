"""
What runs in a worker process: it takes calls from the pool, one at a time, and answers them.

The pool starts this file as a script, and it imports the standard library alone: a worker is up
in some 40 ms, and the host's main module is not run again unless a call needs it.

A worker ignores Ctrl-C and SIGTERM: the server alone decides when it ends. It does so by handlers,
not by a mask or SIG_IGN, because a program that a call starts would inherit those, and then
`Popen.terminate()` would have no effect on it. So such a program gets SIGTERM as usual, also when
a service manager sends it to all processes at once (under systemd, `KillMode=mixed` avoids that).
"""

import contextlib
import fcntl
import io
import os
import pickle
import runpy
import select
import signal
import sys
import termios
import threading
import time
import traceback
import types
from collections.abc import Callable
from typing import Any, BinaryIO

# Before each message stands its length: eight bytes, the most significant one first.
LENGTH = 8
# Before a report of a call that has not ended. An answer is pickled, which begins otherwise.
PROGRESS = b"progress "
# Seconds between two looks at how a call proceeds.
INTERVAL = 0.5


def main() -> None:
    pipe, lifeline, niceness = map(int, sys.argv[1:])
    for fd in (pipe, lifeline):
        os.set_inheritable(fd, False)  # a program that a call starts holds neither
    end_with_the_server(lifeline)
    ignore_interrupts()
    detach_from_terminal()
    with contextlib.suppress(OSError):
        os.nice(niceness)
    # Raw descriptors, never closed here: the pool must see the end of the pipe when this process
    # is gone, not while it exits and has no exit status yet.
    calls = os.fdopen(pipe, "rb", closefd=False)
    setup = receive(calls)
    if setup is None:
        return
    sys.path[:], host_main = pickle.loads(setup)  # noqa: S301  # from the server
    watcher = Watcher(pipe)
    send(pipe, b"")  # ready
    own_pid = os.getpid()
    while (call := receive(calls)) is not None:
        message = answer(call, host_main, watcher.watch)
        if os.getpid() != own_pid:  # the call forked, and its child forgot to end
            os._exit(0)
        watcher.stop()
        send(pipe, message)


class Watcher:
    """
    A thread that reports the progress of calls which ask for it by `watch`.

    It waits without a time limit while no call does, so an idle worker is idle. Nothing is reported
    after `stop`, as an answer follows.
    """

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._probe: Callable[[], Any] | None = None
        self._sending = threading.Lock()
        self._wanted = threading.Event()
        self._started = False

    def watch(self, probe: Callable[[], Any]) -> None:
        """Report what `probe` returns, every half second, until `stop`."""
        if not self._started:
            self._started = True
            threading.Thread(target=self._run, name="watcher", daemon=True).start()
        with self._sending:
            self._probe = probe
            if not self._wanted.is_set():
                self._wanted.set()

    def stop(self) -> None:
        if self._probe is not None:
            with self._sending:
                self._probe = None

    def _run(self) -> None:
        while True:
            self._wanted.wait()
            time.sleep(INTERVAL)
            with self._sending, contextlib.suppress(Exception):
                if self._probe is None:
                    self._wanted.clear()
                elif (report := self._probe()) is not None:
                    send(self._pipe, PROGRESS + pickle.dumps(report, pickle.HIGHEST_PROTOCOL))


def end_with_the_server(lifeline: int) -> None:
    """
    Make the kernel end this process and its children as soon as the server is gone.

    The server alone holds the other end of the `lifeline` pipe, so its end, by SIGKILL too, closes
    it. The kernel then sends SIGIO to the process group, and no Python code has to run for that: a
    thread that watches the pipe would starve while an extension holds the GIL. PR_SET_PDEATHSIG
    must not be set beside it: it ends this process first, and with it the pipe's signal to programs
    that a call has started, which then go on.
    """
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGIO})
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    poll = select.poll()
    poll.register(lifeline, 0)
    if poll.poll(0):  # gone before the signal was asked for
        os._exit(0)


def ignore_interrupts() -> None:
    """Replace the inherited signal mask, which covered the start, by handlers that do nothing."""
    ignored = (signal.SIGINT, signal.SIGTERM)
    for number in ignored:
        signal.signal(number, lambda *_: None)
        signal.siginterrupt(number, False)  # no EINTR for C code
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ignored)


def detach_from_terminal() -> None:
    """
    Detach from the controlling terminal: a program that reads a password there fails at once.

    A session of its own would do that too, but the scheduler shares the processor among sessions
    first (autogroups) and looks at niceness only within one: beside two busy workers, a busy
    server got 0.67 of a core with sessions and 0.99 without.
    """
    with contextlib.suppress(OSError):
        terminal = os.open("/dev/tty", os.O_RDWR)
        try:
            fcntl.ioctl(terminal, termios.TIOCNOTTY)
        finally:
            os.close(terminal)


def receive(stream: BinaryIO) -> bytes | None:
    """Return the next message, or None when the server has closed the pipe."""
    head = stream.read(LENGTH)
    if len(head) < LENGTH:
        return None
    length = int.from_bytes(head)
    body = stream.read(length)
    return body if len(body) == length else None


def send(pipe: int, message: bytes) -> None:
    rest = memoryview(len(message).to_bytes(LENGTH) + message)
    while rest:
        rest = rest[os.write(pipe, rest) :]


def answer(
    call: bytes, host_main: tuple[str, str] | None, watch: Callable[[Callable[[], Any]], None]
) -> bytes:
    """Make the call and pickle what it returns or raises."""
    try:
        function, args, kwargs, watched = Unpickler(call, host_main).load()
        if watched:
            kwargs["watch"] = watch
        value = function(*args, **kwargs)
        return pickle.dumps((True, value, ""), pickle.HIGHEST_PROTOCOL)
    except BaseException as error:  # noqa: BLE001  # whatever it is, it is the caller's
        return refusal(error)


def refusal(error: BaseException) -> bytes:
    text = "".join(traceback.format_exception(error))
    return pickle.dumps((False, portable(error), text), pickle.HIGHEST_PROTOCOL)


def portable(error: BaseException) -> Exception:
    """
    Return the exception, or a RuntimeError with its text if it must not or cannot be pickled.

    SystemExit and the like would end the server's own loop, StopIteration cannot be set on an
    asyncio future, and some exceptions pickle but do not come back.
    """
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        with contextlib.suppress(Exception):
            if type(pickle.loads(pickle.dumps(error))) is type(error):  # noqa: S301  # our own
                return error
    return RuntimeError("".join(traceback.format_exception_only(error)).strip())


class Unpickler(pickle.Unpickler):
    """Unpickles a call, and runs the host's main module when, and only when, it names that."""

    def __init__(self, call: bytes, host_main: tuple[str, str] | None) -> None:
        super().__init__(io.BytesIO(call))
        self._host_main = host_main

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        # By what `__main__` is: whoever imports multiprocessing makes a `__mp_main__` of it.
        still_ours = vars(sys.modules["__main__"]) is globals()
        if module_name == "__main__" and self._host_main and still_ours:
            run_host_main(*self._host_main)
        return super().find_class(module_name, global_name)


def run_host_main(kind: str, where: str) -> None:
    """Run the host's main module as `__mp_main__`, the name multiprocessing gives it."""
    if kind == "module":
        run = runpy.run_module(where, run_name="__mp_main__", alter_sys=True)
    else:
        run = runpy.run_path(where, run_name="__mp_main__")
    module = types.ModuleType("__mp_main__")
    vars(module).update(run)
    sys.modules["__main__"] = sys.modules["__mp_main__"] = module


if __name__ == "__main__":
    main()
