"""`ingest-stream run DIR`: an ingest without a server, on the same sessions and catalogue."""

import asyncio
import contextlib
import os
import re
import sys
from collections.abc import Mapping
from typing import IO, Any

from cli.display import SessionPrinter, choose
from cli.environment import settings_of, state_database, value_of
from cli.messages import warn
from cli.summary import summarize
from ingest import IngestError, Settings, SettingsError
from ingest.setting_types import DATABASE_SCHEMES
from web import Application, create_app

FIELDS = ("pattern", "exclude", "one_file_system", "max_files", "skip_existing")
"""The flags that are fields of the session's request."""

INTERRUPTED = 130
"""The exit status that shells give to a command ended by Ctrl-C: 128 + SIGINT."""


def run(flags: dict[str, Any]) -> int:
    """
    Ingest one directory without a server, show its progress, and return the exit status.

    Raises:
        SettingsError: the directory, a setting or the report's path cannot be used.
    """
    if not os.path.isdir(flags["directory"]):
        raise SettingsError(f"not a directory: {flags['directory']!r}")
    as_json, report = flags.pop("json"), flags.pop("report")
    fields = {name: flags.pop(name) for name in FIELDS}
    flags["root"] = flags.pop("directory")
    fields["exclude"] += _own(report, flags["root"])
    database = value_of("database", flags["database"])
    if database is not None and database.startswith(DATABASE_SCHEMES):
        raise SettingsError(
            "INGEST_DATABASE (--database) is the URL of a shared database, whose workers run the "
            "files; `run` takes a file: name one with --database"
        )
    settings = settings_of({**flags, "database": database or state_database(flags["root"])})
    try:
        return asyncio.run(ingest_directory(settings, fields, as_json=as_json, report=report))
    except KeyboardInterrupt:
        warn("interrupted; run the same command again to resume")
        return INTERRUPTED


async def ingest_directory(
    settings: Settings, fields: Mapping[str, Any], *, as_json: bool, report: str | None = None
) -> int:
    """
    Ingest `settings.root`, show its progress, and return the exit status.

    A session that was interrupted before is resumed. At the end the report is written to the
    file `report`; `-` is the standard output.

    Raises:
        SettingsError: `report` cannot be written; nothing was started.
    """
    if report is not None:
        _open(report, "ab").close()  # the old content is replaced only by a whole new report
    display = choose(as_json=as_json, stdout_is_used=report == "-")
    with contextlib.ExitStack() as cleanup:
        cleanup.callback(display.close)
        try:
            async with create_app(settings).lifespan() as app:
                session_id = await _session(app, fields)
                status = await _follow(app, session_id, SessionPrinter(display))
                cleanup.close()
                if report is not None:
                    await _write(report, app, session_id)
                return status
        except IngestError as error:
            cleanup.close()
            warn(str(error))
            return 2


async def _session(app: Application, fields: Mapping[str, Any]) -> str:
    for snapshot in await app.sessions():
        if snapshot["end_time"] is None:
            print(f"resuming an interrupted session; {summarize(snapshot)}", file=sys.stderr)
            return str(snapshot["session_id"])
    return await app.start(**fields)


async def _follow(app: Application, session_id: str, printer: SessionPrinter) -> int:
    async for snapshot in app.watch(session_id):
        while (after := printer.missing_after(snapshot)) is not None:
            if not (page := await app.errors_after(session_id, after)):
                break
            printer.errors(page)
        printer.snapshot(snapshot)
    return printer.exit_status


def _own(report: str | None, root: str) -> list[str]:
    """Return the pattern that leaves the report out of the ingest, if it lies below the root."""
    if report is None or report == "-":
        return []
    below = os.path.relpath(os.path.realpath(report), os.path.realpath(root))
    if below.split(os.sep)[0] == os.pardir:
        return []
    name = os.fsencode(below).decode("utf-8", "replace")
    return ["/" + re.sub(r"[][\\*? ]", r"\\\g<0>", name).replace("\ufffd", "?")]


def _open(path: str, mode: str) -> IO[bytes]:
    try:
        return open(1 if path == "-" else path, mode, closefd=path != "-")
    except OSError as error:
        raise SettingsError(f"cannot write --report {path!r}: {error.strerror}") from error


async def _write(path: str, app: Application, session_id: str) -> None:
    kind = "csv" if path.lower().endswith(".csv") else "ndjson"
    with _open(path, "wb") as out:
        async for piece in app.report(session_id, kind):
            out.write(piece)
