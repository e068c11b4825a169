"""GET directories: what the page's picker shows."""

from pathlib import Path

import pytest

from tests.support.client import API, Answer, serving
from tests.support.descriptors import no_descriptors
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
