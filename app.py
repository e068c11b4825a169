"""
The deployment face: `uvicorn app:app`, `ingest-stream` on the command line, `create_app` to embed.

Only this module knows of the server and the logging set-up.
"""

import asyncio
import contextlib
import gc
import hashlib
import ipaddress
import logging
import os
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import uvicorn
from uvicorn.logging import DefaultFormatter

import cli
from ingest import Settings, SettingsError
from ingest.execution.select import check_settings
from web import Application, create_app

__all__ = ["Application", "app", "create_app", "main"]

SERVER_FLAGS = ("host", "port", "root_path", "log_level")

TEXT_FORMAT = "%(levelprefix)s %(message)s"
"""As the server's own lines are."""

NOT_STARTED = 3
"""What uvicorn ends with when its application does not start; the log says why."""

INTERRUPTED = 130
"""What a shell takes for "ended by Ctrl-C"."""

NOT_READ = 141
"""What a shell takes for "its output was read no further"."""

app = create_app()


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run the command line: `serve` where no command is named, `run`, `watch`.

    Each setting is a flag, and its value in the environment is the flag's default.
    """
    command, flags = cli.parse(sys.argv[1:] if arguments is None else arguments)
    try:
        return COMMANDS[command](flags)
    except SettingsError as error:
        _warn(str(error))
        return 2
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # What is still in the buffer is written at the exit, and would fail there once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOT_READ


def serve(flags: dict[str, Any]) -> int:
    """Serve over HTTP until told to stop."""
    server = {name: flags.pop(name) for name in SERVER_FLAGS}
    as_json = flags.pop("log_format") == "json"
    settings = _settings(flags)
    check_settings(settings)
    _check_address(server["host"], server["port"])
    _set_up_log(server["log_level"], as_json=as_json)
    if as_json:
        server["log_config"] = None  # the server's own would be text
    if settings.token is None and not _is_loopback(server["host"]):
        _warn(
            f"{server['host']} can be reached from other machines, and no token is asked for; "
            "set INGEST_TOKEN (--token)"
        )
    config = uvicorn.Config(create_app(settings), server_header=False, access_log=False, **server)
    serving = Server(config, invites=not as_json, has_token=settings.token is not None)
    with contextlib.suppress(KeyboardInterrupt):  # handed on once the server has ended
        serving.run()
    return 0 if serving.started else NOT_STARTED


def run(flags: dict[str, Any]) -> int:
    """Ingest one directory without a server, and show it."""
    if not os.path.isdir(flags["directory"]):
        raise SettingsError(f"{flags['directory']!r} is no directory")
    as_json, report = flags.pop("json"), flags.pop("report")
    fields = {name: flags.pop(name) for name in ("pattern", "max_files", "skip_existing")}
    flags["root"] = flags.pop("directory")
    flags["database"] = flags["database"] or os.environ.get("INGEST_DATABASE")
    settings = _settings(flags if flags["database"] else {**flags, "database": _own_file(flags)})
    try:
        return asyncio.run(cli.run(settings, fields, as_json=as_json, report=report))
    except KeyboardInterrupt:
        _warn("interrupted; run the same command again to resume")
        return INTERRUPTED


def watch(flags: dict[str, Any]) -> int:
    """Follow a session that runs anywhere, and show it."""
    token = flags["token"] or os.environ.get("INGEST_TOKEN")
    return cli.watch(flags["url"], token=token, as_json=flags["json"])


COMMANDS: Mapping[str, Callable[[dict[str, Any]], int]] = MappingProxyType(
    {"serve": serve, "run": run, "watch": watch}
)


class Server(uvicorn.Server):
    """The server, which says what to open once it listens."""

    def __init__(self, config: uvicorn.Config, *, invites: bool, has_token: bool) -> None:
        super().__init__(config)
        self._invites = invites
        self._has_token = has_token

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen; with port 0, which port that is is known only now."""
        await super().startup(sockets)
        # What the start has made stays for good. Each full collection of garbage looked through it
        # again, and held the loop for 10 to 20 ms.
        gc.collect()
        gc.freeze()
        if self.started and self._invites:
            host, port = self.config.host, self.servers[0].sockets[0].getsockname()[1]
            sys.stdout.write(cli.invitation(host, port, has_token=self._has_token))
            sys.stdout.flush()


def _set_up_log(level: str, *, as_json: bool) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(cli.JsonFormatter() if as_json else DefaultFormatter(TEXT_FORMAT))
    logging.basicConfig(level=level.upper(), handlers=[handler])


def _settings(flags: Mapping[str, str | None]) -> Settings:
    given = {f"INGEST_{name.upper()}": value for name, value in flags.items() if value is not None}
    return Settings.from_env({**os.environ, **given})


def _own_file(flags: Mapping[str, str]) -> str:
    """Name a catalogue for a directory, where programs keep what they go on from."""
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    folder = state / "ingest-stream"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"{folder} cannot be made: {error.strerror}; name a file with --database"
        ) from error
    root = os.fsencode(os.path.realpath(flags["root"]))
    return str(folder / f"{hashlib.sha256(root).hexdigest()[:16]}.db")


def _warn(text: str) -> None:
    print(f"ingest-stream: {text}", file=sys.stderr)  # noqa: T201


def _check_address(host: str, port: int) -> None:
    """
    Try whether the server could listen there: it would find out only after its start.

    Raises:
        SettingsError: it could not.
    """
    try:
        for family, kind, _, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            with socket.socket(family, kind) as trial:
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                trial.bind(address)
    except OSError as error:
        reason = error.strerror or str(error)
        raise SettingsError(
            f"{host}:{port} cannot be listened on: {reason}; take another --host or --port"
        ) from error


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


if __name__ == "__main__":
    sys.exit(main())
