"""Which processors get a context as their second argument."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingest.builtin.process_file import process_file
from ingest.context import takes_context


class Processor:
    def __call__(self, path: Path, context: object) -> None: ...

    def alone(self, path: Path) -> None: ...


@pytest.mark.parametrize(
    ("process", "takes"),
    [
        (process_file, False),
        (lambda path: None, False),
        (lambda path, context: None, True),
        (lambda path, about: None, True),
        (lambda path, context=None: None, True),
        (lambda path, depth=3: None, False),
        (lambda path, *, context=None: None, False),
        (lambda *paths: None, False),
        (Processor(), True),
        (Processor().alone, False),
        (len, False),
        (dict, False),
    ],
)
def test_context_is_given_to_those_who_take_it(process: Callable[..., Any], takes: bool) -> None:
    """A second argument with a default of its own is not one, unless it is called `context`."""
    assert takes_context(process) is takes
