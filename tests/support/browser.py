"""A real Chromium, and what the tests read from the page."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    expect,
    sync_playwright,
)

from tests.support.tools import need

logger = logging.getLogger(__name__)

ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
DEADLINE = 30_000

# Another test gives this machine network interfaces, and takes them away.
CHANGED = "net::ERR_NETWORK_CHANGED"

# The browser itself notes each request that fails or is refused; no script can prevent that.
NETWORK = ("Failed to load resource", "Failed to fetch dynamically imported module")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser and end it."""
    path = need("chromium")
    expect.set_options(timeout=DEADLINE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


class Tabs:
    """The tabs of one browser profile, what they complained of and how many streams they opened."""

    def __init__(self, context: BrowserContext, *, faulty_network: bool = False) -> None:
        self.context = context
        self.streams = 0
        self._complaints: list[str] = []
        self._faulty_network = faulty_network
        context.set_default_timeout(DEADLINE)
        context.on("console", self._on_console)
        context.on("weberror", lambda error: self._complain("uncaught", str(error.error)))
        context.on(
            "requestfailed", lambda request: logger.warning("%s: %s", request.url, request.failure)
        )
        context.on("request", lambda request: self._on_request(request.url))

    def _on_console(self, message: ConsoleMessage) -> None:
        self._complain(message.type, message.text)

    def _complain(self, kind: str, text: str) -> None:
        known = self._faulty_network and text.startswith(NETWORK)
        if not known and not text.endswith(CHANGED):
            self._complaints.append(f"{kind}: {text}")

    def _on_request(self, url: str) -> None:
        self.streams += "/stream/" in url

    def open(self, url: str) -> Page:
        """Open a tab at `url`."""
        page = self.context.new_page()
        page.goto(url)
        return page

    def close(self) -> None:
        """Close them all; fails if one of them had something on its console."""
        self.context.close()
        assert not self._complaints, self._complaints


def badge(page: Page, word: str) -> None:
    """Wait until the badge says how live the page is."""
    expect(page.locator(f'[data-badge][data-link="{word}"]')).to_be_visible()


def complete(page: Page) -> None:
    """Wait until the session is complete, at 100 %."""
    expect(page.locator('[data-watch][data-phase="completed"]')).to_be_visible()
    expect(page.locator("[data-percent]")).to_have_text("100%")
    expect(page.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "100")


def count(page: Page, kind: str) -> int:
    """Return the number of files that are done, skipped, failed or left."""
    return int(page.locator(f'[data-count="{kind}"]').inner_text().replace(",", ""))


def longest_task(trace: bytes) -> float:
    """
    Return the CPU time, in milliseconds, of the longest task of a page's main thread.

    CPU time, as a machine that is busy with the server's workers holds up any task.
    """
    events = json.loads(trace)["traceEvents"]
    threads = {
        (event["pid"], event["tid"]): event["args"]["name"]
        for event in events
        if event["name"] == "thread_name"
    }
    main = (e for e in events if threads.get((e["pid"], e["tid"])) == "CrRendererMain")
    return max((event.get("tdur", 0) / 1000 for event in main), default=0.0)


# Notes each percentage that is painted: a bar must never go back.
WATCH_BAR = """
window.percents = [];
new MutationObserver(() => {
  const bar = document.querySelector('[data-bar]');
  const now = Number(bar?.getAttribute('aria-valuenow') ?? 0);
  if (now !== window.percents.at(-1)) window.percents.push(now);
}).observe(document, {subtree: true, attributes: true, attributeFilter: ['aria-valuenow']});
"""


def bar_went_back(page: Page) -> bool:
    """Return whether the bar ever went back; the page needs WATCH_BAR."""
    percents: list[int] = page.evaluate("window.percents")
    assert percents, "the bar was not watched"
    return percents != sorted(percents)


def serious(page: Page) -> list[str]:
    """Return the violations that axe-core rates as serious or worse."""
    axe = Path(need("axe-core/axe.min.js")).read_text()
    page.evaluate(axe)
    result: dict[str, Any] = page.evaluate("() => axe.run(document)")
    return [
        json.dumps({"id": v["id"], "nodes": [n["html"][:160] for n in v["nodes"][:3]]})
        for v in result["violations"]
        if v["impact"] in {"serious", "critical"}
    ]
