"""The page and its files."""

import re
from pathlib import Path

import pytest

from tests.support.client import serving
from web.static import FOLDER

NAMES = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*") if path.is_file())


async def test_page_has_its_headers(tmp_path: Path) -> None:
    """The page is HTML under a policy that lets nothing of elsewhere in."""
    async with serving(tmp_path) as client:
        answer = await client.get("/")
        policy = answer.header("content-security-policy") or ""
        assert answer.header("content-type") == "text/html; charset=utf-8"
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.header("x-content-type-options") == "nosniff"
        assert answer.header("cache-control") == "no-cache"


async def test_page_names_relative_urls_only(tmp_path: Path) -> None:
    """What the page loads is beside it wherever it is mounted, and all of it is there."""
    async with serving(tmp_path) as client:
        page = (await client.get("/")).body.decode()
        urls = re.findall(r'(?:src|href|action)="([^"#][^"]*)"', page)
        assert urls
        for url in urls:
            assert not re.match(r"/|[a-z]+://", url), url
            if url.startswith("static/"):
                assert (await client.get(f"/{url}")).status == 200, url


@pytest.mark.parametrize("name", NAMES)
async def test_file_is_revalidated(tmp_path: Path, name: str) -> None:
    """Each file has its type and an ETag, and 304 answers who has it."""
    async with serving(tmp_path) as client:
        answer = await client.get(f"/static/{name}")
        etag = answer.header("etag") or ""
        assert (answer.status, answer.header("content-length")) == (200, str(len(answer.body)))
        assert answer.header("content-type") != "application/octet-stream"
        for known in (etag, f"W/{etag}", f'"x", {etag}', "*"):
            again = await client.get(f"/static/{name}", if_none_match=known)
            assert (again.status, again.body, again.header("etag")) == (304, b"", etag)
        for other in ('"x"', "", etag.strip('"')):
            assert (await client.get(f"/static/{name}", if_none_match=other)).status == 200


@pytest.mark.parametrize(
    "name",
    [
        "net", "net/", "net/../app.js", "net//api.js", "./app.js", "net/./api.js", "net%2Fapi.jsx",
        "../static.py", "/etc/passwd", "net/api.js/x", "net\\api.js", "",
    ],
)  # fmt: skip
async def test_name_that_is_not_listed_is_404(tmp_path: Path, name: str) -> None:
    """Names are compared as they are: nothing in a URL is resolved against the disk."""
    async with serving(tmp_path) as client:
        assert (await client.get(f"/static/{name}")).status == 404
