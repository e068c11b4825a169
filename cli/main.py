"""The entry point of `ingest-stream`: reads the command line and runs one command."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from cli.arguments import parse
from cli.clustered import migrate, worker
from cli.messages import warn
from cli.run import run
from cli.serve import serve
from cli.watch import watch
from ingest import SettingsError

USAGE_ERROR = 2
"""The exit status of argparse for a wrong command line; wrong settings use it too."""

INTERRUPTED = 130
"""The exit status that shells give to a command ended by Ctrl-C: 128 + SIGINT."""

BROKEN_PIPE = 141
"""The exit status that shells give to a command whose reader left: 128 + SIGPIPE."""

COMMANDS: Mapping[str, Callable[[dict[str, Any]], int]] = MappingProxyType(
    {"serve": serve, "run": run, "worker": worker, "migrate": migrate, "watch": watch}
)


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run a command and return its exit status; without a command, `serve`.

    Each setting is a flag. A flag that is not given has the environment's value.
    """
    command, flags = parse(sys.argv[1:] if arguments is None else arguments)
    try:
        return COMMANDS[command](flags)
    except SettingsError as error:
        warn(str(error))
        return USAGE_ERROR
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The interpreter flushes the standard output at exit, which would fail once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
