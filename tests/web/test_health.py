"""GET healthz: for those who decide whether requests are sent here."""

from pathlib import Path

from tests.web.client import Gate, run, serving


def test_health_is_answered_without_a_token(tmp_path: Path) -> None:
    """A balancer knows no token; it is told how much goes on."""

    async def scenario() -> None:
        async with serving(tmp_path, Gate().process, token="secret") as client:
            answer = await client.get("/healthz")
            assert (answer.status, answer.json["status"]) == (200, "ok")
            assert answer.header("cache-control") == "no-store"

    run(scenario())


def test_health_counts_sessions_and_streams(tmp_path: Path) -> None:
    """What runs and who watches is counted as it is now."""

    async def scenario() -> None:
        async with serving(tmp_path, Gate().process) as client:
            stream = await client.stream(await client.start())
            health = (await client.get("/healthz")).json
            assert health == {"status": "ok", "sessions": 1, "streams": 1}
            await stream.leave()
            assert (await client.get("/healthz")).json["streams"] == 0

    run(scenario())


def test_health_is_503_while_shutting_down(tmp_path: Path) -> None:
    """From the drain on no more requests are to be sent here, and nothing new is started."""

    async def scenario() -> None:
        async with serving(tmp_path) as client:
            await client.app.drain()
            assert (await client.get("/healthz")).status == 503
            refused = await client.process()
            assert (refused.status, refused.header("retry-after")) == (503, "5")

    run(scenario())
