"""`ingest-stream worker` and `migrate`: the commands of a cluster (extra `[cluster]`)."""

import asyncio
import signal
import sys
import threading
from typing import Any

from cli.environment import settings_of
from cli.logs import set_up_log
from ingest import IngestError, Settings, SettingsError
from ingest.execution.select import check_settings


def worker(flags: dict[str, Any]) -> int:
    """
    Run a worker until SIGINT or SIGTERM, and return the exit status.

    Raises:
        SettingsError: a setting cannot be used, or the extra is not installed.
    """
    set_up_log(flags.pop("log_level"), as_json=flags.pop("log_format") == "json")
    until_eof = flags.pop("until_eof")
    settings = settings_of(flags)
    _check_database(settings)
    check_settings(settings)
    if not settings.workers:
        raise SettingsError(
            "INGEST_WORKERS (--workers) is 0; a worker takes a whole number of 1 or more"
        )
    return asyncio.run(_work(settings, until_eof=until_eof))


def migrate(flags: dict[str, Any]) -> int:
    """
    Bring the schema of the shared database up to date, and return the exit status.

    Raises:
        SettingsError: no shared database is set, or it cannot be reached.
    """
    settings = settings_of(flags)
    _check_database(settings)
    try:
        from cluster.opening import migrate as run  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise _not_installed(error) from error
    try:
        count = asyncio.run(run(str(settings.database)))
    except IngestError as error:
        raise SettingsError(str(error)) from error
    print(f"the schema is up to date; {count} migrations were run")
    return 0


async def _work(settings: Settings, *, until_eof: bool) -> int:
    try:
        from cluster.worker import Worker  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise _not_installed(error) from error
    made = Worker(settings)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, made.stop)
    if until_eof:
        _watch_parent(loop, made.stop)
    try:
        await made.run()
    except SettingsError:
        raise
    except IngestError as error:
        raise SettingsError(str(error)) from error
    return 0


def _watch_parent(loop: asyncio.AbstractEventLoop, stop: Any) -> None:
    """Stop when the standard input ends: the process that started this one is gone."""

    def wait() -> None:
        sys.stdin.buffer.read()
        loop.call_soon_threadsafe(stop)

    threading.Thread(target=wait, daemon=True).start()


def _check_database(settings: Settings) -> None:
    if not settings.clustered:
        raise SettingsError(
            f"INGEST_DATABASE (--database) is {str(settings.database)!r}; it takes the URL of a "
            "database that many processes share, postgresql://user@host/database"
        )


def _not_installed(error: ImportError) -> SettingsError:
    return SettingsError(
        f"this command needs the extra `cluster`: pip install 'ingest-stream[cluster]' ({error})"
    )
