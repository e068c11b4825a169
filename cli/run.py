"""`ingest-stream run DIR`: an ingest without a server, on the same sessions and catalogue."""

import contextlib
import sys
from collections.abc import Mapping
from typing import IO, Any

from cli.display import SessionPrinter, choose
from cli.words import in_words
from ingest import IngestError, Settings, SettingsError
from web import Application, create_app


async def run(
    settings: Settings, fields: Mapping[str, Any], *, as_json: bool, report: str | None = None
) -> int:
    """
    Ingest `settings.root`, shown as it goes, and give the exit status.

    A session that was interrupted before is resumed; one that is interrupted now will be. What was
    recorded of each file is written to the file `report` at the end; `-` is the standard output.

    Raises:
        SettingsError: `report` cannot be written; nothing was begun.
    """
    if report is not None:
        _open(report, "ab").close()  # what is there is replaced only when there is a report
    display = choose(as_json=as_json, out_is_taken=report == "-")
    with contextlib.ExitStack() as shown:
        shown.callback(display.close)
        try:
            async with create_app(settings).lifespan() as app:
                session_id = await _session(app, fields)
                status = await _follow(app, session_id, SessionPrinter(display))
                shown.close()
                if report is not None:
                    await _write(report, app, session_id)
                return status
        except IngestError as error:
            shown.close()
            print(f"ingest-stream: {error}", file=sys.stderr)
            return 2


async def _session(app: Application, fields: Mapping[str, Any]) -> str:
    for snapshot in await app.sessions():
        if snapshot["end_time"] is None:
            print(f"resuming an interrupted session; {in_words(snapshot)}", file=sys.stderr)
            return str(snapshot["session_id"])
    return await app.start(**fields)


async def _follow(app: Application, session_id: str, follower: SessionPrinter) -> int:
    async for snapshot in app.watch(session_id):
        while (after := follower.missing_after(snapshot)) is not None:
            if not (page := await app.errors_after(session_id, after)):
                break
            follower.errors(page)
        follower.snapshot(snapshot)
    return follower.exit_status


def _open(path: str, mode: str) -> IO[bytes]:
    try:
        return open(1 if path == "-" else path, mode, closefd=path != "-")
    except OSError as error:
        raise SettingsError(
            f"--report is {path!r}; it cannot be written: {error.strerror}"
        ) from error


async def _write(path: str, app: Application, session_id: str) -> None:
    kind = "csv" if path.lower().endswith(".csv") else "ndjson"
    with _open(path, "wb") as out:
        async for piece in app.report(session_id, kind):
            out.write(piece)
