"""The short form of the faults that `python -m tests.faults` injects."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.alone]

LIMIT_SECONDS = 300.0
"""Five times what it takes on two cores."""


def test_faults_cost_no_more_than_themselves() -> None:
    """Killed, starved and poisoned, a real server loses no file and records none twice."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults", "--quick"],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
