"""
Following a session over HTTP: the stream, its reconnections and its end.

https://html.spec.whatwg.org/multipage/server-sent-events.html#processing-model-9
"""

import http.client
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from sse import Parser

SILENCE = 60.0
"""Seconds without a byte after which a connection counts as broken: four heartbeats."""

CHUNK = 65_536

FINAL = ("completed", "cancelled", "error")


class FollowError(Exception):
    """The session cannot be followed, now or later; the text says why."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection broke; another is tried after `pause` seconds."""

    reason: str
    pause: float


def follow(url: str, token: str | None = None) -> Iterator[dict[str, Any] | Lost]:
    """
    Give each snapshot of the session at `url` until its last, over any number of connections.

    `url` is that of a stream, of a status, or of the page with a session in it.

    Raises:
        FollowError: the server refuses, or there is no such session.
    """
    target = stream_url(url)
    last_event_id = ""
    pause = 1.0
    while True:
        parser = Parser(last_event_id=last_event_id)
        try:
            for snapshot in _connection(target, token, parser):
                yield snapshot
                if snapshot["status"] in FINAL:
                    return
            reason = "the stream ended"
        except (OSError, http.client.HTTPException) as error:
            reason = str(error) or type(error).__name__
        last_event_id = parser.last_event_id
        pause = pause if parser.retry_ms is None else parser.retry_ms / 1000
        yield Lost(reason, pause)
        time.sleep(pause)


def stream_url(url: str) -> str:
    """
    Turn any address of a session into that of its stream.

    Raises:
        FollowError: there is no session in it.
    """
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise FollowError(f"{url!r} is no http address; take a session's page, or its stream_url")
    base = f"{parts.scheme}://{parts.netloc}"
    found = re.fullmatch(r"(.*/api/ingest)/(?:stream|status|report)/([^/]+)", parts.path)
    if found:
        return f"{base}{found[1]}/stream/{found[2]}"
    session = parts.fragment.rpartition("/")[2].rpartition("=")[2]
    if session:
        return f"{base}{parts.path.rstrip('/')}/api/ingest/stream/{session}"
    raise FollowError(f"{url!r} names no session; take a session's page, or its stream_url")


def _connection(url: str, token: str | None, parser: Parser) -> Iterator[dict[str, Any]]:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=SILENCE)
    headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if parser.last_event_id:
        headers["Last-Event-ID"] = parser.last_event_id
    try:
        connection.request("GET", parts.path, headers=headers)
        response = connection.getresponse()
        if response.status != http.client.OK:
            _refused(response)
        while data := response.read1(CHUNK):
            for event in parser.feed(data):
                yield json.loads(event.data)
    finally:
        connection.close()


def _refused(response: http.client.HTTPResponse) -> None:
    """Raise what an answer other than a stream means."""
    if response.status >= 500:
        raise http.client.HTTPException(f"the server answers {response.status}")
    if response.status == http.client.NO_CONTENT:
        raise FollowError("the session has ended")
    try:
        detail = json.loads(response.read())["detail"]
    except (ValueError, KeyError, TypeError):
        detail = response.reason
    raise FollowError(f"the server answers {response.status}: {detail}")
