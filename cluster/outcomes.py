"""Outcomes as rows: each is inserted once, and counted by the transaction that inserted it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import orjson

from cluster.change import Change
from ingest.outcome import OutcomeRecord
from ingest.paths import display_path
from ingest.progress import Work
from ingest.session import FileError

COLUMNS = OutcomeRecord._fields[2:]

SELECTED = ", ".join(f"outcomes.{name}" for name in COLUMNS)
"""The columns where `outcomes` is joined with `found`, which has a size too."""

NO_SIZES: Mapping[int, int] = MappingProxyType({})

TYPES = {"size": "bigint", "modified": "bigint"}
"""The types of columns that are not text."""

INSERT = (
    f"INSERT INTO outcomes (session, n, {', '.join(COLUMNS)})"
    " SELECT %b, * FROM unnest(%b::bigint[], "
    + ", ".join(f"%b::{TYPES.get(name, 'text')}[]" for name in COLUMNS)
    + ") ON CONFLICT DO NOTHING RETURNING n"
)
"""Binary parameters: as text they take three times as long."""


async def record(
    change: Change,
    outcomes: Sequence[OutcomeRecord],
    sizes: Mapping[int, int] = NO_SIZES,
    seconds: float = 0.0,
) -> int:
    """
    Insert outcomes, count those that were not there yet, and return how many these are.

    `sizes` are those of the files as found, by number; `seconds` is how long they took in workers.
    Rows are inserted in the order of their numbers: two transactions with the same files wait for
    one another, and never each for the other.
    """
    ordered = sorted(outcomes, key=lambda outcome: outcome.n)
    present = await _insert(change, ordered)
    new = [outcome for outcome in ordered if outcome.n in present]
    if not new:
        return 0
    errors = await _insert_errors(change, [each for each in new if each.status == "error"])
    statuses = Counter(outcome.status for outcome in new)
    change.session.record(
        done=statuses["done"],
        skipped=statuses["skipped"],
        errors=errors,
        counters=_counters(new),
        last=display_path(new[-1].path),
        now=change.now,
        work=Work(
            {outcome.n: sizes.get(outcome.n, 0) for outcome in new},
            sum(outcome.size or 0 for outcome in new if outcome.status == "done"),
            seconds,
        ),
    )
    return len(new)


async def _insert(change: Change, outcomes: Sequence[OutcomeRecord]) -> set[int]:
    """Insert outcomes; return the numbers of those that were not there yet."""
    if not outcomes:
        return set()
    numbers, _, *columns = ([*map(_storable, column)] for column in zip(*outcomes, strict=True))
    cursor = await change.connection.execute(INSERT.encode(), (change.number, numbers, *columns))
    return {n for (n,) in await cursor.fetchall()}


async def _insert_errors(change: Change, failed: Sequence[OutcomeRecord]) -> list[FileError]:
    errors = [
        FileError(n, display_path(outcome.path), outcome.error or "", change.now.wall)
        for n, outcome in enumerate(failed, change.session.errors + 1)
    ]
    if errors:
        rows = zip(errors, failed, strict=True)
        async with change.connection.cursor() as cursor:
            await cursor.executemany(
                "INSERT INTO errors (session, n, file, time) VALUES (%s, %s, %s, %s)",
                [(change.number, error.n, outcome.n, error.time) for error, outcome in rows],
            )
    return errors


def _counters(outcomes: Sequence[OutcomeRecord]) -> Counter[str]:
    counters = Counter[str]()
    for outcome in outcomes:
        if outcome.counters:
            counters.update(orjson.loads(outcome.counters))
    return counters


def _storable(value: Any) -> Any:
    """Return text with U+FFFD for each NUL, which PostgreSQL refuses."""
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value
