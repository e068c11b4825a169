"""The embedded form needs nothing of the clustered one."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

CODE = """
import sys
from app import app
assert not {"cluster", "psycopg", "psycopg_pool", "procrastinate"} & set(sys.modules)
"""


def test_embedded_form_imports_no_database_driver() -> None:
    """The application on SQLite imports neither the package `cluster` nor what it requires."""
    subprocess.run([sys.executable, "-c", CODE], cwd=ROOT, check=True)
