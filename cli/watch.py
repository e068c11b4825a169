"""`ingest-stream watch URL`: follows a session anywhere, over any number of reconnections."""

import sys

from cli.client import Disconnected, FollowError, errors_after, follow, stream_url
from cli.display import SessionPrinter, choose


def watch(url: str, *, token: str | None, as_json: bool) -> int:
    """Show the session at `url` until it ends, and give the exit status."""
    display = choose(as_json=as_json)
    follower = SessionPrinter(display)
    try:
        target = stream_url(url)
        for seen in follow(target, token):
            if isinstance(seen, Disconnected):
                display.lost(seen.reason)
                continue
            while (after := follower.missing_after(seen)) is not None:
                if not (page := errors_after(target, token, after)):
                    break
                follower.errors(page)
            follower.snapshot(seen)
    except FollowError as error:
        print(f"ingest-stream: {error}", file=sys.stderr)
        return 2
    finally:
        display.close()
    return follower.exit_status
