"""One worker process as the pool sees it: started, written to, read from, killed."""

import contextlib
import os
import pickle
import re
import selectors
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ingest.workers.call import Call

SCRIPT = Path(__file__).absolute().with_name("child.py")
STDERR = 2
# Variables that a worker has no use for. What a decoder could read there would open the service.
SECRET = re.compile(r"INGEST_(\w*TOKENS?|\w*SECRET|WEBHOOK\w*|DATABASE)")
# A message that is longer ends its worker: it would take the server's memory. The longest that is
# meant is a batch in which several files have the most metadata that is recorded.
MAX_MESSAGE = 256 * 1024 * 1024
LENGTH = 8  # bytes, before each message; see worker.py
PROGRESS = b"progress "  # before a report of a call that has not ended; see child.py
CHUNK = 64 * 1024  # memory for much more is mapped and unmapped at each read: 30 us


class WorkerProcess:
    """
    A worker process, its pipe and its lifeline.

    Nothing here waits: the pipe's end on this side does not block, so a worker that does not
    read, or stops in the middle of an answer, holds up nobody.

    Raises:
        OSError: no process could be started.
    """

    def __init__(self, niceness: int) -> None:
        self.call: Call | None = None
        self.deadline: float | None = None  # by the monotonic clock; it is killed when past
        self.ready = False
        self.leaving = False
        self.ended = False  # nothing more will come through the pipe
        self.unread = False  # it ended before it took all that was sent
        self.closed = False
        self._received = bytearray()
        self._unsent = memoryview(b"")
        greeting = pickle.dumps((absolute_path(), host_main()), pickle.HIGHEST_PROTOCOL)
        self._start(niceness)
        self.pid = self._process.pid
        # The pipe alone would not do: a process that the worker forked may hold it open.
        self.pidfd: int | None = None
        with contextlib.suppress(AttributeError, OSError):  # Linux 5.3
            self.pidfd = os.pidfd_open(self.pid)
        self.send(greeting)

    def _start(self, niceness: int) -> None:
        with contextlib.ExitStack() as always, contextlib.ExitStack() as on_failure:
            self.pipe, theirs = socket.socketpair()
            always.callback(theirs.close)
            on_failure.callback(self.pipe.close)
            their_lifeline, self._lifeline = os.pipe()
            always.callback(os.close, their_lifeline)
            on_failure.callback(os.close, self._lifeline)
            self.pipe.setblocking(False)
            fds = (theirs.fileno(), their_lifeline)
            # What is printed goes to the log: the server's own output has a reader, and form.
            log = subprocess.DEVNULL if sys.__stderr__ is None else STDERR
            # A process group of its own keeps the terminal's Ctrl-C away and is what a kill
            # reaches; worker.py says why not a session.
            self._process = subprocess.Popen(  # noqa: S603  # nothing from outside
                [sys.executable, "-P", str(SCRIPT), *map(str, fds), str(niceness)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=fds,
                process_group=0,
                env=environment(),
            )
            on_failure.pop_all()

    @property
    def idle(self) -> bool:
        return self.ready and self.call is None and not self.leaving and not self.ended

    @property
    def interest(self) -> int:
        """What the pipe is to be watched for."""
        both = selectors.EVENT_READ | selectors.EVENT_WRITE
        return both if self._unsent else selectors.EVENT_READ

    def send(self, message: bytes) -> None:
        """Send as much as the pipe takes now; `flush` sends the rest."""
        self._unsent = memoryview(len(message).to_bytes(LENGTH) + message)
        self.flush()

    def flush(self) -> None:
        try:
            while self._unsent:
                self._unsent = self._unsent[self.pipe.send(self._unsent) :]
        except BlockingIOError:
            pass
        except (BrokenPipeError, ConnectionResetError):  # `receive` will find the end
            self.unread = True
            self._unsent = memoryview(b"")

    def receive(self) -> list[bytes]:
        """Return the complete messages received, and set `ended` after the last one."""
        while not self.ended:
            try:
                chunk = self.pipe.recv(CHUNK)
            except BlockingIOError:
                break
            except ConnectionResetError:  # what a socket says whose peer left data unread
                self.unread = True
                chunk = b""
            self._received += chunk
            self.ended = not chunk
            if len(chunk) < CHUNK:
                break
        return list(iter(self._next_message, None))

    def _next_message(self) -> bytes | None:
        end = LENGTH + int.from_bytes(self._received[:LENGTH])
        if len(self._received) < LENGTH:
            return None
        if end > LENGTH + MAX_MESSAGE:
            self.ended = True
            self._received.clear()
            return None
        if len(self._received) < end:
            return None
        message = bytes(self._received[LENGTH:end])
        del self._received[:end]
        return message

    def leave(self) -> None:
        """Close the pipe; the process ends when its call is done."""
        self.leaving = True
        with contextlib.suppress(OSError):
            self.pipe.shutdown(socket.SHUT_WR)

    def kill(self) -> None:
        """
        End it and all that it started, whatever they do.

        Not to be called while another thread is in `reap`: the number could be another's by then.
        """
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    def close(self) -> None:
        self.closed = True
        self.pipe.close()
        os.close(self._lifeline)
        if self.pidfd is not None:
            os.close(self.pidfd)

    def reap(self) -> str | None:
        """Return how it ended, such as "was killed by SIGSEGV"; None while it runs."""
        status = self._process.poll()
        if status is None or status >= 0:
            return None if status is None else f"ended with exit status {status}"
        try:
            return f"was killed by {signal.Signals(-status).name}"
        except ValueError:  # a real-time signal
            return f"was killed by signal {-status}"


def environment() -> dict[str, str]:
    """Return the environment of a worker: without the service's own secrets."""
    return {name: value for name, value in os.environ.items() if not SECRET.fullmatch(name)}


def absolute_path() -> list[str]:
    return [entry or os.getcwd() for entry in sys.path]


def host_main() -> tuple[str, str] | None:
    """Return how a worker finds the host's main module: by name, else by path, or None."""
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    if spec is not None and spec.name != "__main__":  # a directory's or archive's has no other
        return "module", spec.name
    path = getattr(main, "__file__", None)
    # A script that is read from a pipe has `<stdin>` for it.
    return ("path", os.path.abspath(path)) if path and os.path.isfile(path) else None
