"""A PostgreSQL server of the tests' own: a temporary folder, a Unix socket, no TCP port."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START_SECONDS = 60

SETTINGS = "-c listen_addresses='' -c fsync=off -c max_connections=50"


def binaries() -> Path | None:
    """Return the folder of the newest installed `initdb`, or None."""
    installed = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3])
    )
    if installed:
        return installed[-1].parent
    found = shutil.which("initdb")
    return Path(found).parent if found else None


class PostgresServer:
    """One server; its data directory and its socket are in `folder`."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.folder = folder
        self._programs = programs
        self._data = str(folder / "data")
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres")
        _run(programs / "initdb", "-D", self._data, "-U", "ingest", "-A", "trust", "-E", "UTF8",
             "--no-sync", "--locale=C")  # fmt: skip

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        options = f"{SETTINGS} -k {self.folder}"
        self._control("-l", str(self.folder / "log"), "-o", options, "start")

    def crash(self) -> None:
        """End it without a word to its clients; it recovers at its next start."""
        self._control("-m", "immediate", "stop")

    def url(self, database: str) -> str:
        """Return the URL of one of its databases."""
        return f"postgresql://ingest@/{database}?host={self.folder}"

    def _control(self, *arguments: str) -> None:
        _run(self._programs / "pg_ctl", "-D", self._data, "-w", "-t", str(START_SECONDS),
             *arguments)  # fmt: skip


@contextmanager
def server(programs: Path) -> Iterator[PostgresServer]:
    """Run a server, whose folder is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp") as name:
        made = PostgresServer(programs, Path(name))
        made.start()
        try:
            yield made
        finally:
            made.crash()


def _run(*command: str | Path) -> None:
    """Run a program of PostgreSQL, which refuses to run as root."""
    as_user = ("runuser", "-u", "postgres", "--") if os.geteuid() == 0 else ()
    done = subprocess.run(
        [*as_user, *command],
        cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True, timeout=START_SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{command[0]}: {done.stderr}"
