"""A real server for a browser: started, killed and started again on the same port."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

HERE = Path(sys.modules["tests"].__path__[0]).parent
DEADLINE = 20.0


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """`uvicorn app:app` with a root and a catalogue below `folder`."""

    def __init__(self, folder: Path, *options: str, **settings: str) -> None:
        self.root = folder / "root"
        self.root.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self._options = options
        self._environment = {
            **os.environ,
            "INGEST_ROOT": str(self.root),
            "INGEST_DATABASE": str(folder / "ingest.db"),
            "INGEST_PROCESSOR": "tests.support.processors:told",
            "INGEST_WORKERS": "2",
            **settings,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def files(self, folder: str, count: int, says: str = "0", name: str = "f{:05}.txt") -> None:
        """Make `count` files in a folder of the root that say how they are to be processed."""
        place = self.root / folder
        place.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            (place / name.format(number)).write_text(says)

    def start(self) -> "Server":
        """Start, and wait until it answers."""
        command = [sys.executable, "-m", "uvicorn", "app:app", "--port", str(self.port)]
        self._process = subprocess.Popen(
            [*command, "--log-level", "warning", *self._options], cwd=HERE, env=self._environment
        )
        deadline = time.monotonic() + DEADLINE
        while not self._answers():
            if time.monotonic() > deadline:
                self.stop()
                raise TimeoutError(f"no answer from the server in {DEADLINE:.0f} s")
            time.sleep(0.05)
        return self

    def _answers(self) -> bool:
        with suppress(OSError, ValueError):
            return bool(self.ask("GET", "/healthz")["status"] == "ok")
        return False

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it, and wait for that."""
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(DEADLINE)
        finally:
            self._process.kill()
            self._process.wait()
            self._process = None

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Send one request and give the JSON of its answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        try:
            headers = {} if body is None else {"Content-Type": "application/json"}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def begin(self, folder: str, **fields: object) -> str:
        """Start a session and give its id."""
        snapshot = self.ask("POST", "/api/ingest/process", {"directory": folder, **fields})
        identifier: str = snapshot["session_id"]
        return identifier

    def cancel(self, session: str) -> None:
        """Cancel a session that has shown what it was for."""
        self.ask("POST", f"/api/ingest/cancel/{session}")

    def snapshot(self, session: str) -> Any:
        """Return a session's snapshot."""
        return self.ask("GET", f"/api/ingest/status/{session}")
