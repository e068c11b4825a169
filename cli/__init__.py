"""The command line: `serve`, `run` and `watch`."""

from cli.main import main

__all__ = ["main"]
