"""The machine: its cores, what it is in general words, and what a process takes of it."""

import os
import platform
import resource
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FILES_NEEDED = 12_000
"""Open files of a process that holds 10,000 streams."""


@dataclass(frozen=True, slots=True)
class Cores:
    """Where the server runs, and where the client; both anywhere on a machine with one core."""

    server: frozenset[int]
    client: frozenset[int]
    all: frozenset[int]

    @classmethod
    def of_this_machine(cls) -> "Cores":
        cores = sorted(os.sched_getaffinity(0))
        everywhere = frozenset(cores)
        if len(cores) == 1:
            return cls(everywhere, everywhere, everywhere)
        return cls(frozenset(cores[:1]), frozenset(cores[-1:]), everywhere)


def describe() -> str:
    """Return a description of this machine without its name."""
    kind = "a virtual machine" if " hypervisor" in _read("/proc/cpuinfo") else "a machine"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{kind} with {len(os.sched_getaffinity(0))} cores and {memory:.0f} GiB, "
        f"Linux {platform.release().split('-')[0]}, Python {platform.python_version()}"
    )


def allow_open_files() -> int:
    """Raise the soft limit of open files to the hard limit, and return it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(hard, FILES_NEEDED) if hard == resource.RLIM_INFINITY else hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds that the threads of a process used."""
    return sum(
        int(_read(f"/proc/{pid}/task/{thread}/schedstat").partition(" ")[0] or 0) / 1e9
        for thread in _list(f"/proc/{pid}/task")
    )


def memory(pid: int) -> int:
    """Return the resident memory of a process in bytes, shared pages included."""
    fields = _read(f"/proc/{pid}/statm").split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") if fields else 0


def family(pid: int) -> Iterator[int]:
    """Return the ids of a process and of all its descendants."""
    yield pid
    for thread in _list(f"/proc/{pid}/task"):
        for child in _read(f"/proc/{pid}/task/{thread}/children").split():
            yield from family(int(child))


def build_client(source: Path, folder: Path) -> str | None:
    """Compile the client and return its path, or None without a compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return None
    binary = str(folder / "client")
    command = [compiler, "-O2", "-o", binary, str(source), "-lm"]
    return binary if subprocess.run(command, check=False).returncode == 0 else None


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


def _list(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except OSError:
        return []
