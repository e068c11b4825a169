"""The page with servers that crash and proxies that buffer or close connections: it recovers."""

import re
import signal

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.page.conftest import NewServer, OpenTabs
from tests.support.browser import WATCH_BAR, badge, bar_went_back, complete
from tests.support.page_server import Server
from tests.support.proxies import cutting, forwarding

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
def test_restarted_server_needs_no_reload(
    new_server: NewServer, open_tabs: OpenTabs, how: signal.Signals
) -> None:
    """After a restart of the server the bar reaches 100 % and never moves back."""
    server = new_server()
    server.files("all", 400, "10")
    server.start()
    tabs = open_tabs(faulty_network=True, script=WATCH_BAR)
    page = tabs.open(f"{server.url}#{server.begin('all')}")
    expect(page.locator("[data-bar]")).to_have_attribute("aria-valuenow", re.compile(r"\d\d"))
    server.stop(how)
    badge(page, "reconnecting")
    expect(page.locator("[data-link-note]")).to_contain_text("reconnects by itself")
    server.start()
    badge(page, "live")
    complete(page)
    assert not bar_went_back(page)


def test_buffering_proxy_is_polled_through(server: Server, open_tabs: OpenTabs) -> None:
    """Polling replaces a stream without a frame in three seconds."""
    server.files("buffered", 800, "20")
    session = server.begin("buffered")
    with forwarding(server.port, buffers=True) as address:
        page = open_tabs(script=WATCH_BAR).open(f"{address}#{session}")
        badge(page, "polling")
        expect(page.locator("[data-lag]")).to_have_text(re.compile(r"\d ms$"))
        complete(page)
        assert not bar_went_back(page)
        page.close()


def test_proxy_that_cuts_every_second_is_survived(server: Server, open_tabs: OpenTabs) -> None:
    """The page reaches 100 % though each stream or poll is closed after a second."""
    server.files("cut", 500, "20")
    session = server.begin("cut")
    with cutting(server.port, after=1.0) as address:
        tabs = open_tabs(faulty_network=True, script=WATCH_BAR)
        page = tabs.open(f"{address}#{session}")
        complete(page)
        assert not bar_went_back(page)
        page.close()


def test_browser_without_event_source_polls(server: Server, open_tabs: OpenTabs) -> None:
    """Without EventSource the page polls, and the badge reads Polling."""
    server.files("old", 300, "20")
    page = open_tabs(script="delete window.EventSource;").open(
        f"{server.url}#{server.begin('old')}"
    )
    badge(page, "polling")
    complete(page)


def test_mute_stream_is_found_out(server: Server, open_tabs: OpenTabs) -> None:
    """A silent open stream is compared with `status`, at once when the tab becomes visible."""
    server.files("mute", 600, "20")
    script = """
    const set = Object.getOwnPropertyDescriptor(EventSource.prototype, 'onmessage').set;
    window.mute = false;
    Object.defineProperty(EventSource.prototype, 'onmessage', {set(handler) {
      set.call(this, handler && ((event) => window.mute || handler(event)));
    }});
    """
    page = open_tabs(script=script).open(f"{server.url}#{server.begin('mute')}")
    badge(page, "live")
    page.evaluate("window.mute = true")
    page.wait_for_timeout(300)
    page.evaluate("dispatchEvent(new Event('online'))")
    badge(page, "polling")
    complete(page)


def test_page_that_loses_a_script_mends_itself(server: Server, open_tabs: OpenTabs) -> None:
    """After a network change during loading the page loads again and shows the same session."""
    server.files("lost", 1)
    session = server.begin("lost")
    tabs = open_tabs(faulty_network=True)
    tabs.context.route("**/plot.js", lambda route: route.abort(), times=1)
    page = tabs.open(f"{server.url}#{session}")
    complete(page)
    expect(page.locator("[data-id]")).to_have_text(session)
    expect(page.locator("[data-unstarted]")).to_have_count(0)


@pytest.mark.parametrize("lost", ["plot.js", "main.js"])
def test_page_that_lacks_a_script_says_so(server: Server, open_tabs: OpenTabs, lost: str) -> None:
    """A script that fails twice leaves a text that asks the user to reload."""
    tabs = open_tabs(faulty_network=True, reduced_motion="reduce")
    tabs.context.route(f"**/{lost}", lambda route: route.abort())
    page = tabs.open(server.url)
    expect(page.get_by_text("please reload it")).to_be_visible()
    tabs.context.unroute(f"**/{lost}")
    page.reload()
    expect(page.locator("#start")).to_be_visible()


def test_session_that_is_gone_says_so(server: Server, open_tabs: OpenTabs) -> None:
    """For an unknown session the page offers a new session."""
    page = open_tabs(faulty_network=True).open(f"{server.url}#nosuchsession")
    badge(page, "gone")
    page.locator("[data-notice] a").click()
    expect(page.locator("#start")).to_be_visible()


def test_prefix_token_and_its_end(new_server: NewServer, open_tabs: OpenTabs) -> None:
    """A token that changes shows the sign-in link, which leads back to the session."""
    server = new_server("--root-path", "/below", INGEST_TOKEN="secret")
    server.files("all", 1000, "20")
    server.start()
    with forwarding(server.port, prefix="/below") as address:
        tabs = open_tabs(faulty_network=True)
        page = tabs.open(address)
        sign_in(page, "wrong")
        sign_in(page, "secret")
        page.get_by_role("button", name=re.compile("^all ")).click()
        page.locator("[data-start]").click()
        badge(page, "live")
        session = page.url.partition("#")[2]
        tabs.context.clear_cookies()
        page.reload()
        sign_in(page, "secret")
        expect(page.locator("[data-id]")).to_have_text(session)
        badge(page, "live")
        tabs.context.clear_cookies()
        page.locator("[data-cancel]").click()
        page.get_by_role("button", name="Cancel session").click()
        expect(page.locator("[data-action-error]")).to_have_text(re.compile("Sign in again"))
        page.get_by_role("link", name="Sign in again").click()
        sign_in(page, "secret")
        expect(page.locator("[data-id]")).to_have_text(session)
        page.close()


def sign_in(page: Page, token: str) -> None:
    with page.expect_navigation():
        page.get_by_label("Access token").fill(token)
        page.keyboard.press("Enter")
