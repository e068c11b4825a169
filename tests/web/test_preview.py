"""GET preview: a small picture of one file."""

import io
import os
from pathlib import Path
from typing import Any

import pytest

from ingest import previews
from ingest.builtin import preview as module
from ingest.builtin.preview import preview
from tests.support.client import API, Answer, Client, serving

PIL = pytest.importorskip("PIL.Image")


def draw(
    path: Path, size: tuple[int, int] = (1000, 500), mode: str = "RGB", **save: object
) -> None:
    """Write a picture; its left half is red, or light."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = PIL.new(mode, size)
    colour = (255, 0, 0, 255)[: len(mode)] if mode in ("RGB", "RGBA", "CMYK") else 255
    image.paste(colour, (0, 0, size[0] // 2, size[1]))
    image.save(path, **save)


def seen(path: Path) -> Any:
    """Return the preview of a file as an image."""
    status = path.stat()
    made = preview(str(path), status.st_size, status.st_mtime_ns)
    assert made is not None
    return PIL.open(io.BytesIO(made))


async def previewed(client: Client) -> tuple[str, Answer]:
    """Run a session, and return its id and the preview of its first picture."""
    session_id = await client.start(pattern="*.png")
    await client.finished(session_id)
    return session_id, await client.get(f"{API}/preview/{session_id}/1")


async def test_preview_is_a_small_picture(tmp_path: Path) -> None:
    """It has the picture's proportions, and is revalidated by its ETag."""
    draw(tmp_path / "inbox" / "a.png")
    async with serving(tmp_path) as client:
        session_id, answer = await previewed(client)
        assert (answer.status, answer.header("content-type")) == (200, "image/webp")
        assert PIL.open(io.BytesIO(answer.body)).size == (256, 128)
        etag = answer.header("etag") or ""
        again = await client.get(f"{API}/preview/{session_id}/1", if_none_match=etag)
        assert again.status == 304
        head = await client.ask("HEAD", f"{API}/preview/{session_id}/1")
        assert (head.status, head.body) == (200, b"")
        assert (await client.get(f"{API}/preview/{session_id}/9")).status == 404
        assert (await client.get(f"{API}/preview/none/1")).status == 404


async def test_changed_file_has_no_preview(tmp_path: Path) -> None:
    """Even if a preview of it was made before; nor has one that is gone, or became a link."""
    path = tmp_path / "inbox" / "a.png"
    draw(path)
    draw(tmp_path / "other.png")
    async with serving(tmp_path) as client:
        session_id, answer = await previewed(client)
        assert answer.status == 200
        os.utime(path, ns=(1, 1))
        assert (await client.get(f"{API}/preview/{session_id}/1")).status == 404
        path.unlink()
        path.symlink_to(tmp_path / "other.png")
        assert (await client.get(f"{API}/preview/{session_id}/1")).status == 404
        path.unlink()
        assert (await client.get(f"{API}/preview/{session_id}/1")).status == 404


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n" + b"x" * 50])
async def test_broken_picture_has_no_preview(tmp_path: Path, content: bytes) -> None:
    """A processor that does not look at a file makes it done; its content decides."""
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "a.png").write_bytes(content)
    async with serving(tmp_path) as client:
        _, answer = await previewed(client)
        assert (answer.status, answer.header("content-type")) == (404, "application/problem+json")


async def test_preview_needs_the_token(tmp_path: Path) -> None:
    """A picture shows as much as a record does."""
    async with serving(tmp_path, token="secret") as client:
        assert (await client.get(f"{API}/preview/x/1")).status == 401


async def test_preview_is_made_once_and_kept_within_its_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes that are kept never exceed the limit, and the newest is kept."""
    for name in ("a.png", "b.png"):
        draw(tmp_path / "inbox" / name, (300, 300 if name == "a.png" else 200))
    async with serving(tmp_path) as client:
        session_id, first = await previewed(client)
        kept = (await client.app._lifecycle.open()).previews
        assert kept.statistics() == (1, len(first.body) + previews.EMPTY_BYTES)
        assert (await client.get(f"{API}/preview/{session_id}/1")).body == first.body
        monkeypatch.setattr(previews, "KEPT_BYTES", len(first.body) + previews.EMPTY_BYTES)
        assert (await client.get(f"{API}/preview/{session_id}/2")).status == 200
        assert kept.statistics()[0] == 1


async def test_more_previews_than_may_wait_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With 503 and a time to come again."""
    draw(tmp_path / "inbox" / "a.png")
    async with serving(tmp_path) as client:
        session_id, _ = await previewed(client)
        monkeypatch.setattr(previews, "WAITING", 0)
        answer = await client.get(f"{API}/preview/{session_id}/1")
        assert (answer.status, answer.header("retry-after")) == (503, "5")


@pytest.mark.parametrize(
    ("name", "mode"),
    [("a.png", "RGBA"), ("a.png", "L"), ("a.png", "P"), ("a.png", "I;16"), ("a.png", "1"),
     ("a.jpg", "CMYK"), ("a.tif", "F"), ("a.gif", "P"), ("a.bmp", "RGB"), ("a.webp", "RGBA")],
)  # fmt: skip
def test_every_kind_of_picture_has_a_preview(tmp_path: Path, name: str, mode: str) -> None:
    """Of whatever colours it is."""
    draw(tmp_path / name, mode=mode)
    assert seen(tmp_path / name).size == (256, 128)


def test_preview_is_turned_as_the_camera_was_held(tmp_path: Path) -> None:
    """EXIF orientation 6: what is stored on the left is shown at the top."""
    exif = PIL.Exif()
    exif[0x0112] = 6
    draw(tmp_path / "a.jpg", exif=exif)
    image = seen(tmp_path / "a.jpg").convert("RGB")
    assert image.size == (128, 256)
    assert image.getpixel((64, 30))[0] > 200
    assert image.getpixel((64, 220))[0] < 50
    assert not dict(image.getexif())


def test_picture_of_16_bits_is_as_light_as_it_is(tmp_path: Path) -> None:
    """Its upper byte is what is seen."""
    image = PIL.new("I;16", (10, 10), 0x8000)
    image.save(tmp_path / "a.png")
    shade = seen(tmp_path / "a.png").convert("L").getpixel((5, 5))
    assert abs(shade - 0x80) < 4


def test_small_picture_is_not_enlarged(tmp_path: Path) -> None:
    """It is sent as it is."""
    draw(tmp_path / "a.png", (16, 8))
    assert seen(tmp_path / "a.png").size == (16, 8)


def test_huge_picture_has_no_preview(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its pixels are not decoded."""
    draw(tmp_path / "a.png")
    monkeypatch.setattr(module, "MAX_PIXELS", 499_999)
    status = (tmp_path / "a.png").stat()
    assert preview(str(tmp_path / "a.png"), status.st_size, status.st_mtime_ns) is None


def test_without_pillow_there_is_no_preview(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None, as for a file that is not an image."""
    draw(tmp_path / "a.png")
    monkeypatch.setattr(module, "_pillow", lambda: None)
    status = (tmp_path / "a.png").stat()
    assert preview(str(tmp_path / "a.png"), status.st_size, status.st_mtime_ns) is None


def test_preview_without_webp_is_a_jpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On white, as JPEG has no transparency."""
    draw(tmp_path / "a.png", mode="RGBA")
    PIL.init()
    monkeypatch.delitem(PIL.SAVE, "WEBP")
    image = seen(tmp_path / "a.png")
    assert image.format == "JPEG"
    assert min(image.getpixel((200, 60))) > 250
