"""Messages of the command line to the person who runs it."""

import sys


def warn(text: str) -> None:
    """Print `text` on the standard error output, with the program's name before it."""
    print(f"ingest-stream: {text}", file=sys.stderr)
