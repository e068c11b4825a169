"""The page with a working server: start, watch, share, return."""

import re

import pytest
from playwright.sync_api import Page, Request, Route, expect

from tests.e2e.page.conftest import OpenTabs
from tests.support.browser import WATCH_BAR, badge, bar_went_back, complete, count
from tests.support.page_server import Server

pytestmark = pytest.mark.e2e


def test_picked_folder_is_watched_to_the_end(server: Server, open_tabs: OpenTabs) -> None:
    """The page shows a session to 100 % without a reload, with counts of done and failed."""
    server.files("whole/inner", 297, "20")
    server.files("whole/inner", 3, "20 cannot be decoded", name="bad{}.txt")
    page = open_tabs(script=WATCH_BAR).open(server.url)
    page.get_by_role("button", name=re.compile("^whole ")).click()
    expect(page.locator("[data-start]")).to_have_text("Start · 300 files")
    page.locator("[data-start]").click()
    badge(page, "live")
    expect(page.locator("[data-lag]")).to_have_text(re.compile(r"\d ms$"))
    expect(page).to_have_title(re.compile(r"^\d+%"))
    complete(page)
    assert (count(page, "done"), count(page, "failed"), count(page, "left")) == (297, 3, 0)
    expect(page.locator("[data-rows] li")).to_have_count(3)
    assert not bar_went_back(page)


# Notes where the parts of a session's card stand, in each frame that is painted.
WATCH_PLACES = """
window.places = new Set();
const note = () => {
  const tops = ['.bar', '.counts', '.facts', '.actions'].map((part) => {
    const found = document.querySelector('.watch ' + part);
    return found && Math.round(found.getBoundingClientRect().top + scrollY);
  });
  if (tops[0] !== null) window.places.add(tops.join(' '));
  requestAnimationFrame(note);
};
note();
"""


def test_nothing_moves_while_files_land(server: Server, open_tabs: OpenTabs) -> None:
    """Each part of the card keeps its position from Start to the end."""
    server.files("still", 150, "20")
    server.files("still", 2, "20 bad", name="bad{}.txt")
    page = open_tabs(script=WATCH_PLACES).open(server.url)
    page.get_by_role("button", name=re.compile("^still ")).click()
    page.locator("[data-start]").click()
    complete(page)
    assert len(page.evaluate("[...window.places]")) == 1


def test_known_session_is_shown_before_its_connection(server: Server, open_tabs: OpenTabs) -> None:
    """Opened from Start or the list, a session never shows an empty card first."""
    server.files("known", 2)
    session = server.begin("known")
    page = open_tabs(faulty_network=True).open(server.url)
    expect(page.locator(f'nav a[href="#{session}"]')).to_contain_text("Completed")
    page.route("**/stream/*", lambda route: route.abort())
    page.route("**/status/*", lambda route: route.abort())
    page.locator(f'nav a[href="#{session}"]').click()
    complete(page)


def test_outcomes_are_a_table_to_search_and_filter(server: Server, open_tabs: OpenTabs) -> None:
    """The files are read when the table comes into view, and again for each filter."""
    server.files("table", 150)
    server.files("table", 2, "0 no such codec", name="bad{}.jpg")
    page = open_tabs().open(f"{server.url}#{server.begin('table')}")
    complete(page)
    page.locator("[data-report]").scroll_into_view_if_needed()
    note = page.locator("[data-report-note]")
    expect(note).to_have_text("152 files.")
    expect(page.locator("[data-records] tr")).to_have_count(50)
    page.locator("[data-more]").click()
    expect(page.locator("[data-records] tr")).to_have_count(100)
    page.get_by_label("Outcome").select_option("error")
    expect(page.locator("[data-records] tr")).to_have_count(2)
    page.get_by_label("Search paths").fill("BAD1")
    expect(page.locator("[data-records] tr")).to_have_count(1)
    page.locator("[data-records] button").click()
    expect(page.locator("#detail dd").first).to_contain_text("no such codec")


def test_retry_starts_a_session_of_the_failed_files(server: Server, open_tabs: OpenTabs) -> None:
    """A double click on Retry starts one session with the failed files."""
    server.files("again", 5, "0 no")
    page = open_tabs().open(f"{server.url}#{server.begin('again')}")
    complete(page)
    server.files("again", 5)
    before = len(server.ask("GET", "/api/ingest/status")["sessions"])
    page.locator("[data-retry]").dblclick()
    expect(page.locator("[data-name]")).to_contain_text("Retry of")
    complete(page)
    assert count(page, "done") == 5
    assert len(server.ask("GET", "/api/ingest/status")["sessions"]) == before + 1


def test_double_click_on_start_starts_one_session(server: Server, open_tabs: OpenTabs) -> None:
    """A double click on Start starts one session."""
    server.files("twice", 1)
    before = len(server.ask("GET", "/api/ingest/status")["sessions"])
    page = open_tabs().open(server.url)
    page.get_by_role("button", name=re.compile("^twice ")).click()
    expect(page.locator("[data-start]")).to_have_text("Start · 1 file")
    page.locator("[data-start]").dblclick()
    badge(page, "finished")
    assert len(server.ask("GET", "/api/ingest/status")["sessions"]) == before + 1


def test_eight_tabs_share_one_stream(server: Server, open_tabs: OpenTabs) -> None:
    """More tabs than a browser has connections stay live, also after the leader closes."""
    server.files("tabs", 4000, "20")
    session = server.begin("tabs")
    tabs = open_tabs()
    pages = [tabs.open(f"{server.url}#{session}") for _ in range(8)]
    for page in pages:
        badge(page, "live")
    assert tabs.streams == 1
    pages.pop(0).close()
    for page in pages:
        moves_on(page)
    assert tabs.streams == 2
    server.cancel(session)
    for page in pages:
        badge(page, "finished")


def moves_on(page: Page) -> None:
    """Wait until more files are done than now."""
    done = count(page, "done")
    page.wait_for_function(
        "(done) => document.querySelector('[data-count=done]').textContent.replace(',', '') > done",
        arg=done,
    )


def test_two_tabs_without_web_locks_share_too(server: Server, open_tabs: OpenTabs) -> None:
    """Over plain http on another host, without Web Locks, the tabs share a connection."""
    script = "Object.defineProperty(Navigator.prototype, 'locks', {get: () => undefined});"
    server.files("plain", 4000, "20")
    session = server.begin("plain")
    tabs = open_tabs(script=script)
    pages = [tabs.open(f"{server.url}#{session}") for _ in range(2)]
    for page in pages:
        badge(page, "live")
        moves_on(page)
    assert tabs.streams == 1
    server.cancel(session)
    for page in pages:
        badge(page, "finished")


def test_reload_goes_on_where_it_was(server: Server, open_tabs: OpenTabs) -> None:
    """The URL names the session, so a reload shows it with its newer state."""
    server.files("reload", 4000, "20")
    session = server.begin("reload")
    page = open_tabs().open(f"{server.url}#{session}")
    badge(page, "live")
    moves_on(page)
    before = count(page, "done")
    page.reload()
    badge(page, "live")
    assert count(page, "done") >= before
    moves_on(page)
    server.cancel(session)
    badge(page, "finished")


def test_back_and_forward_move_between_sessions(server: Server, open_tabs: OpenTabs) -> None:
    """Each session and the form are entries of the history."""
    server.files("history", 1)
    first, second = server.begin("history"), server.begin("history")
    page = open_tabs().open(server.url)
    page.locator(f'nav a[href="#{first}"]').click()
    complete(page)
    page.locator(f'nav a[href="#{second}"]').click()
    expect(page.locator("[data-id]")).to_have_text(second)
    page.go_back()
    expect(page.locator("[data-id]")).to_have_text(first)
    page.go_back()
    expect(page.locator("#start")).to_be_visible()
    page.go_forward()
    expect(page.locator("[data-id]")).to_have_text(first)
    expect(page.locator('nav a[aria-current="page"]')).to_have_attribute("href", f"#{first}")


def test_cancel_asks_once(server: Server, open_tabs: OpenTabs) -> None:
    """Nothing is cancelled before the dialog is confirmed."""
    server.files("cancel", 400, "50")
    session = server.begin("cancel")
    page = open_tabs().open(f"{server.url}#{session}")
    page.locator("[data-cancel]").click()
    page.get_by_role("button", name="Keep going").click()
    assert server.snapshot(session)["status"] in {"starting", "processing"}
    page.locator("[data-cancel]").click()
    page.get_by_role("button", name="Cancel session").click()
    expect(page.locator('[data-watch][data-phase="cancelled"]')).to_be_visible()
    badge(page, "finished")
    assert int(page.locator("[data-bar]").get_attribute("aria-valuenow") or 100) < 100


def test_list_of_sessions_is_live(server: Server, open_tabs: OpenTabs) -> None:
    """A session started by another client appears and is updated without a reload."""
    server.files("listed", 100, "10")
    page = open_tabs().open(server.url)
    item = page.locator(f'nav a[href="#{server.begin("listed")}"]')
    expect(item).to_be_visible()
    expect(item).to_contain_text("Completed")


def start_while_opening(page: Page, folder: str) -> Route:
    """Click a folder and Start at once; return the held request for the folder."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    button = page.get_by_role("button", name=re.compile(f"^{folder} "))
    button.wait_for()
    listing = re.compile(rf"directories\?path={folder}$")
    page.route(listing, hold)
    with page.expect_request(listing):
        button.click()
    page.locator("[data-start]").click()
    expect(page.locator("[data-start]")).to_have_text("Starting…")
    return held[0]


def test_start_takes_the_folder_clicked_last(server: Server, open_tabs: OpenTabs) -> None:
    """Start right after a click on a folder waits for that folder and uses it."""
    server.files("slow/inner", 3)
    page = open_tabs().open(server.url)
    start_while_opening(page, "slow").continue_()
    expect(page.locator("[data-name]")).to_have_text("slow")
    complete(page)
    assert count(page, "done") == 3


def test_folder_that_cannot_be_opened_is_not_taken(server: Server, open_tabs: OpenTabs) -> None:
    """With a folder that cannot be opened Start does nothing and shows the reason."""
    server.files("away", 1)
    before = len(server.ask("GET", "/api/ingest/status")["sessions"])
    page = open_tabs(faulty_network=True).open(server.url)
    start_while_opening(page, "away").abort()
    error = page.locator('[data-field="directory"] [role="alert"]')
    expect(error).to_contain_text("cannot be reached")
    expect(page.locator("#start")).to_be_visible()
    assert len(server.ask("GET", "/api/ingest/status")["sessions"]) == before


def test_folders_show_what_is_below_them(server: Server, open_tabs: OpenTabs) -> None:
    """The count of each listed folder includes the files of its subfolders."""
    server.files("below/a/deep", 4)
    server.files("below/b", 2)
    server.files("below/b/deep", 3)
    (server.root / "below/none").mkdir()
    page = open_tabs().open(server.url)
    page.get_by_role("button", name=re.compile("^below ")).click()
    for name in ["a 4 files", "b 5 files", "none empty"]:
        expect(page.get_by_role("button", name=name, exact=True)).to_be_visible()
    expect(page.locator("[data-start]")).to_have_text("Start · 9 files")
    expect(page.locator("[data-among]")).to_have_text("From “below” and the folders inside.")
    page.get_by_label("Include the folders inside").uncheck()
    expect(page.get_by_role("button", name="b 2 files", exact=True)).to_be_visible()
    expect(page.locator("[data-start]")).to_have_text("Start · 0 files")


def test_deep_folder_keeps_its_way_back_short(server: Server, open_tabs: OpenTabs) -> None:
    """The breadcrumbs show the root and the last folders, and a link to the others."""
    server.files("one/two/three/four/five/six", 1)
    page = open_tabs().open(server.url)
    for name in ["one", "two", "three", "four", "five", "six"]:
        page.get_by_role("button", name=re.compile(f"^{name} ")).click()
    expect(page.locator(".crumbs li")).to_have_text(["All folders", "…", "four", "five", "six"])
    page.get_by_role("button", name="Up to three").click()
    expect(page.locator(".crumbs [aria-current]")).to_have_text("three")


def test_enter_after_the_last_pattern_starts_nothing(server: Server, open_tabs: OpenTabs) -> None:
    """Enter adds a pattern; Enter in the empty field does not start a session."""
    page = open_tabs().open(server.url)
    page.locator(".folder").first.wait_for()
    posts: list[str] = []

    def note(request: Request) -> None:
        if request.method == "POST":
            posts.append(request.url)

    page.on("request", note)
    page.get_by_label("Add a pattern").fill("*.raw")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Remove *.raw")).to_be_visible()
    expect(page.locator("[data-start]")).to_have_text("Start")
    assert posts == []


def test_bad_field_says_so_where_it_is(server: Server, open_tabs: OpenTabs) -> None:
    """The message of a rejected field is shown at that field."""
    page = open_tabs(faulty_network=True).open(server.url)
    page.get_by_label("Stop after").fill("none")
    page.locator("[data-start]").click()
    expect(page.locator('[data-field="max_files"] [role="alert"]')).to_contain_text("whole number")
    page.get_by_label("Stop after").fill("999999999999999")
    page.route("**/process", lambda route: route.continue_(post_data='{"max_files": 0}'))
    page.locator("[data-start]").click()
    error = page.locator('[data-field="max_files"] [role="alert"]')
    expect(error).to_be_visible()
    expect(error).not_to_contain_text("Enter a whole number")


def test_pressed_set_is_what_the_server_is_asked_for(server: Server, open_tabs: OpenTabs) -> None:
    """Only files that match the chosen patterns are processed."""
    server.files("sets", 4, name="a{}.JPG")
    server.files("sets", 3, name="b{}.txt")
    server.files("sets", 2, name="c{}.raw")
    page = open_tabs().open(server.url)
    page.get_by_role("button", name=re.compile("^sets ")).click()
    page.get_by_role("button", name="Images").click()
    page.get_by_label("Add a pattern").fill("*.raw")
    page.keyboard.press("Enter")
    expect(page.locator("[data-among]")).to_contain_text("9 files")
    page.locator("[data-start]").click()
    complete(page)
    assert count(page, "done") == 6


def test_hostile_file_names_are_text(server: Server, open_tabs: OpenTabs) -> None:
    """No name becomes markup, breaks a line or changes the direction of the text around it."""
    place = server.root / "hostile"
    place.mkdir()
    names = [
        "<img src=x onerror=alert(1)>.txt",
        "'\"><script>alert(2)<\\u002fscript>.txt",
        "line\nbreak\r.txt",
        "turn\u202egnp.exe",
        "${alert(3)}{{4}}.txt",
        "x" * 240,
    ]
    for name in names:
        (place / name).write_text("0 <b>bad</b> \u202e &amp;")
    (server.root / "hostile" / "<i>folder<i>").mkdir()
    page = open_tabs().open(server.url)
    page.get_by_role("button", name=re.compile("^hostile ")).click()
    page.get_by_role("button", name=re.compile("^<i>folder<i> ")).wait_for()
    page.locator("[data-start]").click()
    complete(page)
    expect(page.locator("[data-rows] li")).to_have_count(len(names))
    page.locator("[data-report]").scroll_into_view_if_needed()
    expect(page.locator("[data-records] tr")).to_have_count(len(names))
    rows = page.locator("[data-records]").inner_text()
    assert "<img src=x onerror=alert(1)>" in rows
    assert "line␊break␍" in rows
    assert "\u202e" not in page.locator("body").inner_text()
    assert page.locator("main img, main b, main i").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
