"""A server that is stopped and goes on, and workers that somebody else kills."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.support.server import Server, serve, until

pytestmark = pytest.mark.e2e


def ended(server: Server, session_id: str) -> bool:
    """Return whether the session has ended."""
    return server.ask("GET", f"/api/ingest/status/{session_id}")[1]["end_time"] is not None


def test_pause_of_the_server_is_not_time_of_a_file(tmp_path: Path) -> None:
    """Frozen with its workers for longer than a file may take, it times no file out."""
    (tmp_path / "inbox").mkdir()
    for n in range(2):
        (tmp_path / "inbox" / f"{n}.txt").touch()
    settings = {"INGEST_PROCESSOR": "tests.support.slow:wait_a_second", "INGEST_FILE_TIMEOUT": "10"}
    with serve(tmp_path, command="serve", INGEST_WORKERS="2", **settings) as server:
        session_id = server.start()
        until(lambda: server.ask("GET", f"/api/ingest/status/{session_id}")[1]["current_file"])
        processes = [server.process.pid, *server.children()]
        for pid in processes:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(12)
        for pid in processes:
            os.kill(pid, signal.SIGCONT)
            time.sleep(0.3)  # the server looks at the time before a worker goes on
        until(lambda: ended(server, session_id))
        snapshot = server.ask("GET", f"/api/ingest/status/{session_id}")[1]
        assert (snapshot["stats"]["done"], snapshot["errors"]) == (2, [])


def test_killed_workers_make_no_good_file_an_error(tmp_path: Path) -> None:
    """Four kills of workers from outside, and every file is done."""
    (tmp_path / "inbox").mkdir()
    for n in range(6):
        (tmp_path / "inbox" / f"{n}.txt").touch()
    settings = {"INGEST_PROCESSOR": "tests.support.slow:wait_a_second"}
    with serve(tmp_path, command="serve", INGEST_WORKERS="2", **settings) as server:
        session_id = server.start()
        for _ in range(2):
            until(lambda: len(server.children()) == 2)
            time.sleep(0.5)
            for pid in server.children():
                os.kill(pid, signal.SIGKILL)
        until(lambda: ended(server, session_id))
        snapshot = server.ask("GET", f"/api/ingest/status/{session_id}")[1]
        assert (snapshot["stats"]["done"], snapshot["errors"]) == (6, [])
