"""Following a session over HTTP, whatever the server and the way to it do."""

import json
import ssl

import pytest

from cli import client as module
from cli.client import Disconnected, FollowError, errors_after, follow, stream_url
from tests.support.scripted_server import answer, scripted, stream
from tests.support.snapshots import error, snapshot

STREAM = "http://a.org/api/ingest/stream/s"
DONE = snapshot("completed", done=10)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (STREAM, STREAM),
        ("http://a.org/api/ingest/status/s", STREAM),
        ("http://a.org/api/ingest/status/s?wait=9", STREAM),
        ("http://a.org/#s", STREAM),
        ("a.org/#s", STREAM),
        ("http://me:pw@a.org/#s", STREAM),
        ("http://a.org/in/#s", "http://a.org/in/api/ingest/stream/s"),
        ("http://a.org/in/api/ingest/report/s", "http://a.org/in/api/ingest/stream/s"),
        ("https://a.org:8443/#s", "https://a.org:8443/api/ingest/stream/s"),
        ("http://[::1]:80/#s", "http://[::1]:80/api/ingest/stream/s"),
        ("http://ä.org/ü/#s t", "http://xn--4ca.org/%C3%BC/api/ingest/stream/s%20t"),
    ],
)
def test_any_address_of_a_session_leads_to_its_stream(given: str, wanted: str) -> None:
    """What people copy, from the page's address or from an answer, can be followed."""
    assert stream_url(given) == wanted


@pytest.mark.parametrize(
    "given", ["", "http://", "ftp://a/#s", "http://a.org/", "http://a:b/#s", "http://[::1/#s"]
)
def test_address_without_a_session_is_refused(given: str) -> None:
    """A URL without a session is refused at once, and not retried."""
    with pytest.raises(FollowError, match=r"^no session in|^not an http URL|^not a URL"):
        stream_url(given)


def test_session_is_followed_to_its_end() -> None:
    """Each event is a snapshot, and after the last one no connection is made."""
    with scripted(stream(snapshot(done=1), DONE)) as server:
        seen = list(follow(f"{server.address}/api/ingest/stream/s", "sesame"))
    assert seen == [snapshot(done=1), DONE]
    (request,) = server.requests
    assert request.startswith("GET /api/ingest/stream/s HTTP/1.1\r\n")
    assert "Authorization: Bearer sesame\r\n" in request
    assert "Last-Event-ID" not in request


def test_broken_connection_is_taken_up_where_it_was() -> None:
    """The next connection sends Last-Event-ID, after the reconnection time of the server."""
    pauses: list[float] = []
    with scripted(
        stream(snapshot(done=1), retry=2500), answer("502 Bad Gateway"), b"", stream(DONE, first=2)
    ) as server:
        seen = list(follow(f"{server.address}/api/ingest/stream/s", None, pauses.append))
    assert [one for one in seen if not isinstance(one, Disconnected)] == [snapshot(done=1), DONE]
    reasons = [one.reason for one in seen if isinstance(one, Disconnected)]
    assert reasons[:2] == ["the stream ended", "the server answers 502"]
    assert pauses == [2.5, 2.5, 2.5]
    for request in server.requests[1:]:
        assert "Last-Event-ID: 1\r\n" in request


def test_reconnection_time_of_nought_is_no_flood() -> None:
    """A server whose `retry` is 0 is not asked a thousand times a second."""
    pauses: list[float] = []
    with scripted(stream(snapshot(), retry=0), stream(DONE)) as server:
        list(follow(f"{server.address}/x", None, pauses.append))
    assert pauses == [module.SHORTEST_PAUSE]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (answer("404 Not Found", b'{"detail": "no session \\u001b[2J"}'), "404: no session �"),
        (answer("401 Unauthorized", b"<html>"), "401: Unauthorized"),
        (answer("308 Permanent Redirect"), "308: Permanent Redirect"),
        (answer("204 No Content"), "has ended"),
        (answer("200 OK", b"<html>", "text/html"), "other than a stream"),
        (answer("200 OK", b"data: hello\n\n", "text/event-stream"), "other than a session"),
        (answer("200 OK", b"data: []\n\n", "text/event-stream"), "other than a session"),
        (answer("200 OK", b'data: {"status":1}\n\n', "text/event-stream"), "other than a session"),
    ],
)
def test_refusal_is_told_and_not_tried_again(given: bytes, words: str) -> None:
    """What no second try would change ends the command, with the server's own words."""
    with scripted(given) as server, pytest.raises(FollowError, match=words):
        list(follow(f"{server.address}/x"))


def test_wrong_certificate_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate that is not trusted now will not be in a second."""

    def refuse(*_: object) -> None:
        error_ = ssl.SSLCertVerificationError(1, "x")
        error_.verify_message = "self-signed certificate"
        raise error_

    monkeypatch.setattr(module, "_snapshots", refuse)
    with pytest.raises(FollowError, match="certificate: self-signed"):
        list(follow("https://a.org/x"))


def test_errors_are_asked_for_by_number() -> None:
    """Failed files that no snapshot held come from the status route, with the token."""
    body = json.dumps({"errors": [error(3)], "total": 3}).encode()
    with scripted(answer("200 OK", body)) as server:
        target = f"{server.address}/api/ingest/stream/s"
        assert errors_after(target, "sesame", 2) == [error(3)]
    assert server.requests[0].startswith("GET /api/ingest/status/s?errors_after=2 HTTP/1.1\r\n")
    assert "Bearer sesame" in server.requests[0]


@pytest.mark.parametrize("given", [answer("410 Gone", b"{}"), answer("200 OK", b"<"), b""])
def test_errors_that_cannot_be_had_are_none(given: bytes) -> None:
    """A server that is polled no longer, or is away, does not end the watching."""
    with scripted(given) as server:
        assert errors_after(f"{server.address}/api/ingest/stream/s", None, 0) == []
