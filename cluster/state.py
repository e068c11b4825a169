"""A session's state as the bytes in its row, so that any process can move it on."""

from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any

import orjson

from ingest.progress import Mark, Moment, RateMeter, TimeLeft, UnderWay
from ingest.request import IngestRequest
from ingest.session import RECENT_ERRORS, FileError, Session, Status


def encode(session: Session) -> bytes:
    """Return everything of `session` as JSON."""
    values = {name: getattr(session, name) for name in _names()}
    return orjson.dumps(values, default=_plain, option=orjson.OPT_NON_STR_KEYS)


def decode(state: bytes) -> Session:
    """Return the session that `encode` wrote; fields of a newer release are ignored."""
    values: dict[str, Any] = orjson.loads(state)
    known = {name: values[name] for name in _names() if name in values}
    return Session(
        **{
            name: READERS[name](value) if name in READERS else value
            for name, value in known.items()
        }
    )


def _names() -> list[str]:
    return [field.name for field in fields(Session) if field.init]


def _plain(value: Any) -> Any:
    """Return what JSON has for a value: the state of the two meters, a list for any sequence."""
    return vars(value) if isinstance(value, RateMeter | TimeLeft) else list(value)


def _moment(value: Any) -> Moment | None:
    return Moment(*value) if value else None


def _under_way(files: Mapping[str, Any]) -> dict[int, UnderWay]:
    return {
        int(n): UnderWay(**{**file, "since": Moment(*file["since"])}) for n, file in files.items()
    }


def _rate_meter(values: Mapping[str, Any]) -> RateMeter:
    begun = Mark(*values["_begun"]) if values["_begun"] else None
    return RateMeter(begun, (Mark(*mark) for mark in values["_marks"]))


def _time_left(values: Mapping[str, Any]) -> TimeLeft:
    meter = TimeLeft()
    for name in vars(meter).keys() & values.keys():
        setattr(meter, name, values[name])
    return meter


READERS: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {
        "status": Status,
        "counters": Counter,
        "recent": lambda errors: deque((FileError(**each) for each in errors), RECENT_ERRORS),
        "request": IngestRequest.from_stored,
        "under_way": _under_way,
        "_first": _moment,
        "_end": _moment,
        "_meter": _rate_meter,
        "_time_left": _time_left,
    }
)
"""How a field is made of its JSON; the other fields are JSON themselves."""
