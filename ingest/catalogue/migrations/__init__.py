"""
The schema of the catalogue, as numbered migrations.

Each file `NNNN_what.sql` takes a database from the version before to version NNNN. A new database
runs all of them, an older one those that it lacks (`Database.open`). To change the schema, add a
file; a released one is never edited.
"""

from pathlib import Path


def load() -> tuple[str, ...]:
    """Return the SQL of each migration in order; their count is the version of the schema."""
    return tuple(path.read_text("utf-8") for path in sorted(Path(__file__).parent.glob("*.sql")))
