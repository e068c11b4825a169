"""The service from a terminal: an ingest without a server, and a session followed anywhere."""

from cli.arguments import parse
from cli.invitation import invitation
from cli.logs import JsonFormatter
from cli.run import run
from cli.watch import watch

__all__ = ["JsonFormatter", "invitation", "parse", "run", "watch"]
