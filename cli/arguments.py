"""The command line: its commands, and the flags of each."""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from ingest import Settings, __version__

COMMANDS: Mapping[str, str] = {
    "serve": "Serve over HTTP until SIGINT or SIGTERM.",
    "run": "Ingest one directory without a server and show its progress.",
    "worker": "Process files of a cluster's sessions until SIGINT or SIGTERM.",
    "migrate": "Bring the schema of a cluster's database up to date.",
    "watch": "Follow a session on a server and show its progress.",
}
"""The commands, each with its help."""

MAX_PORT = 65_535

RUN_SETTINGS = (
    "database", "workers", "processor", "verify", "max_pixels", "file_timeout", "min_interval",
)  # fmt: skip
WORKER_SETTINGS = (
    "root",
    "database",
    "workers",
    "processor",
    "verify",
    "max_pixels",
    "file_timeout",
    "retention",
)
MIGRATE_SETTINGS = ("database",)
WATCH_SETTINGS = ("token",)


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line that names the problem and the help."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"ingest-stream: {message}; see `{self.prog} --help`\n")


def parse(given: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """
    Return the command of a command line and its flags by name; the default is `serve`.

    Raises:
        SystemExit: the line is wrong, or requests help; the message is printed already.
    """
    line = list(given)
    if not line or (line[0] not in COMMANDS and line[0] not in ("-h", "--help", "--version")):
        line.insert(0, "serve")
    flags = vars(parser().parse_args(line))
    return flags.pop("command"), flags


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    made = Parser(
        prog="ingest-stream",
        description="Ingest folders of files with live progress.",
        epilog="The default command is serve. Each setting can be given in the environment too: "
        "--min-interval as INGEST_MIN_INTERVAL; a flag overrides it.",
    )
    made.add_argument("--version", action="version", version=f"ingest-stream {__version__}")
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, add in (
        ("serve", _add_serve),
        ("run", _add_run),
        ("worker", _add_worker),
        ("migrate", _add_migrate),
        ("watch", _add_watch),
    ):
        add(commands.add_parser(name, help=COMMANDS[name], description=COMMANDS[name]))
    return made


def _add_serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    parser.add_argument(
        "--port", type=_port, default=8000, help="port to listen on; 0 takes a free one (8000)"
    )
    parser.add_argument(
        "--root-path",
        type=_prefix,
        default="",
        help="URL prefix behind a proxy (none)",
    )
    _add_log(parser)
    _add_settings(parser, tuple(Settings.explained()))


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", help="directory to ingest")
    parser.add_argument("--pattern", default="*", help="globs, with | between them (*)")
    parser.add_argument(
        "--exclude",
        action="append",
        default=[],
        metavar="PATTERN",
        help="leave out files and folders, by gitignore's rules; may be repeated",
    )
    parser.add_argument(
        "--one-file-system",
        action="store_true",
        help="enter no folder on another file system",
    )
    parser.add_argument("--max-files", type=_count, metavar="N", help="take at most N files")
    parser.add_argument(
        "--skip-existing",
        action="store_true",
        help="skip files that were done before and are unchanged",
    )
    parser.add_argument("--json", action="store_true", help="a line of JSON for each snapshot")
    parser.add_argument(
        "--report",
        metavar="FILE",
        help="write what was found of each file: CSV if FILE ends in .csv, else a line of JSON "
        "each; - is the standard output",
    )
    _add_settings(parser, RUN_SETTINGS)


def _add_watch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("url", help="a session's page, or its stream_url")
    parser.add_argument("--json", action="store_true", help="a line of JSON for each snapshot")
    _add_settings(parser, WATCH_SETTINGS)


def _add_worker(parser: argparse.ArgumentParser) -> None:
    _add_log(parser)
    parser.add_argument("--until-eof", action="store_true", help=argparse.SUPPRESS)
    _add_settings(parser, WORKER_SETTINGS)


def _add_migrate(parser: argparse.ArgumentParser) -> None:
    _add_settings(parser, MIGRATE_SETTINGS)


def _add_log(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--log-level", default="info", choices=("debug", "info", "warning", "error"), help="(info)"
    )
    parser.add_argument(
        "--log-format", default="text", choices=("text", "json"), help="a line of JSON each (text)"
    )


def _add_settings(parser: argparse.ArgumentParser, names: Sequence[str]) -> None:
    group = parser.add_argument_group("settings")
    explained = Settings.explained()
    for name in names:
        value, meaning = explained[name]
        group.add_argument(f"--{name.replace('_', '-')}", metavar=value, help=meaning)


def _port(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"not a port number: {text!r} (0-65535)")
    if int(text) > MAX_PORT:
        raise argparse.ArgumentTypeError(f"port {text} is out of range (0-65535)")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"not a whole number of 1 or more: {text!r}")
    return int(text)


def _prefix(text: str) -> str:
    """Return a prefix in the form of ASGI's root_path: a slash before it and none after it."""
    return f"/{text.strip('/')}" if text.strip("/") else ""
