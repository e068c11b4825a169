"""`ingest-stream watch URL`: follows a session on a server, through any number of reconnections."""

from typing import Any

from cli.client import Disconnected, FollowError, errors_after, follow, stream_url
from cli.display import SessionPrinter, choose
from cli.environment import value_of
from cli.messages import warn


def watch(flags: dict[str, Any]) -> int:
    """Show the session at a URL until it ends, and return the exit status."""
    token = value_of("token", flags["token"])
    display = choose(as_json=flags["json"])
    printer = SessionPrinter(display)
    try:
        target = stream_url(flags["url"])
        for received in follow(target, token):
            if isinstance(received, Disconnected):
                display.lost(received.reason)
                continue
            while (after := printer.missing_after(received)) is not None:
                if not (page := errors_after(target, token, after)):
                    break
                printer.errors(page)
            printer.snapshot(received)
    except FollowError as error:
        warn(str(error))
        return 2
    finally:
        display.close()
    return printer.exit_status
