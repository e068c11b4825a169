"""The browser and the server that the page's tests share."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.support.browser import Tabs, chromium
from tests.support.page_server import Server

OpenTabs = Callable[..., Tabs]
NewServer = Callable[..., Server]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests that do it no harm."""
    server = Server(tmp_path_factory.mktemp("page")).start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def new_server(tmp_path: Path) -> Iterator[NewServer]:
    """Make servers of the test's own; they are not started yet."""
    with ExitStack() as stack:

        def make(*options: str, **settings: str) -> Server:
            server = Server(tmp_path, *options, **settings)
            stack.callback(server.stop)
            return server

        yield make


@pytest.fixture
def open_tabs(browser: Browser) -> Iterator[OpenTabs]:
    """Make profiles of a browser; at the end none may have a message on its console."""
    with ExitStack() as stack:

        def make(*, faulty_network: bool = False, script: str = "", **options: Any) -> Tabs:
            tabs = Tabs(browser.new_context(**options), faulty_network=faulty_network)
            if script:
                tabs.context.add_init_script(script)
            stack.callback(tabs.close)
            return tabs

        yield make
