"""
The deployment face: `uvicorn app:app`, `ingest-stream` on the command line, `create_app` to embed.

Only this module knows of the server and the logging set-up.
"""

import argparse
import asyncio
import hashlib
import ipaddress
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

import uvicorn

import cli
from ingest import Settings, SettingsError
from web import Application, create_app

__all__ = ["Application", "app", "create_app", "main"]

SERVER_FLAGS = ("host", "port", "root_path", "log_level")

TEXT_FORMAT = "%(levelname)-8s %(message)s"

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
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or (given[0] not in COMMANDS and given[0] not in ("-h", "--help")):
        given.insert(0, "serve")
    flags = vars(_parser().parse_args(given))
    command = flags.pop("command")
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
    _set_up_log(server["log_level"], as_json=as_json)
    if as_json:
        server["log_config"] = None  # the server's own would be text
    if settings.token is None and not _is_loopback(server["host"]):
        _warn(
            f"{server['host']} can be reached from other machines, and no token is asked for; "
            "set INGEST_TOKEN (--token)"
        )
    uvicorn.run(create_app(settings), server_header=False, access_log=False, **server)
    return 0


def run(flags: dict[str, Any]) -> int:
    """Ingest one directory without a server, and show it."""
    if not os.path.isdir(flags["directory"]):
        raise SettingsError(f"{flags['directory']!r} is no directory")
    as_json = flags.pop("json")
    fields = {name: flags.pop(name) for name in ("pattern", "max_files", "skip_existing")}
    flags["root"] = flags.pop("directory")
    flags["database"] = flags["database"] or os.environ.get("INGEST_DATABASE")
    settings = _settings(flags if flags["database"] else {**flags, "database": _own_file(flags)})
    try:
        return asyncio.run(cli.run(settings, fields, as_json=as_json))
    except KeyboardInterrupt:
        _warn("interrupted; the same command goes on from here")
        return INTERRUPTED


def watch(flags: dict[str, Any]) -> int:
    """Follow a session that runs anywhere, and show it."""
    token = flags["token"] or os.environ.get("INGEST_TOKEN")
    return cli.watch(flags["url"], token=token, as_json=flags["json"])


COMMANDS: Mapping[str, Callable[[dict[str, Any]], int]] = MappingProxyType(
    {"serve": serve, "run": run, "watch": watch}
)


def _set_up_log(level: str, *, as_json: bool) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(cli.JsonFormatter() if as_json else logging.Formatter(TEXT_FORMAT))
    logging.basicConfig(level=level.upper(), handlers=[handler])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ingest-stream",
        description="Ingest folders of files, with progress that is live.",
        epilog="Without a command it serves. Every setting can be given as INGEST_… in the "
        "environment too; docs/command-line.md tells what each means.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_serve(commands.add_parser("serve", help=serve.__doc__, description=serve.__doc__))
    _add_run(commands.add_parser("run", help=run.__doc__, description=run.__doc__))
    _add_watch(commands.add_parser("watch", help=watch.__doc__, description=watch.__doc__))
    return parser


def _add_serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=_port, default=8000, help="port to listen on (8000)")
    parser.add_argument("--root-path", default="", help="prefix that a proxy serves this below")
    parser.add_argument(
        "--log-level", default="info", choices=("debug", "info", "warning", "error"), help="(info)"
    )
    parser.add_argument(
        "--log-format", default="text", choices=("text", "json"), help="a line of JSON each (text)"
    )
    _add_settings(parser, [field.name for field in fields(Settings)])


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", help="what to ingest")
    parser.add_argument("--pattern", default="*", help="globs, with | between them (*)")
    parser.add_argument("--max-files", type=int, help="stop finding after so many")
    parser.add_argument(
        "--skip-existing", action="store_true", help="pass over files done before and unchanged"
    )
    parser.add_argument("--json", action="store_true", help="a line of JSON for each snapshot")
    _add_settings(parser, ["database", "workers", "processor", "file_timeout", "min_interval"])


def _add_watch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("url", help="a session's page, or its stream_url")
    parser.add_argument("--json", action="store_true", help="a line of JSON for each snapshot")
    _add_settings(parser, ["token"])


def _add_settings(parser: argparse.ArgumentParser, names: Sequence[str]) -> None:
    group = parser.add_argument_group("settings")
    for name in names:
        group.add_argument(f"--{name.replace('_', '-')}", metavar="VALUE")


def _settings(flags: Mapping[str, str | None]) -> Settings:
    return Settings.from_env(_with_flags(os.environ, flags))


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


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65_535:
        raise argparse.ArgumentTypeError(f"{text} is no port; they go from 0 to 65535")
    return port


def _with_flags(environ: Mapping[str, str], flags: Mapping[str, str | None]) -> dict[str, str]:
    given = {f"INGEST_{name.upper()}": value for name, value in flags.items() if value is not None}
    return {**environ, **given}


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


if __name__ == "__main__":
    sys.exit(main())
