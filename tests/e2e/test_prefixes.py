"""The service below a path of a site that has others: the proxy strips the path, or leaves it."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import Tabs, badge, chromium, complete
from tests.support.proxy_servers import Child, Site, Upstream, caddy, deployed_nginx, haproxy

pytestmark = pytest.mark.e2e

PREFIX = "/ingest"
TOKEN = "sesame"

STARTERS = MappingProxyType({"nginx": deployed_nginx, "caddy": caddy, "haproxy": haproxy})

KEPT: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "nginx": {"location / {": "location /ingest/ {"},
        "caddy": {"reverse_proxy ": "reverse_proxy /ingest* "},
        "haproxy": {
            "default_backend ingest": "use_backend ingest if { path_beg /ingest }",
            "/healthz": "/ingest/healthz",
        },
    }
)
"""What is changed in the files of `deploy/`, as `docs/deploy.md` says."""

REDIRECT = "redir /ingest /ingest/"
REPLACE_PATH = r"http-request replace-path /ingest/(.*) /\1"

STRIPPED: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "nginx": {
            "location / {": "location /ingest/ {",
            "proxy_pass http://127.0.0.1:8000;": "proxy_pass http://127.0.0.1:8000/;",
        },
        "caddy": {"reverse_proxy ": f"{REDIRECT}\n\turi strip_prefix /ingest\n\treverse_proxy "},
        "haproxy": {"option forwardfor": f"{REPLACE_PATH}\n    option forwardfor"},
    }
)


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upstream]:
    folder = tmp_path_factory.mktemp("prefixed") / "service"
    upstream = Upstream(folder, "--root-path", PREFIX, INGEST_TOKEN=TOKEN)
    upstream.start()
    yield upstream
    upstream.stop()


@pytest.fixture(
    params=[(way, name) for way in ("kept", "stripped") for name in STARTERS], ids="-".join
)
def site(request: pytest.FixtureRequest, upstream: Upstream, tmp_path: Path) -> Iterator[Site]:
    """Each proxy, with the prefix kept and stripped."""
    way, name = request.param
    changes = {"kept": KEPT, "stripped": STRIPPED}[way][name]
    with below(upstream, STARTERS[name](tmp_path, upstream.port, changes)) as site:
        yield site


@pytest.fixture
def behind_nginx(upstream: Upstream, tmp_path: Path) -> Iterator[Site]:
    with below(upstream, deployed_nginx(tmp_path, upstream.port, KEPT["nginx"])) as site:
        yield site


@contextmanager
def below(upstream: Upstream, front: Child) -> Iterator[Site]:
    try:
        yield Site(upstream, front, PREFIX)
    finally:
        front.stop()


def test_links_lead_back_through_the_proxy(site: Site) -> None:
    """Whoever follows what the service gives out ends up at the service, stripped or not."""
    with site.client(headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        answer = client.post("/api/ingest/process", json={"pattern": "none"})
        assert answer.status_code == 202, answer.text
        links = [answer.headers["location"], answer.json()["status_url"]]
        assert all(link.startswith(f"{PREFIX}/api/ingest/status/") for link in links)
        for link in links:
            status = client.get(f"{site.origin}{link}")
            assert status.json()["session_id"] == answer.json()["session_id"]
        stream = client.get(f"{site.origin}{answer.json()['stream_url']}")
        assert '"status":"completed"' in stream.text


def test_page_and_what_it_loads_are_found(site: Site) -> None:
    """The page is at the path with a slash, and the one who forgets the slash gets there."""
    with site.client(headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        page = client.get(f"{site.origin}{PREFIX}", follow_redirects=True)
        assert str(page.url) == f"{site.origin}{PREFIX}/"
        loaded = re.findall(r'(?:src|href)="(static/[^"]+)"', page.text)
        assert len(loaded) >= 3
        for name in loaded:
            assert client.get(f"/{name}").status_code == 200


def test_sign_in_holds_for_the_prefix_alone(site: Site) -> None:
    """The cookie goes to no other application of the site, and never over plain HTTP."""
    with site.client() as client:
        assert client.get("/api/ingest/status").status_code == 401
        answer = client.get("/", params={"token": TOKEN})
        assert answer.status_code == 303
        cookie = answer.headers["set-cookie"]
        assert "; Path=/ingest/;" in cookie
        assert "; Secure" in cookie
        assert client.get("/api/ingest/status").status_code == 200


def test_logs_have_no_token(behind_nginx: Site) -> None:
    """The format that `deploy/nginx.conf` sets leaves out the query; the service blackens it."""
    with behind_nginx.client() as client:
        client.get("/", params={"token": TOKEN})
    log = (behind_nginx.front.folder / "access.log").read_text()
    assert '"GET /ingest/" 303 ' in log
    assert TOKEN not in log + behind_nginx.upstream.log


def test_browser_watches_a_session_to_its_end(behind_nginx: Site) -> None:
    """A person opens the address with the token, over HTTP/2, and sees it run."""
    site = behind_nginx
    session = site.begin("watched", 2, Authorization=f"Bearer {TOKEN}")
    with signed_in(site, f"#{session}") as page:
        badge(page, "live")
        assert TOKEN not in page.url
        protocol = "performance.getEntriesByType('navigation')[0].nextHopProtocol"
        assert page.evaluate(protocol) == "h2"
        site.go("watched", 2)
        complete(page)
        expect(page.locator('[data-count="done"]')).to_have_text("2")


def test_browser_opens_twenty_streams(behind_nginx: Site) -> None:
    """Chromium, which makes six connections to a site at most, has twenty streams at once."""
    site = behind_nginx
    session = site.begin("twenty", 1, Authorization=f"Bearer {TOKEN}")
    with signed_in(site) as page:
        opened = page.evaluate(TWENTY, f"api/ingest/stream/{session}")
        assert opened == [session] * 20
        assert site.streams() == 20
    site.go("twenty")


@contextmanager
def signed_in(site: Site, fragment: str = "") -> Iterator[Page]:
    """Open the page in a browser; it must have nothing to complain of."""
    with chromium() as browser:
        tabs = Tabs(browser.new_context(ignore_https_errors=True))
        yield tabs.open(f"{site.origin}{PREFIX}/?token={TOKEN}{fragment}")
        tabs.close()


TWENTY = """path => Promise.all(Array.from({length: 20}, () => new Promise((resolve, reject) => {
  const source = new EventSource(path);
  source.onmessage = (event) => resolve(JSON.parse(event.data).session_id);
  source.onerror = () => reject(new Error("refused"));
})))"""
