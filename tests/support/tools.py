"""Tools from outside Python that a test needs: without one it skips, and in CI it fails."""

import os
import shutil
from pathlib import Path

import pytest

MODULES = Path(__file__).parents[1] / "node_modules"


def need(tool: str) -> str:
    """Return the path of a command, or of a file below `tests/node_modules`."""
    bundled = MODULES / tool
    found = str(bundled) if bundled.exists() else shutil.which(tool, path=_path())
    if found is not None:
        return found
    message = f"{tool} is missing"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def _path() -> str:
    """Where commands stand; Debian keeps servers outside an ordinary user's path."""
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
