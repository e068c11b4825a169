"""GET directories: what the page's picker shows."""

import threading
from pathlib import Path

import pytest

from ingest import listing, paths, queries
from ingest.folder_looks import HANGING
from ingest.manager import LOOK_THREADS
from tests.support.client import API, Answer, serving
from tests.support.descriptors import no_descriptors
from tests.support.held import held
from tests.support.running import run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inbox = tmp_path / "inbox"
    (inbox / "b" / "deep").mkdir(parents=True)
    (inbox / "A").mkdir()
    (inbox / "b" / "1.txt").touch()
    (inbox / "link").symlink_to(inbox / "b")
    return tmp_path


def directories(folder: Path, query: bytes = b"") -> Answer:
    async def scenario() -> Answer:
        async with serving(folder) as client:
            return await client.get(f"{API}/directories", query)

    return run(scenario())


def test_root_is_the_default(folder: Path) -> None:
    """The root has no parent; its folders are listed by name with the files right in them."""
    assert directories(folder).json == {
        "path": ".",
        "parent": None,
        "files": 3,
        "directories": [
            {"name": "A", "path": "A", "files": 0},
            {"name": "b", "path": "b", "files": 1},
        ],
    }


@pytest.mark.parametrize("path", ["b", "./b/", "b/deep/..", "link", "{root}/b"])
def test_folder_below_the_root(folder: Path, path: str) -> None:
    """A folder is listed under its own path, however it was asked for."""
    answer = directories(folder, f"path={path.format(root=folder / 'inbox')}".encode())
    assert answer.json == {
        "path": "b",
        "parent": ".",
        "files": 1,
        "directories": [{"name": "deep", "path": "b/deep", "files": 0}],
    }


@pytest.mark.parametrize("path", [b"", b"0.txt", b"a%00b"])
def test_what_is_no_directory(folder: Path, path: bytes) -> None:
    """A file, nothing and a NUL are 422, and named."""
    answer = directories(folder, b"path=" + path)
    assert (answer.status, answer.bad_fields) == (422, ["directory"])


def test_folder_whose_name_is_not_utf8(folder: Path) -> None:
    """A folder in odd bytes is shown with U+FFFD and costs the others nothing."""
    Path(f"{folder}/inbox/\udcff").mkdir()
    names = [listed["name"] for listed in directories(folder).json["directories"]]
    assert names == ["A", "b", "\ufffd"]


async def test_no_descriptor_is_503(folder: Path) -> None:
    """A server that is short of descriptors does not claim that a folder does not exist."""
    async with serving(folder) as client:
        with no_descriptors():
            answers = [
                await client.get(f"{API}/directories"),
                await client.get(f"{API}/directories", b"path=b"),
                await client.get(f"{API}/directories", "path=\ufffd".encode()),
                await client.process(directory="b"),
            ]
        assert [answer.status for answer in answers] == [503] * 4
        assert {answer.header("retry-after") for answer in answers} == {"5"}
        assert "Too many open files" in answers[0].json["detail"]
        assert (await client.process(directory="b")).status == 202


async def test_folder_that_does_not_answer_is_504(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look at a dead network file system ends with an answer; a start has threads of its own."""
    monkeypatch.setattr(queries, "LOOK_SECONDS", 0.01)
    async with serving(folder) as client:
        with held(monkeypatch, queries, "list_folders") as hold:
            answer = await client.get(f"{API}/directories")
            assert answer.status == 504
            for _ in range(20):
                await client.get(f"{API}/directories")
            assert (await client.process()).status == 202
            assert hold.calls == HANGING


async def test_start_in_a_folder_that_does_not_answer_is_504(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also forty times, and below it; a dead folder takes two threads, and others are served."""
    monkeypatch.setattr(queries, "LOOK_SECONDS", 0.01)
    (folder / "inbox" / "dead" / "sub").mkdir(parents=True)
    real, gate, calls = paths.resolve, threading.Event(), []

    def resolve(root: Path, directory: str) -> bytes:
        if directory.startswith("dead"):
            calls.append(directory)
            gate.wait()
        return real(root, directory)

    async with serving(folder) as client:
        with monkeypatch.context() as patch:
            patch.setattr(queries, "resolve", resolve)
            answers = [await client.process(directory="dead") for _ in range(40)]
            answers.append(await client.process(directory="dead/sub"))
            assert {answer.status for answer in answers} == {504}
            assert "retry later" in answers[-1].json["detail"]
            assert len(calls) == HANGING
            monkeypatch.setattr(queries, "LOOK_SECONDS", 30.0)
            assert (await client.process(directory="b")).status == 202
            gate.set()
        while (await client.process(directory="dead")).status != 202:
            pass


async def test_counts_that_are_late_are_unknown(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folders are listed though one of them does not answer; its number is null."""
    monkeypatch.setattr(queries, "COUNT_SECONDS", 0.01)
    async with serving(folder) as client:
        with held(monkeypatch, queries, "count_files"):
            answer = await client.get(f"{API}/directories")
        assert [listed["files"] for listed in answer.json["directories"]] == [None, None]


async def test_look_of_a_client_that_left_is_cancelled(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looks that wait for a thread are forgotten with their clients."""
    async with serving(folder) as client:
        with held(monkeypatch, queries, "list_folders") as hold:
            for _ in range(50):
                connection = client.connect("GET", f"{API}/directories")
                await connection.send_input({"type": "http.disconnect"})
                await connection.wait()
            assert hold.calls <= LOOK_THREADS
        assert (await client.get(f"{API}/directories")).status == 200


async def test_pages_of_folders(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`next` is there only if there are more folders, and the next page begins behind it."""
    monkeypatch.setattr(listing, "LISTED", 1)
    async with serving(folder) as client:
        first = (await client.get(f"{API}/directories")).json
        second = (await client.get(f"{API}/directories", b"after=" + first["next"].encode())).json
        assert [page["directories"][0]["name"] for page in (first, second)] == ["A", "b"]
        assert "next" not in second
