"""What every catalogue lists of a session's files: each test runs on each implementation."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.catalogue import file_search, records
from ingest.catalogue.protocol import Catalogue
from ingest.catalogue.records import ALL_FILES, FileFilter, FileOrder, SessionRecord
from ingest.catalogue.sqlite import SQLiteCatalogue
from ingest.errors import InvalidRequestError, NotFoundError
from tests.support.catalogues import add, finish, outcome, record
from tests.support.memory_catalogue import MemoryCatalogue

PATHS = (
    b"b/two.JPG",
    b"a/one.jpg",
    b"a/deep/\xff.png",
    b"a_x/100%.txt",
    "a/\u00c9t\u00e9".encode(),
)
TYPES = ("image/jpeg", "image/jpeg", "image/png", "text/plain", None)
STATUSES = ("done", "error", "done", "skipped", "done")
SIZES = (30, None, 10, 30, 20)
TIMES = (5, None, -7, 9, 5)


@pytest.fixture(params=["sqlite", "memory"])
def catalogue(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Catalogue]:
    """Return an open catalogue; SQLite looks at two files in each step."""
    monkeypatch.setattr(file_search, "WINDOW", 2)
    sqlite = request.param == "sqlite"
    made: Catalogue = SQLiteCatalogue(tmp_path / "ingest.db") if sqlite else MemoryCatalogue()
    asyncio.run(made.open())
    yield made
    asyncio.run(made.close())


async def filled(catalogue: Catalogue) -> SessionRecord:
    """Record a session of five files between two others of the same paths."""
    for id_ in ("before", "s", "after"):
        session = await add(catalogue, id_, *PATHS, b"z/pending")
        rows = [
            outcome(n, status, media_type=kind, size=size, modified=modified)
            for n, (status, kind, size, modified) in enumerate(
                zip(STATUSES, TYPES, SIZES, TIMES, strict=True), 1
            )
        ]
        await catalogue.record(session.number, rows, [2], 1001.0)
    found = await catalogue.session("s")
    assert found is not None
    return found


async def listed(
    catalogue: Catalogue, session: SessionRecord, wanted: FileFilter, limit: int
) -> list[int]:
    """Return the numbers of the files on all pages of `limit` files."""
    page = await catalogue.files(session.number, wanted, None, limit)
    numbers = [each.n for each in page.records]
    while page.next is not None:
        assert len(page.records) == limit
        page = await catalogue.files(session.number, wanted, page.next, limit)
        numbers += [each.n for each in page.records]
    return numbers


@pytest.mark.parametrize("limit", [1, 2, 5, 9])
@pytest.mark.parametrize(
    ("order", "numbers"),
    [
        (FileOrder.N, [1, 2, 3, 4, 5]),
        (FileOrder.PATH, [3, 2, 5, 4, 1]),
        (FileOrder.SIZE, [2, 3, 5, 1, 4]),
        (FileOrder.MODIFIED, [2, 3, 1, 5, 4]),
    ],
)
async def test_files_are_sorted_in_both_directions(
    catalogue: Catalogue, order: FileOrder, numbers: list[int], limit: int
) -> None:
    """Files that are equal are in the order found; what is unknown is the smallest."""
    session = await filled(catalogue)
    assert await listed(catalogue, session, FileFilter(order=order), limit) == numbers
    down = FileFilter(order=order, descending=True)
    assert await listed(catalogue, session, down, limit) == numbers[::-1]


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        (FileFilter(status="done"), {1, 3, 5}),
        (FileFilter(status="error"), {2}),
        (FileFilter(text=".jp"), {1, 2}),
        (FileFilter(text="%"), {4}),
        (FileFilter(text="a_"), {4}),
        (FileFilter(text="\u00e9T\u00c9"), {5}),
        (FileFilter(text="\ufffd.P"), {3}),
        (FileFilter(text="*"), set()),
        (FileFilter(text="["), set()),
        (FileFilter(media_type="image/jpeg"), {1, 2}),
        (FileFilter(media_type="IMAGE/*"), {1, 2, 3}),
        (FileFilter(media_type="imag_/*"), set()),
        (FileFilter(folder="a"), {2, 3, 5}),
        (FileFilter(folder="a/deep"), {3}),
        (FileFilter(folder="A"), set()),
        (FileFilter(folder="a/one.jpg"), set()),
        (FileFilter(folder="a", status="done", media_type="image/*", text="/"), {3}),
    ],
)
@pytest.mark.parametrize("order", FileOrder)
@pytest.mark.parametrize("descending", [False, True])
async def test_files_are_filtered_in_every_order(
    catalogue: Catalogue, wanted: FileFilter, numbers: set[int], order: FileOrder, descending: bool
) -> None:
    """Text and media type in any case, signs of patterns as they are, folders at any depth."""
    session = await filled(catalogue)
    sorted_ = FileFilter(
        wanted.status, wanted.text, wanted.media_type, wanted.folder, order, descending
    )
    found = await listed(catalogue, session, sorted_, 2)
    assert (len(found), set(found)) == (len(numbers), numbers)


async def test_folder_of_odd_bytes_is_named_by_its_display_path(catalogue: Catalogue) -> None:
    """A byte that is not UTF-8 is U+FFFD there."""
    session = await add(catalogue, "s", b"\xff*/a", b"\xff*b/a", b"ab/a")
    await record(catalogue, session, 1, "done", "done", "done")
    for order in FileOrder:
        wanted = FileFilter(folder="\ufffd*", order=order)
        assert await listed(catalogue, session, wanted, 9) == [1]


async def test_page_ends_where_its_metadata_is_large(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page of files with very large metadata needs no more memory than others."""
    monkeypatch.setattr(records, "PAGE_BYTES", 10)
    session = await add(catalogue, "s", b"a", b"b", b"c")
    rows = [outcome(n, "done", metadata='{"a":1}') for n in (1, 2, 3)]
    await catalogue.record(session.number, rows, [], 1001.0)
    page = await catalogue.files(session.number, ALL_FILES, None, 9)
    assert ([each.n for each in page.records], page.next) == ([1, 2], 2)


async def test_page_after_a_file_without_an_outcome_is_refused(catalogue: Catalogue) -> None:
    """A cursor of another session is named as wrong, not taken for the end of the list."""
    session = await filled(catalogue)
    for wanted in (ALL_FILES, FileFilter(order=FileOrder.SIZE)):
        with pytest.raises(InvalidRequestError) as raised:
            await catalogue.files(session.number, wanted, 6, 9)
        assert list(raised.value.fields) == ["after"]
        with pytest.raises(InvalidRequestError):
            await catalogue.files(session.number, wanted, 2**32 + 1, 9)


async def test_session_without_outcomes_has_an_empty_page(catalogue: Catalogue) -> None:
    """In every order; files that are only found are not listed."""
    session = await add(catalogue, "s", b"a")
    for order in FileOrder:
        page = await catalogue.files(session.number, FileFilter(order=order), None, 9)
        assert (list(page.records), page.next) == ([], None)


async def test_outcome_is_read_by_its_number(catalogue: Catalogue) -> None:
    """It is the record of the list; a file that is not finished is not found."""
    session = await filled(catalogue)
    page = await catalogue.files(session.number, ALL_FILES, 3, 1)
    assert await catalogue.outcome(session.number, 4) == page.records[0]
    for n in (0, 6, 7, 2**32 + 1):
        with pytest.raises(NotFoundError):
            await catalogue.outcome(session.number, n)


async def test_files_of_a_pruned_session_are_not_found(catalogue: Catalogue) -> None:
    """Not even those whose records are kept."""
    session = await filled(catalogue)
    await finish(catalogue, session, 2000.0)
    await catalogue.prune(3000.0)
    with pytest.raises(NotFoundError):
        await catalogue.files(session.number, ALL_FILES, None, 9)
    with pytest.raises(NotFoundError):
        await catalogue.outcome(session.number, 1)
