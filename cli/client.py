"""
Following a session over HTTP: the stream, its reconnections and its end.

https://html.spec.whatwg.org/multipage/server-sent-events.html#processing-model-9
"""

import http.client
import json
import re
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from cli.summary import printable
from sse import Parser

SILENCE = 60.0
"""Seconds without a byte after which a connection counts as broken: four heartbeats."""

PAUSE = 1.0
"""Seconds before a reconnection, until the server sets a reconnection time."""

SHORTEST_PAUSE = 0.1

CHUNK = 65_536

FINAL = ("completed", "cancelled", "error")


class FollowError(Exception):
    """A session cannot be followed, and a retry would not help."""


@dataclass(frozen=True, slots=True)
class Disconnected:
    """A lost connection; the next attempt follows after `pause` seconds."""

    reason: str
    pause: float


def follow(
    target: str, token: str | None = None, sleep: Callable[[float], object] = time.sleep
) -> Iterator[dict[str, Any] | Disconnected]:
    """
    Yield each snapshot of the session that `target` streams, up to the last.

    After each lost connection, yield Disconnected and reconnect, without a limit on time or
    attempts: a server may restart, and a network may be down for a night.

    Raises:
        FollowError: the server refuses the request, or does not stream a session.
    """
    last_event_id = ""
    pause = PAUSE
    while True:
        parser = Parser(last_event_id=last_event_id)
        try:
            for snapshot in _snapshots(target, token, parser):
                yield snapshot
                if snapshot["status"] in FINAL:
                    return
            reason = "the stream ended"
        except ssl.SSLCertVerificationError as error:
            raise FollowError(f"the server's certificate: {error.verify_message}") from error
        except (OSError, http.client.HTTPException) as error:
            reason = str(error) or type(error).__name__
        last_event_id = parser.last_event_id
        if parser.retry_ms is not None:
            pause = max(SHORTEST_PAUSE, parser.retry_ms / 1000)
        yield Disconnected(reason, pause)
        sleep(pause)


def errors_after(target: str, token: str | None, after: int) -> list[dict[str, Any]]:
    """Return errors numbered above `after`, at most 1000; none if the request fails."""
    headers = _headers(token, "application/json")
    status = re.sub(r"/stream/([^/]+)$", rf"/status/\1?errors_after={after}", target)
    try:
        with _answer(status, headers) as response:
            errors: list[dict[str, Any]] = json.loads(response.read())["errors"]
            return errors if response.status == http.client.OK else []
    except (OSError, http.client.HTTPException, ValueError, KeyError):
        return []


def stream_url(url: str) -> str:
    """
    Return the stream's URL for any URL of a session: its stream, its status, or the page's.

    Raises:
        FollowError: the URL does not name a session.
    """
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise FollowError(f"not a URL: {url!r}: {error}") from error
    if parts.scheme not in ("http", "https") or not host:
        raise FollowError(f"not an http URL: {url!r}; use a session's page or its stream_url")
    host = f"[{host}]" if ":" in host else host.encode("idna").decode()
    base = f"{parts.scheme}://{host}" + (f":{port}" if port is not None else "")
    path = quote(parts.path, safe="/%")
    found = re.fullmatch(r"(.*/api/ingest)/(?:stream|status|report|cancel)/([^/]+)", path)
    if found:
        return f"{base}{found[1]}/stream/{found[2]}"
    if parts.fragment:
        return f"{base}{path.rstrip('/')}/api/ingest/stream/{quote(parts.fragment, safe='')}"
    raise FollowError(f"no session in {url!r}; use a session's page or its stream_url")


def _snapshots(target: str, token: str | None, parser: Parser) -> Iterator[dict[str, Any]]:
    headers = _headers(token, "text/event-stream")
    headers["Cache-Control"] = "no-store"
    if parser.last_event_id:
        headers["Last-Event-ID"] = parser.last_event_id
    with _answer(target, headers) as response:
        _check(response)
        while data := response.read1(CHUNK):
            for event in parser.feed(data):
                yield _snapshot(event.data)


@contextmanager
def _answer(url: str, headers: dict[str, str]) -> Iterator[http.client.HTTPResponse]:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=SILENCE)
    try:
        connection.request("GET", parts._replace(scheme="", netloc="").geturl(), headers=headers)
        yield connection.getresponse()
    finally:
        connection.close()


def _headers(token: str | None, accept: str) -> dict[str, str]:
    headers = {"Accept": accept}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return headers


def _check(response: http.client.HTTPResponse) -> None:
    """Raise an error if the response is not an event stream."""
    if response.status >= http.client.INTERNAL_SERVER_ERROR:
        raise http.client.HTTPException(f"the server answers {response.status}")
    if response.status == http.client.NO_CONTENT:
        raise FollowError("the session has ended")
    if response.status != http.client.OK:
        try:
            detail = json.loads(response.read())["detail"]
        except (ValueError, KeyError, TypeError):
            detail = response.reason
        raise FollowError(f"the server answers {response.status}: {printable(str(detail))}")
    if response.headers.get_content_type() != "text/event-stream":
        raise FollowError("the server answers with something other than a stream of events")


def _snapshot(data: str) -> dict[str, Any]:
    try:
        snapshot: dict[str, Any] = json.loads(data)
        snapshot["status"], snapshot["stats"]["errors"], snapshot["end_time"]
    except (ValueError, KeyError, TypeError) as error:
        raise FollowError("the server streams something other than a session") from error
    return snapshot
