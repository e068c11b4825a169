"""
The deployment face: `uvicorn app:app`, `ingest-stream` on the command line, `create_app` to embed.

Only this module knows of the server, the environment and the logging set-up.
"""

import argparse
import ipaddress
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import partial

import uvicorn

from ingest import Settings, SettingsError
from web import Application, create_app

__all__ = ["Application", "app", "create_app", "main"]

SERVER_SETTINGS = ("host", "port", "root_path", "log_level")

app = create_app(partial(Settings.from_env, os.environ))


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve from the command line; each setting is a flag, and the environment's is its default."""
    parser = _parser()
    given = vars(parser.parse_args(arguments))
    server = {name: given.pop(name) for name in SERVER_SETTINGS}
    try:
        settings = Settings.from_env(_with_flags(os.environ, given))
    except SettingsError as error:
        parser.error(str(error))
    logging.basicConfig(level=server["log_level"].upper(), format="%(levelname)-8s %(message)s")
    if settings.token is None and not _is_loopback(server["host"]):
        print(  # noqa: T201
            f"warning: {server['host']} can be reached from other machines, and no token is asked "
            "for; set INGEST_TOKEN (--token)",
            file=sys.stderr,
        )
    uvicorn.run(create_app(settings), server_header=False, access_log=False, **server)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ingest-stream",
        description="Ingest folders of files, with progress that is live.",
        epilog="Every setting can be given as INGEST_… in the environment too.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, default=8000, help="port to listen on (8000)")
    parser.add_argument(
        "--root-path", default="", help="path prefix that a proxy serves this below"
    )
    parser.add_argument(
        "--log-level", default="info", choices=("debug", "info", "warning", "error"), help="(info)"
    )
    settings = parser.add_argument_group("settings")
    for field in fields(Settings):
        settings.add_argument(f"--{field.name.replace('_', '-')}", metavar="VALUE")
    return parser


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
