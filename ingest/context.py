"""What a processor may be given beside a file's path: which session the file is of."""

import inspect
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingest.paths import display_path

logger = logging.getLogger("ingest.processor")


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """What a processor may know of a session: its id, its name, and the `params` of its request."""

    id: str
    name: str | None = None
    params: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ProcessContext:
    """
    The second argument of a processor that takes two.

    `file` is the file's path below the root, as the report has it. `params` is what the request
    gave, or empty. `logger` is the logger of the process in which the processor runs.
    """

    session_id: str
    name: str | None
    file: str
    params: Mapping[str, Any]
    logger: logging.Logger


@dataclass(frozen=True, slots=True)
class ContextProcessor:
    """A processor of a path alone, which calls one that takes a context."""

    process: Callable[[Path, ProcessContext], Any]
    root: str
    session: SessionInfo

    def __call__(self, path: Path) -> Any:
        """Call the processor with the file's context."""
        session = self.session
        file = display_path(os.fsencode(os.path.relpath(path, os.path.realpath(self.root))))
        context = ProcessContext(session.id, session.name, file, session.params or {}, logger)
        return self.process(path, context)


def with_context(process: Any, root: str, session: SessionInfo | None) -> Any:
    """Return a processor of a path alone: `process` itself unless it takes a context."""
    if session is None or not takes_context(process):
        return process
    return ContextProcessor(process, root, session)


def takes_context(process: Callable[..., Any]) -> bool:
    """Return whether a second argument is required, or is called `context`."""
    try:
        parameters = list(inspect.signature(process).parameters.values())
    except (TypeError, ValueError):  # a function of C may have no signature
        return False
    positional = [
        each
        for each in parameters
        if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)
    ]
    if len(positional) < 2:
        return False
    return positional[1].default is inspect.Parameter.empty or positional[1].name == "context"
