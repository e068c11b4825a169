"""What became of one file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    What a processor found in one file.

    `metadata` is any mapping that JSON can hold: its `sha256` and `media_type`, where these are
    text, become columns of the report, the rest stands there under `metadata`. `counters` are
    whole numbers that are added to the session's `stats`.
    """

    metadata: Mapping[str, Any] = field(default_factory=dict)
    counters: Mapping[str, int] = field(default_factory=dict)
