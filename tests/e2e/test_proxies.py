"""The service behind nginx, Caddy and HAProxy, and in front of all as uvicorn with HTTP/2."""

import json
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
import pytest

from sse import Parser
from tests.support.http2 import DEADLINE, Http2
from tests.support.proxy_servers import (
    HEARTBEAT,
    PLAIN_NGINX,
    Child,
    Site,
    Upstream,
    caddy,
    certificate,
    deployed_nginx,
    haproxy,
    nginx,
)
from tests.support.server import until

pytestmark = pytest.mark.e2e

NO_FILES = {"pattern": "none"}

COMPRESSED_FROM = 512
"""Bytes from which Caddy compresses by default; nginx is set to compress all."""

Starter = Callable[[Path, int, Mapping[str, str]], Child]

PROXIES: Mapping[str, Starter] = MappingProxyType(
    {
        "nginx": deployed_nginx,
        "plain-nginx": lambda folder, upstream, _: nginx(folder, upstream, PLAIN_NGINX),
        "caddy": caddy,
        "haproxy": haproxy,
    }
)


@pytest.fixture(scope="module", params=[*PROXIES, "uvicorn"])
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """The service as it is reached through each of them."""
    folder = tmp_path_factory.mktemp(request.param)
    own = request.param == "uvicorn"
    upstream = Upstream(folder / "service", *(own_http2(folder) if own else []))
    with ExitStack() as ending:
        ending.callback(upstream.stop)
        upstream.start()
        if own:
            yield Site(upstream, upstream)
            return
        front = PROXIES[request.param](folder, upstream.port, {})
        ending.callback(front.stop)
        yield Site(upstream, front)


def own_http2(folder: Path) -> list[str]:
    """Return the flags with which uvicorn speaks HTTP/2 to browsers itself."""
    chain, key = certificate(folder)
    files = ["--ssl-certfile", str(chain), "--ssl-keyfile", str(key)]
    return ["--http", "zttp", "--http2", "--timeout-keep-alive", "1", *files]


def is_plain(site: Site) -> bool:
    """Return whether the proxy forwards nothing about the browser."""
    return site.front.folder.name.startswith("plain")


def events(raw: bytes) -> list[Any]:
    return [json.loads(event.data) for event in Parser().feed(raw)]


def test_event_comes_while_its_session_runs(site: Site) -> None:
    """Nothing on the way keeps an event back until there is more: the next one is not made yet."""
    session = site.begin("one-by-one", 6)
    lags = []
    with closing(Http2(site.port)) as browser:
        stream = browser.get(f"/api/ingest/stream/{session}")
        browser.read_until(b'"status":"processing"', stream)
        for number in range(5):
            site.go("one-by-one")
            browser.read_until(b'"processed_files":%d,' % (number + 1), stream)
            newest = events(browser.body[stream])[-1]
            lags.append(time.time() - newest["changed_at"] / 1000)
            assert newest["status"] == "processing"
        headers = browser.headers[stream]
        site.go("one-by-one")
        browser.read_until(b'"status":"completed"', stream)
    print(f"lag: {statistics.median(lags) * 1000:.1f} ms in the median")  # noqa: T201
    assert statistics.median(lags) < HEARTBEAT, "it took a heartbeat to push an event through"
    assert headers[":status"] == "200"
    assert headers["content-type"].startswith("text/event-stream")


def test_event_that_is_worth_compressing_comes_too(site: Site) -> None:
    """What is compressed for browsers is not kept back until there is more of it."""
    folder = site.upstream.root / "long"
    folder.mkdir(exist_ok=True)
    name = "x" * 240
    (folder / name).touch()
    session = site.begin("long", 0)
    with closing(Http2(site.port)) as browser:
        stream = browser.get(f"/api/ingest/stream/{session}")
        browser.read_until(name.encode(), stream)  # it is there only once the file is begun
        assert max(map(len, browser.body[stream].split(b"\n\n"))) > COMPRESSED_FROM
        late = browser.get(f"/api/ingest/stream/{session}")
        browser.read_until(name.encode(), late)
        site.go("long")
        for watching in (stream, late):
            browser.read_until(b'"status":"completed"', watching)


def test_heartbeats_keep_an_idle_stream(site: Site) -> None:
    """A stream on which nothing happens outlives the proxy's time-out, twice over."""
    session = site.begin("idle", 1)
    with closing(Http2(site.port)) as browser:
        stream = browser.get(f"/api/ingest/stream/{session}")
        browser.read_until(b'"status":"processing"', stream)
        end = time.monotonic() + 2.2
        while (left := end - time.monotonic()) > 0:
            browser.read(left)
        assert stream not in browser.ended
        assert browser.body[stream].count(b"\n:\n") >= 1
        site.go("idle")
        browser.read_until(b'"status":"completed"', stream)


def test_client_that_leaves_is_noticed(site: Site) -> None:
    """One tab that is closed, a browser that is, a script that is cut: nothing of them is left."""
    session = site.begin("left", 1)
    path = f"/api/ingest/stream/{session}"
    with site.client() as script, closing(Http2(site.port)) as browser:
        with script.stream("GET", path) as answer:
            pieces = answer.iter_raw()  # kept: the response is closed with it
            next(pieces)
            tabs = [browser.get(path) for _ in range(3)]
            browser.read_until(b"data: ", *tabs)
            until(lambda: site.streams() == 4)
            browser.reset(tabs[0])
            until(lambda: site.streams() == 3)
        until(lambda: site.streams() == 2)
    until(lambda: site.streams() == 0)
    site.go("left")


def test_page_of_this_site_may_start_a_session(site: Site) -> None:
    """The links it gets are of this site; the page of another is refused, whatever is in front."""
    secure = {"Origin": site.origin, "Sec-Fetch-Site": "same-origin"}
    with site.client() as client:
        answer = client.post("/api/ingest/process", json=NO_FILES, headers=secure)
        assert answer.status_code == 202, answer.text
        started = answer.json()
        assert answer.headers["location"] == started["status_url"]
        assert client.get(started["status_url"]).status_code == 200
        assert client.head(started["stream_url"]).status_code == 200
        foreign = {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"}
        answer = client.post("/api/ingest/process", json=NO_FILES, headers=foreign)
        assert answer.status_code == 403


def test_name_that_the_browser_uses_is_passed_on(site: Site) -> None:
    """Where the page is not secure its origin is all there is; a proxy that hides it says no."""
    with site.client() as client:
        answer = client.post("/api/ingest/process", json=NO_FILES, headers={"Origin": site.origin})
        if is_plain(site):
            assert answer.status_code == 403
        else:
            assert answer.status_code == 202, answer.text


def test_address_of_the_client_is_passed_on(site: Site) -> None:
    """The service's log shows who asked, not the proxy."""
    who = httpx.HTTPTransport(verify=False, local_address="127.0.0.2")
    with site.client(transport=who) as client:
        assert client.get("/healthz").status_code == 200
    asked = [line for line in site.upstream.log.splitlines() if "127.0.0.2:" in line]
    assert bool(asked) == (not is_plain(site))


def test_twenty_tabs_share_one_connection(site: Site) -> None:
    """Over HTTP/2 no tab waits for another's stream to end, and all see the same."""
    session = site.begin("tabs", 2)
    with closing(Http2(site.port)) as browser:
        tabs = [browser.get(f"/api/ingest/stream/{session}") for _ in range(20)]
        browser.read_until(b"data: ", *tabs)
        site.go("tabs")
        browser.read_until(b'"processed_files":1,', *tabs)
        until(lambda: site.streams() == 20)
        site.go("tabs")
        until(lambda: browser.read(DEADLINE) and browser.ended.issuperset(tabs))
        last = [events(browser.body[tab])[-1] for tab in tabs]
    assert last[0]["status"] == "completed"
    assert all(snapshot == last[0] for snapshot in last)


def test_restart_of_the_service_loses_nothing(site: Site) -> None:
    """A client that behaves like EventSource resumes where it was, and receives the end."""
    session = site.begin("restarted", 4)
    site.go("restarted", 2)
    seen: list[Any] = []
    with site.client() as client:
        follow(client, session, seen, lambda event: event["processed_files"] == 2)
        site.upstream.stop()
        refused = {follow(client, session, seen, lambda _: True) for _ in range(2)}
        assert 200 not in refused
        site.upstream.start()
        site.go("restarted", 2)
        until(lambda: follow(client, session, seen, lambda _: False) == 204)
    assert seen[-1]["status"] == "completed"
    assert seen[-1]["stats"]["done"] == 4
    done = [event["processed_files"] for event in seen]
    assert done == sorted(done)


def follow(
    client: httpx.Client, session: str, seen: list[Any], enough: Callable[[Any], bool]
) -> int:
    """Connect once, add what comes to `seen` until it is enough; give the status, 0 for none."""
    known = {"Last-Event-ID": seen[-1]["id"]} if seen else {}
    deadline = time.monotonic() + DEADLINE  # heartbeats keep the client's own from being reached
    parser = Parser()
    try:
        with client.stream("GET", f"/api/ingest/stream/{session}", headers=known) as answer:
            for piece in answer.iter_bytes():
                assert time.monotonic() < deadline, seen[-1:]
                for event in parser.feed(piece) if answer.status_code == 200 else []:
                    seen.append({**json.loads(event.data), "id": event.id})
                    if enough(seen[-1]):
                        return answer.status_code
            return answer.status_code
    except httpx.TransportError:
        return 0
