"""A batch: the outcome of each file, when it stops, and the text of failures."""

import os
import pickle
from pathlib import Path
from typing import Any

import orjson
import pytest

from ingest.builtin.options import Options
from ingest.builtin.process_file import FileInspection, inspect_file, process_file
from ingest.errors import MessageError
from ingest.execution.batch import (
    LARGE,
    BatchFile,
    describe,
    failure,
    fingerprint,
    look,
    run_batch,
)
from ingest.outcome import MESSAGE_LIMIT, Outcome, OutcomeRecord, ProcessingError
from tests.support.ingest import fill


class SilentError(Exception):
    """An exception that cannot be shown."""

    def __str__(self) -> str:
        raise ValueError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    fill(tmp_path, ["a", "b", "c"])
    return tmp_path


def items(*names: bytes) -> list[BatchFile]:
    return [BatchFile(n, name) for n, name in enumerate(names, 11)]


def test_outcome_has_every_field_of_its_record(root: Path) -> None:
    """What is known of the file and what its processor returned; and the sums of the batch."""
    size, modified = fingerprint((root / "a").stat())

    def process(path: Path) -> Outcome:
        return Outcome({"sha256": "0f", "media_type": "text/plain", "x": 1}, {"pages": 2})

    report = run_batch(process, str(root), items(b"a", b"b"), 9.0)
    counters = {"bytes": 1, "metadata_extracted": 1, "pages": 2}
    *columns, metadata, counted, warning = report.outcomes[0]
    assert columns == [11, b"a", "done", None, size, modified, "0f", "text/plain"]
    assert (metadata, orjson.loads(counted or "")) == ('{"x":1}', counters)
    assert warning is None
    assert report.counters == {"bytes": 2, "metadata_extracted": 2, "pages": 4}
    assert (report.finished, report.done, report.skipped, report.failed) == (2, 2, 0, [])


def test_warning_is_one_bounded_line(root: Path) -> None:
    """A warning is recorded with the outcome of a file that is done."""
    report = run_batch(
        lambda _: Outcome(warning="two\nlines " + "x" * 900), str(root), items(b"a"), 9.0
    )
    record = OutcomeRecord._make(report.outcomes[0])
    assert record.status == "done"
    assert str(record.warning).startswith("two lines xxx")
    assert len(str(record.warning)) == MESSAGE_LIMIT


def test_error_keeps_what_is_known(root: Path) -> None:
    """A processor that raises ProcessingError has its outcome recorded, but for its counters."""
    known = Outcome({"sha256": "0f", "media_type": "image/png", "width": 3}, {"pages": 1}, "odd")

    def process(path: Path) -> Outcome:
        raise ProcessingError("broken image", known)

    report = run_batch(process, str(root), items(b"a"), 9.0)
    record = OutcomeRecord._make(report.outcomes[0])
    assert (record.status, record.error, record.warning) == ("error", "broken image", "odd")
    assert (record.sha256, record.media_type) == ("0f", "image/png")
    assert (record.metadata, record.counters) == ('{"width":3}', None)
    assert (report.counters, report.failed) == ({}, [(11, "broken image")])


@pytest.mark.parametrize("known", [Outcome({"x": object()}), Outcome(7), None])  # type: ignore[arg-type]
def test_error_with_an_outcome_that_cannot_be_recorded_stays_an_error(
    root: Path, known: Outcome | None
) -> None:
    """The processor's message is recorded, not that of the check of its outcome."""

    def process(path: Path) -> Outcome:
        raise ProcessingError("broken image", known)

    report = run_batch(process, str(root), items(b"a"), 9.0)
    record = OutcomeRecord._make(report.outcomes[0])
    assert (record.status, record.error, record.sha256) == ("error", "broken image", None)


def test_batch_ends_with_the_file_that_used_up_its_time(root: Path) -> None:
    """At least the first file is finished, and none is begun after the time is over."""
    begun: list[str] = []

    def process(path: Path) -> None:
        begun.append(path.name)

    report = run_batch(process, str(root), items(b"a", b"b", b"c"), 0.0)
    assert (report.finished, begun) == (1, ["a"])


def test_file_known_by_size_and_time_is_skipped(root: Path) -> None:
    """With another size or time it is processed again."""
    size, modified = fingerprint((root / "a").stat())
    known = [(size, modified), (size + 1, modified), (size, modified + 1)]
    batch = [BatchFile(n, b"a", frozenset({pair})) for n, pair in enumerate(known)]
    report = run_batch(lambda _: None, str(root), batch, 9.0)
    assert [row[2] for row in report.outcomes] == ["skipped", "done", "done"]
    assert (report.skipped, report.counters["bytes"]) == (1, 2)


def test_link_fifo_folder_and_nothing_are_errors_unopened(root: Path) -> None:
    """A path that is not a regular file any more does not reach the processor."""
    (root / "link").symlink_to("a")
    os.mkfifo(root / "fifo")
    (root / "folder").mkdir()
    batch = items(b"link", b"fifo", b"folder", b"gone")
    report = run_batch(lambda _: pytest.fail("processed"), str(root), batch, 9.0)
    assert [message for _, message in report.failed] == [
        "not a regular file any more",
        "not a regular file any more",
        "a folder, not a file; ingest it in a session of its own",
        "No such file or directory",
    ]
    assert [row[4] for row in report.outcomes] == [None] * 4


@pytest.mark.parametrize("link", ["a", "a/b"])
def test_file_behind_a_folder_that_became_a_link_is_not_read(tmp_path: Path, link: str) -> None:
    """It may lie outside the root by now; a folder anywhere above it leads there as well."""
    root, outside = tmp_path / "root", tmp_path / "outside"
    fill(root, ["a/b/x", "c/y"])
    (root / link).rename(outside)
    (root / link).symlink_to(outside)
    read: list[str] = []
    report = run_batch(lambda path: read.append(path.name), str(root), items(b"a/b/x", b"c/y"), 9.0)
    assert report.failed == [(11, "its folder was replaced by a link")]
    assert read == ["y"]


def test_root_may_be_a_link(root: Path, tmp_path: Path) -> None:
    """An executor's other machine may have it elsewhere than the server."""
    link = tmp_path / "link"
    link.symlink_to(root)
    assert run_batch(lambda _: None, str(link), items(b"a"), 9.0).done == 1


def test_folder_is_looked_at_once_for_a_batch(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To resolve it takes longer than to read a small file."""
    resolved: list[str] = []
    resolve = os.path.realpath

    def realpath(path: str) -> str:
        resolved.append(path)
        return resolve(path)

    monkeypatch.setattr(os.path, "realpath", realpath)
    run_batch(lambda _: None, str(root), items(b"a", b"b", b"c"), 9.0)
    assert resolved == [str(root), str(root)]  # the root, and the folder of the three


def test_names_in_odd_bytes_and_255_of_them_are_processed(root: Path) -> None:
    """A processor gets a path that opens, whatever bytes it is spelt in."""
    names = [b"\xff\xfe", b"new\nline", b"x" * 255, " \u00e4 ".encode()]
    fill(root, names)

    def process(path: Path) -> dict[str, Any]:
        return {"name": path.name, "content": path.read_bytes() == os.fsencode(path.name)}

    report = run_batch(process, str(root), items(*names), 9.0)
    assert [orjson.loads(row[8] or "") for row in report.outcomes] == [
        {"name": name.decode("utf-8", "replace"), "content": True} for name in names
    ]


def test_only_the_built_in_processor_is_given_text(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It opens either; a Path, which anybody else is promised, costs it more than the opening."""
    given: list[object] = []

    def process(path: Path) -> None:
        given.append(path)

    def inspect(path: Path | str, options: Options) -> FileInspection:
        given.append(path)
        return inspect_file(path, options)

    monkeypatch.setattr("ingest.execution.batch.inspect_file", inspect)
    run_batch(process, str(root), items(b"a"), 9.0)
    run_batch(process_file, str(root), items(b"a"), 9.0)
    assert given == [root / "a", str(root / "a")]


@pytest.mark.parametrize("seconds", [2**33, 2**40, -(2**33), -(2**40)])
def test_time_beyond_64_bits_is_recorded_cut(
    root: Path, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    """Some file systems take a year 36,812; the file is done, and known again."""
    status = (root / "a").stat()
    far = os.stat_result([*status[:10]], {"st_mtime_ns": seconds * 10**9})
    monkeypatch.setattr("ingest.execution.batch.look", lambda *_: far)
    first = run_batch(lambda _: None, str(root), items(b"a"), 9.0)
    ((_, _, what, _, size, modified, *_),) = first.outcomes
    assert what == "done"
    assert size is not None
    assert modified is not None
    assert abs(modified) <= 2**63
    again = [BatchFile(1, b"a", frozenset({(size, modified)}))]
    assert run_batch(lambda _: None, str(root), again, 9.0).skipped == 1


def test_report_and_items_travel_between_processes(root: Path) -> None:
    """Any executor pickles them."""
    batch = [BatchFile(1, b"a", frozenset({(1, 2)}))]
    assert pickle.loads(pickle.dumps(batch)) == batch
    report = run_batch(lambda _: None, str(root), batch, 9.0)
    assert pickle.loads(pickle.dumps(report)) == report


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (FileNotFoundError(2, "No such file", "/root/x"), "No such file"),
        (ValueError("bad"), "ValueError: bad"),
        (ValueError(), "ValueError"),
        (OSError("plain"), "OSError: plain"),
        (OSError(5, 7), "OSError: [Errno 5] 7"),
        (MessageError("as it is"), "as it is"),
        (SilentError(), "SilentError"),
        (KeyError("/srv/root/a/b"), "KeyError: 'a/b'"),
        (ValueError("two\nlines\0\t!"), "ValueError: two lines !"),
        (ValueError("odd \udcff"), "ValueError: odd \ufffd"),
    ],
)
def test_error_is_told_in_one_line_without_the_servers_paths(
    error: Exception, message: str
) -> None:
    """Its class, its text, no path above the root, and nothing that JSON or a line refuses."""
    assert describe(error, "/srv/root") == message


def test_error_below_the_root_of_all_keeps_its_slashes() -> None:
    """With the ingest root `/` no path has to be hidden."""
    assert describe(ValueError("read/write of /a/b"), "/") == "ValueError: read/write of /a/b"


def test_long_error_is_cut() -> None:
    """Ten messages travel in every snapshot."""
    message = describe(ValueError("x" * 10_000), "/srv/root")
    assert len(message) == MESSAGE_LIMIT
    assert message.endswith("x…")


def test_failure_is_a_report_of_one_error() -> None:
    """It is recorded as any other."""
    report = failure(BatchFile(7, b"x"), "died")
    assert (report.finished, report.failed) == (1, [(7, "died")])
    assert [OutcomeRecord._make(row) for row in report.outcomes] == [
        OutcomeRecord(7, b"x", "error", "died")
    ]


def test_look_does_not_follow_a_link(root: Path) -> None:
    """A regular file is seen by its own status."""
    assert look(str(root / "a")).st_size == 1
    (root / "link").symlink_to("a")
    with pytest.raises(OSError, match="not a regular file"):
        look(str(root / "link"))


def test_folder_in_a_files_place_is_told_as_one(root: Path) -> None:
    """A retry of a folder that could not be opened says what to do about it."""
    (root / "folder").mkdir()
    with pytest.raises(OSError, match="a folder, not a file"):
        look(str(root / "folder"))


def test_look_refuses_what_a_linked_folder_leads_to(root: Path, tmp_path: Path) -> None:
    """An async processor's files, too, are looked at before they are read."""
    (tmp_path / "link").symlink_to(root)
    with pytest.raises(OSError, match="replaced by a link"):
        look(str(tmp_path / "link" / "a"))


def test_large_file_begins_a_batch(root: Path) -> None:
    """Small files are reported before a large one begins; a large first file is not delayed."""
    fill(root, [b"a", b"large", b"z"])
    os.truncate(root / "large", LARGE)
    assert run_batch(lambda _: None, str(root), items(b"a", b"large", b"z"), 9.0).finished == 1
    assert run_batch(lambda _: None, str(root), items(b"large", b"z"), 9.0).finished == 2
