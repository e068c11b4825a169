"""The page for everyone: keyboard, small screens, both colour schemes, reduced motion, axe-core."""

import json

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.page.conftest import NewServer, OpenTabs
from tests.support.browser import badge, complete, serious
from tests.support.page_server import Server

pytestmark = pytest.mark.e2e


def focused(page: Page) -> str:
    text: str = page.evaluate("document.activeElement.textContent.trim()")
    return text


def test_keyboard_alone_is_enough(new_server: NewServer, open_tabs: OpenTabs) -> None:
    """A folder can be chosen and a session started and cancelled without a mouse."""
    server = new_server()
    server.files("keys/one", 1)
    server.files("keys/two", 300, "50")
    server.files("none", 1)
    server.start()
    page = open_tabs().open(server.url)
    page.locator(".folder").first.wait_for()
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to the content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.type("k")
    page.keyboard.press("Enter")
    expect(page.locator(".crumbs [aria-current]")).to_have_text("keys")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator(".crumbs [aria-current]")).to_have_text("two")
    page.keyboard.press("Backspace")
    expect(page.locator(".crumbs [aria-current]")).to_have_text("keys")
    page.keyboard.press("End")
    page.keyboard.press("ArrowRight")
    expect(page.locator("[data-start]")).to_have_text("Start · 300 files")
    page.locator("[data-start]").press("Enter")
    badge(page, "live")
    page.keyboard.press("Tab")
    assert focused(page) == "Cancel"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert focused(page) == "Cancel session"
    page.keyboard.press("Enter")
    expect(page.locator('[data-watch][data-phase="cancelled"]')).to_be_visible()
    expect(page.locator("[data-name]")).to_be_focused()  # the button it stood on is gone


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(new_server: NewServer, open_tabs: OpenTabs, scheme: str) -> None:
    """Each state is accessible in both colour schemes, at 360 pixels, and with reduced motion."""
    server = new_server()
    server.files("some/inner", 200, "30", name="{:03}.jpg")
    server.files("some/inner", 20, "5 bad", name="bad{}.jpg")
    server.start()
    size = {"width": 360, "height": 740} if scheme == "dark" else {"width": 1280, "height": 900}
    tabs = open_tabs(
        faulty_network=True, color_scheme=scheme, viewport=size, reduced_motion="reduce"
    )
    page = tabs.open(server.url)
    page.locator(".folder").first.wait_for()
    found = {"start": problems(page)}
    page.get_by_label("Stop after").fill("x")
    page.locator("[data-start]").click()
    found["refused"] = problems(page)
    page.goto(f"{server.url}#{server.begin('some')}")
    expect(page.locator("[data-rows] li").first).to_be_visible()
    found["watching"] = problems(page)
    page.locator("[data-cancel]").click()
    found["asking"] = problems(page)
    page.get_by_role("button", name="Keep going").click()
    complete(page)
    page.locator("[data-report]").scroll_into_view_if_needed()
    page.locator("[data-records] tr").first.wait_for()
    found["finished"] = problems(page)
    page.locator("[data-rows] button").first.click()
    found["detail"] = problems(page)
    page.keyboard.press("Escape")
    page.goto(f"{server.url}#gone")
    badge(page, "gone")
    found["gone"] = problems(page)
    assert {state: faults for state, faults in found.items() if faults} == {}


@pytest.mark.parametrize("width", [320, 640, 1280])
def test_large_numbers_stay_in_their_tiles(server: Server, open_tabs: OpenTabs, width: int) -> None:
    """Counts of eight digits fit on every screen width and zoom."""
    server.files("large", 1)
    session = server.begin("large")
    page = open_tabs(viewport={"width": width, "height": 700}).open(f"{server.url}#{session}")
    complete(page)
    changed = server.snapshot(session)
    changed["stats"] |= {"done": 48_888_888, "skipped_existing": 48_888_888, "errors": 48_888_888}
    changed |= {"processed_files": 3 * 48_888_888, "total_files": 4 * 48_888_888}
    page.route(
        "**/stream/*",
        lambda route: route.fulfill(
            content_type="text/event-stream", body=f"data: {json.dumps(changed)}\n\n"
        ),
    )
    page.reload()
    expect(page.locator('[data-count="left"]')).to_have_text("48,888,888")
    fits = "(all) => all.map((dd) => dd.scrollWidth <= dd.clientWidth)"
    assert page.locator("[data-count]").evaluate_all(fits) == [True] * 4
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def problems(page: Page) -> list[str]:
    """Return the problems of the page as it is: serious axe-core findings, and overflow."""
    faults = serious(page)
    if not page.evaluate("document.documentElement.scrollWidth <= innerWidth"):
        faults.append("wider than the screen")
    return faults


def test_sign_in_page_is_accessible(new_server: NewServer, open_tabs: OpenTabs) -> None:
    """The sign-in page has its styles and no serious axe-core finding."""
    server = new_server(INGEST_TOKEN="secret").start()
    page = open_tabs(faulty_network=True, color_scheme="dark").open(server.url)
    expect(page.get_by_label("Access token")).to_be_focused()
    assert page.evaluate("getComputedStyle(document.body).display") == "grid"
    assert problems(page) == []
