"""
The schema of the clustered form, as numbered migrations.

Each file `NNNN_what.sql` takes a database from the version before to version NNNN. To change the
schema, add a file; a released one is never edited.
"""

from pathlib import Path


def load() -> tuple[str, ...]:
    """Return the SQL of each migration in order; their count is the version of the schema."""
    return tuple(path.read_text("utf-8") for path in sorted(Path(__file__).parent.glob("*.sql")))
