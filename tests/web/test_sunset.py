"""The announced end of polling."""

from pathlib import Path

import pytest

from tests.support.client import API, Client, serving

FUTURE = {"polling_deprecated": "2024-01-31", "polling_sunset": "2999-06-30T12:00:00+02:00"}
DEPRECATION = "@1706659200"
SUNSET = "Sun, 30 Jun 2999 10:00:00 GMT"


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("path", [f"{API}/status", f"{API}/status/{{}}", f"{API}/status/unknown"])
async def test_status_routes_announce_their_end(tmp_path: Path, path: str, method: str) -> None:
    """Every answer of both status routes has the dates, in the forms of RFC 9745 and RFC 8594."""
    async with serving(tmp_path, **FUTURE) as client:
        answer = await client.ask(method, path.format(await client.start()))
        assert answer.status in (200, 404, 405)
        assert answer.header("deprecation") == DEPRECATION
        assert answer.header("sunset") == SUNSET


async def test_304_announces_the_end(tmp_path: Path) -> None:
    """Who polls properly gets few answers but 304, and has to learn of it there."""
    async with serving(tmp_path, **FUTURE) as client:
        answer = await client.get(f"{API}/status/{await client.start()}", if_none_match="*")
        assert (answer.status, answer.header("sunset")) == (304, SUNSET)


async def test_other_routes_announce_nothing(tmp_path: Path) -> None:
    """The other routes announce no end, nor does a service without a sunset."""

    async def scenario(client: Client) -> None:
        for path in ("/", "/healthz", f"{API}/directories", f"{API}/report/x", f"{API}/statuses"):
            answer = await client.get(path)
            assert answer.header("deprecation") is answer.header("sunset") is None

    async with serving(tmp_path, **FUTURE) as client:
        await scenario(client)
    async with serving(tmp_path) as client:
        assert (await client.get(f"{API}/status")).header("sunset") is None


@pytest.mark.parametrize(
    ("path", "query"),
    [("status", b""), ("status/{}", b""), ("status/unknown", b""), ("status/{}", b"errors_after=0"),
     ("status/{}", b"wait=nan"), ("status/{}", b"wait=60")],
)  # fmt: skip
async def test_past_the_sunset_polling_is_gone(tmp_path: Path, path: str, query: bytes) -> None:
    """From that day on both routes are 410, whatever the id, and the stream goes on."""
    async with serving(tmp_path, polling_sunset="2025-01-01") as client:
        session_id = await client.start()
        answer = await client.get(f"{API}/{path.format(session_id)}", query)
        assert answer.status == answer.json["status"] == 410
        assert answer.header("sunset") == "Wed, 01 Jan 2025 00:00:00 GMT"
        assert (await client.finished(session_id))["status"] == "completed"
