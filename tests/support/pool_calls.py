"""What the tests of the pool have its workers do; a worker imports it from here."""

import atexit
import ctypes
import os
import re
import resource
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn


class CannotTravelError(Exception):
    """Pickles, but cannot be made again from what was pickled."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} and {second}")


def echo(*args: Any, **kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return args, kwargs


def fail_with_a_lock() -> NoReturn:
    raise ValueError("held by", threading.Lock())


def fail_for_good() -> NoReturn:
    raise CannotTravelError("one", "two")


def fail(error: BaseException) -> NoReturn:
    raise error


def make_a_lock() -> Any:
    return threading.Lock()


def crash() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.string_at(0)


def hold(begun: str, gate: str) -> int:
    """Report through one FIFO that the call runs, and wait for a byte in the other."""
    tell(begun)
    with Path(gate).open("rb", buffering=0) as fifo:
        fifo.read(1)
    return os.getpid()


def tell(fifo: str, text: str = "!") -> None:
    with Path(fifo).open("wb", buffering=0) as file:
        file.write(text.encode() + b"\n")


def hold_the_gil(begun: str, program: bool = False) -> None:
    """Burn the processor in C code that never gives the GIL away, for far longer than a test."""
    started = [subprocess.Popen(["sleep", "1000"])] if program else []
    tell(begun, " ".join(map(str, [os.getpid(), *(each.pid for each in started)])))
    re.match(r"(a*)*b", "a" * 60)


def open_files() -> list[str]:
    """Return the target of each open descriptor, except the one that lists them."""
    listing = os.listdir("/proc/self/fd")
    return [os.readlink(f"/proc/self/fd/{fd}") for fd in listing if exists(fd)]


def open_files_of_a_program() -> str:
    command = ["ls", "-l", "/proc/self/fd"]
    return subprocess.run(
        command, close_fds=False, check=True, stdout=subprocess.PIPE
    ).stdout.decode()


def tell_at_exit(fifo: str) -> None:
    atexit.register(tell, fifo, "leaving")


def start_a_program_and_die(begun: str) -> None:
    tell(begun, str(subprocess.Popen(["sleep", "1000"]).pid))
    os._exit(1)


def exists(fd: str) -> bool:
    return os.path.lexists(f"/proc/self/fd/{fd}")


def signal_myself() -> str:
    os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGTERM)
    return "alive"


def terminate_a_program() -> int:
    with subprocess.Popen(["sleep", "1000"]) as program:
        program.terminate()
        return program.wait()


def fork_and_die(status: int) -> None:
    """End this process, with a child left behind that holds all its descriptors."""
    if os.fork() == 0:
        signal.pause()
    os._exit(status)


def fork_and_go_on() -> int:
    """Return in the worker and in a child of it."""
    os.fork()
    return os.getpid()


def open_the_terminal() -> str:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR))
    except OSError as error:
        return type(error).__name__
    return "opened"


def wait_with_progress(number: int, *, watch: Callable[[Callable[[], Any]], None]) -> str:
    """Return once the progress was asked for."""
    asked = threading.Event()

    def probe() -> tuple[str, int]:
        asked.set()
        return "at", number

    watch(probe)
    asked.wait()
    return "done"


def environment() -> list[str]:
    """Return the names of the environment's variables."""
    return list(os.environ)
