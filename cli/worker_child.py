"""The worker that `ingest-stream serve` runs beside itself where the database is a shared one."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence

STOP_SECONDS = 8.0
"""Seconds in which the worker returns its files to the queue and ends; then it is killed."""

FIRST_PAUSE = 0.5

LONGEST_PAUSE = 30.0
"""Seconds before a worker that ended is started again; doubled each time it ends early."""

STEADY_SECONDS = 30.0
"""Seconds after which a worker did not end early."""


class WorkerChild:
    """
    A child process `ingest-stream worker`, started again whenever it ends.

    Its standard input is a pipe of this process: it stops when this process is gone, even after a
    SIGKILL. One thread starts it and waits for its end.
    """

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        self._command = [sys.executable, "-m", "cli", "worker", "--until-eof", *arguments]
        self._environment = {**os.environ, **environment}
        self._environment.pop("INGEST_TOKEN", None)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep_running, daemon=True)

    def start(self) -> None:
        """Start the process."""
        self._thread.start()

    def stop(self) -> None:
        """End the process, and wait until it has given back its files."""
        self._stopping.set()
        self._thread.join()

    def _keep_running(self) -> None:
        pause = FIRST_PAUSE
        while not self._stopping.is_set():
            begun = time.monotonic()
            self._run_once()
            pause = FIRST_PAUSE if time.monotonic() - begun > STEADY_SECONDS else 2 * pause
            self._stopping.wait(min(pause, LONGEST_PAUSE))

    def _run_once(self) -> None:
        """Run the process until it ends, or this one stops."""
        with subprocess.Popen(  # noqa: S603 - our own command
            self._command,
            stdin=subprocess.PIPE,
            env=self._environment,
            start_new_session=True,  # Ctrl-C is for the server, which stops the worker
        ) as process:
            while process.poll() is None and not self._stopping.wait(0.1):
                pass
            if process.stdin is not None:
                process.stdin.close()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
