"""`ingest-stream watch URL`: follows a session anywhere, over any number of reconnections."""

import sys

from cli.display import Errors, choose, exit_status, show
from cli.follow import FollowError, Lost, follow


def watch(url: str, *, token: str | None, as_json: bool) -> int:
    """Show the session at `url` until it ends, and give the exit status."""
    errors = Errors()
    status = 1
    display = choose(as_json=as_json)
    try:
        for seen in follow(url, token):
            if isinstance(seen, Lost):
                display.lost(seen)
            else:
                show(display, errors, seen)
                status = exit_status(seen) if seen["end_time"] else status
    except FollowError as error:
        print(f"ingest-stream: {error}", file=sys.stderr)
        return 2
    finally:
        display.close()
    return status
