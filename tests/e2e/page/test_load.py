"""Much at once: thousands of errors, ten thousand files, and the page stays smooth."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.page.conftest import OpenTabs
from tests.support.browser import complete, count, longest_task
from tests.support.page_server import Server

pytestmark = [pytest.mark.e2e, pytest.mark.alone]

# Scrolls the list of errors from end to end and gives the numbers of all that came into view.
READ_ERRORS = """
async (total) => {
  const scroller = document.querySelector('[data-scroller]');
  scroller.style.maxHeight = '12000px';
  const seen = new Map();
  const read = () => {
    for (const row of scroller.querySelectorAll('li[data-known="yes"]')) {
      const place = row.dataset.n + ' ' + row.querySelector('.path').textContent;
      seen.set(place, Number(row.dataset.n));
    }
  };
  for (let top = 0, idle = 0; idle < 200; idle++) {
    await new Promise(requestAnimationFrame);
    read();
    const reached = Math.min(total, (top + 12000) / 56);
    if (!scroller.querySelector('li[data-known="no"]') && seen.size >= reached) {
      if (seen.size >= total) break;
      scroller.scrollTop = top += 11000;
      idle = 0;
    }
  }
  return [...seen.values()].sort((a, b) => a - b);
}
"""


@contextmanager
def smooth(browser: Browser, page: Page) -> Iterator[None]:
    """
    Hold each task of the page's main thread below 50 ms while the block runs.

    The page is already open, so the scripts that Playwright adds at first are not measured.
    """
    browser.start_tracing(page=page, categories=["toplevel", "devtools.timeline"])
    try:
        yield
    finally:
        longest = longest_task(browser.stop_tracing())
    assert 0 < longest < 50


def test_five_thousand_errors_are_all_there_once(
    browser: Browser, server: Server, open_tabs: OpenTabs
) -> None:
    """Errors are listed newest first, each once, with few rows in the document."""
    server.files("errors", 5000, "0 bad")
    page = open_tabs().open(server.url)
    expect(page.locator("#start")).to_be_visible()
    with smooth(browser, page):
        page.goto(f"{server.url}#{server.begin('errors')}")
        complete(page)
        expect(page.locator("[data-error-count]")).to_have_text("5,000 errors")
    assert page.locator("[data-rows] li").count() < 40
    assert page.locator("[data-rows] li").first.get_attribute("data-n") == "5000"
    assert page.evaluate(READ_ERRORS, 5000) == list(range(1, 5001))


def test_ten_thousand_files_never_block_the_page(
    browser: Browser, server: Server, open_tabs: OpenTabs
) -> None:
    """While watching and reading the report the page handles input within 50 ms."""
    server.files("many", 10_000)
    page = open_tabs().open(server.url)
    expect(page.locator("#start")).to_be_visible()
    with smooth(browser, page):
        page.goto(f"{server.url}#{server.begin('many')}")
        complete(page)
        assert count(page, "done") == 10_000
        page.locator("[data-report]").scroll_into_view_if_needed()
        page.get_by_label("Search paths").fill("f09999")
        expect(page.locator("[data-records] tr")).to_have_count(1)
