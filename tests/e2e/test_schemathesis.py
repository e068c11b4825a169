"""Requests made up from the description of the API, by the hundred, at a real server."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.server import serve

pytestmark = pytest.mark.e2e

CONFIG = Path(__file__).with_name("schemathesis.toml")

SECONDS = 40
"""Within which it is through, else the test fails; it takes some 10 s."""


def test_description_holds_for_what_is_made_up_from_it(tmp_path: Path) -> None:
    """Right requests are taken and wrong ones refused, each with an answer as described."""
    with serve(tmp_path, command="app", INGEST_MAX_SESSIONS="100000") as server:
        for name in ("a.txt", "b.txt"):
            (server.root / name).write_text(name)
        server.start()
        address = f"http://127.0.0.1:{server.port}/openapi.json"
        # Not its phase "coverage", which fails by itself beside some versions of hypothesis.
        phases = "--phases=examples,fuzzing,stateful"
        flags = [phases, "--max-examples=10", "--request-timeout=10", "--workers=2", "--no-color"]
        program = str(Path(sys.executable).with_name("schemathesis"))
        found = subprocess.run(
            [program, "--config-file", str(CONFIG), "run", address, *flags],
            cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS, check=False,
            env={**os.environ, "PYTHONWARNINGS": ""},
        )  # fmt: skip
        assert found.returncode == 0, found.stdout[-5000:] + found.stderr
        server.stop()
        assert "Traceback" not in server.log, server.log
