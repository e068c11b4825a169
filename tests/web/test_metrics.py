"""GET metrics: read back by the Prometheus project's own parsers."""

from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain

from tests.support.client import API, Answer, Client, Gate, serving
from tests.support.running import run, settle
from web import lifecycle, metrics
from web.metrics import CLIENTS, DELAY_PERIOD


def samples(answer: Answer) -> dict[str, float]:
    """Return every sample by its name and labels, written as Prometheus does."""
    families: Any = plain(answer.body.decode())
    return {_name(sample): sample.value for family in families for sample in family.samples}


def _name(sample: Any) -> str:
    labels = ",".join(f'{name}="{value}"' for name, value in sample.labels.items())
    return f"{sample.name}{{{labels}}}" if labels else str(sample.name)


async def scrape(client: Client) -> dict[str, float]:
    answer = await client.get("/metrics")
    assert answer.status == 200
    return samples(answer)


def test_sessions_and_files_are_counted(tmp_path: Path) -> None:
    """Sessions stand under their status, files under their outcome, with their bytes."""

    async def scenario() -> None:
        gate = Gate()
        (tmp_path / "inbox").mkdir()
        (tmp_path / "inbox" / "bad.txt").touch()

        async def process(path: Path) -> dict[str, Any]:
            await gate.process(path)
            if path.name == "bad.txt":
                raise ValueError("bad")
            return {}

        async with serving(tmp_path, process) as client:
            stream = await client.stream(await client.start())
            while (await stream.snapshot())["status"] == "starting":
                pass
            assert (await scrape(client))['ingest_sessions{status="processing"}'] == 1
            gate.open()
            await stream.snapshots()
            await client.finished(await client.start(skip_existing=True))
            found = await scrape(client)
            assert found['ingest_sessions{status="processing"}'] == 0
            assert found['ingest_sessions_ended_total{status="completed"}'] == 2
            assert found['ingest_files_total{outcome="done"}'] == 3
            assert found['ingest_files_total{outcome="skipped"}'] == 3
            assert found['ingest_files_total{outcome="error"}'] == 2
            assert found["ingest_bytes_total"] == 3

    run(scenario())


async def test_streams_and_frames_are_counted_while_they_last(tmp_path: Path) -> None:
    """An open stream's frames count before it ends: some last an hour."""
    async with serving(tmp_path, Gate().process) as client:
        stream = await client.stream(await client.start())
        await stream.snapshot()
        await settle()
        found = await scrape(client)
        assert (found["ingest_streams"], found["ingest_streams_opened_total"]) == (1, 1)
        assert found["ingest_frames_sent_total"] >= 1
        assert found["ingest_frames_skipped_total"] >= 0
        await stream.leave()
        later = await scrape(client)
        assert later["ingest_streams"] == 0
        assert later["ingest_frames_sent_total"] >= found["ingest_frames_sent_total"]


async def test_lag_is_measured_for_each_frame(tmp_path: Path) -> None:
    """Every frame that was handed to streams is in the histogram, by what its snapshot says."""
    async with serving(tmp_path) as client:
        session_id = await client.start()
        await client.finished(session_id)
        etag = (await client.get(f"{API}/status/{session_id}")).header("etag") or ""
        published = int(etag.strip('"').rpartition("-")[2])
        found = await scrape(client)
        assert found["ingest_lag_seconds_count"] == published
        assert 0 <= found["ingest_lag_seconds_sum"] < 10 * published


async def test_polls_are_counted_by_kind_and_client(tmp_path: Path) -> None:
    """It can be seen who still polls, and for what; a 404 and a refusal are polls as well."""
    async with serving(tmp_path, polling_sunset="2020-01-01") as client:
        one = f"{API}/status/x"
        await client.get(one, user_agent="curl/8.5.0")
        await client.get(one, user_agent="curl/8.6.0")
        await client.get(one, b"wait=1", user_agent="python-requests/2.32")
        await client.get(one, b"errors_after=0")
        await client.get(f"{API}/status", user_agent='"\n<b>')
        found = await scrape(client)
        polls = {name: value for name, value in found.items() if "polls_total" in name}
        assert polls == {
            'ingest_polls_total{client="curl",kind="snapshot"}': 2,
            'ingest_polls_total{client="python-requests",kind="long poll"}': 1,
            'ingest_polls_total{client="unknown",kind="errors"}': 1,
            'ingest_polls_total{client="unknown",kind="list"}': 1,
        }


async def test_clients_cannot_make_series_without_end(tmp_path: Path) -> None:
    """A client that calls itself something else each time is `other` soon."""
    async with serving(tmp_path) as client:
        for n in range(3 * CLIENTS):
            await client.get(f"{API}/status", user_agent=f"client{n}")
        polls = [name for name in await scrape(client) if "polls_total" in name]
        assert len(polls) == CLIENTS + 1
        found = await scrape(client)
        assert found['ingest_polls_total{client="other",kind="list"}'] == 2 * CLIENTS


def test_delay_of_the_event_loop_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How late a timer comes is in the histogram, and the measuring ends with the service."""
    monkeypatch.setattr(metrics, "DELAY_PERIOD", 0.001)

    async def scenario() -> None:
        async with serving(tmp_path) as client:
            while (await scrape(client))["ingest_loop_delay_seconds_count"] < 2:
                await settle()
            kept = client.app._lifecycle.running
            assert kept is not None
            assert kept.metrics is not None
        assert kept.metrics._timer is None

    run(scenario())
    assert DELAY_PERIOD > metrics.DELAY_PERIOD


async def test_openmetrics_is_given_to_who_asks_for_it(tmp_path: Path) -> None:
    """The newer format is spoken as well, and its parser, which is strict, takes it."""
    async with serving(tmp_path) as client:
        wanted = "application/openmetrics-text; version=1.0.0"
        answer = await client.get("/metrics", accept=wanted)
        assert (answer.header("content-type") or "").startswith("application/openmetrics-text")
        families: Any = openmetrics(answer.body.decode())  # type: ignore[no-untyped-call]
        names = {family.name for family in families}
        assert {"ingest_sessions", "ingest_files", "ingest_lag_seconds"} <= names
        assert (await client.ask("HEAD", "/metrics")).body == b""


async def test_two_applications_do_not_share_counts(tmp_path: Path) -> None:
    """What one counts is nothing to another in the same process."""
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
    async with serving(tmp_path / "one") as one, serving(tmp_path / "two") as two:
        await one.finished(await one.start())
        assert (await scrape(one))['ingest_files_total{outcome="done"}'] == 3
        assert (await scrape(two))['ingest_files_total{outcome="done"}'] == 0


async def test_metrics_need_the_token(tmp_path: Path) -> None:
    """Names of clients and numbers of files are for those alone who may see the rest."""
    async with serving(tmp_path, token="secret") as client:
        assert (await client.get("/metrics")).status == 401
        assert (await client.get("/metrics", authorization="Bearer secret")).status == 200


async def test_without_the_extra_there_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service runs without the extra, measures nothing, and says what to install."""
    monkeypatch.setattr(lifecycle, "has_metrics", lambda: False)

    async with serving(tmp_path) as client:
        await client.finished(await client.start())
        assert (await client.get(f"{API}/status")).status == 200
        answer = await client.get("/metrics")
        assert answer.status == 404
        assert "install the extra" in answer.json["detail"]
        assert client.app._lifecycle.running is not None
        assert client.app._lifecycle.running.sessions._delivered is None  # type: ignore[attr-defined]
