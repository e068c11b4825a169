"""`ingest-stream run DIR`: an ingest without a server, on the same sessions and catalogue."""

import sys
from collections.abc import Mapping
from typing import Any

from cli.display import Follower, choose
from cli.words import in_words
from ingest import IngestError, Settings
from web import Application, create_app


async def run(settings: Settings, fields: Mapping[str, Any], *, as_json: bool) -> int:
    """
    Ingest `settings.root`, shown as it goes, and give the exit status.

    A session that was interrupted before is gone on with; one that is interrupted now will be.
    """
    display = choose(as_json=as_json)
    try:
        async with create_app(settings).lifespan() as app:
            return await _follow(app, await _session(app, fields), Follower(display))
    except IngestError as error:
        print(f"ingest-stream: {error}", file=sys.stderr)
        return 2
    finally:
        display.close()


async def _session(app: Application, fields: Mapping[str, Any]) -> str:
    for snapshot in await app.sessions():
        if snapshot["end_time"] is None:
            print(f"going on with what was interrupted; {in_words(snapshot)}", file=sys.stderr)
            return str(snapshot["session_id"])
    return await app.start(**fields)


async def _follow(app: Application, session_id: str, follower: Follower) -> int:
    async for snapshot in app.watch(session_id):
        while (after := follower.missing_after(snapshot)) is not None:
            if not (page := await app.errors_after(session_id, after)):
                break
            follower.errors(page)
        follower.snapshot(snapshot)
    return follower.exit_status
