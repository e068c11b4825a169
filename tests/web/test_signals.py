"""SIGTERM and SIGINT are heard before the server waits for its connections."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.client import Client, Gate, make_app
from tests.support.running import run
from web.signals import SIGNALS, SignalChain


@pytest.fixture(autouse=True)
def heard() -> Iterator[list[int]]:
    """Stand in for the server: note what reaches its handlers."""
    noted: list[int] = []
    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number in SIGNALS:
        signal.signal(number, lambda number, _: noted.append(number))
    yield noted
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
async def test_signal_ends_the_streams(tmp_path: Path, number: int, heard: list[int]) -> None:
    """A signal ends every stream before the server's own handler has done anything about it."""
    async with make_app(tmp_path, Gate().process).lifespan() as app:
        client = Client(app)
        stream = await client.stream(await client.start())
        os.kill(os.getpid(), number)
        assert await stream.snapshots()
        assert (await client.get("/healthz")).status == 503
        assert heard == [number]


def test_handlers_are_put_back(tmp_path: Path) -> None:
    """After the end a signal is the server's alone again."""
    before = [signal.getsignal(number) for number in SIGNALS]

    async def scenario() -> None:
        async with make_app(tmp_path).lifespan():
            assert [signal.getsignal(number) for number in SIGNALS] != before

    run(scenario())
    assert [signal.getsignal(number) for number in SIGNALS] == before


@pytest.mark.parametrize("first_to_go", [0, 1])
def test_chains_may_end_in_any_order(heard: list[int], first_to_go: int) -> None:
    """Of two applications either may end first: a signal reaches the other, and the server."""
    server = signal.getsignal(signal.SIGTERM)
    noted: list[str] = []
    chains = [SignalChain(lambda: noted.append("a")), SignalChain(lambda: noted.append("b"))]
    for chain in chains:
        chain.install()
    chains[first_to_go].remove()
    os.kill(os.getpid(), signal.SIGTERM)
    assert heard == [signal.SIGTERM]
    assert "ab"[1 - first_to_go] in noted
    chains[first_to_go].install()
    os.kill(os.getpid(), signal.SIGTERM)
    assert heard == [signal.SIGTERM] * 2
    assert sorted(noted[-2:]) == ["a", "b"]
    for chain in (*chains, *chains):
        chain.remove()
    assert signal.getsignal(signal.SIGTERM) == server


def test_handler_set_since_is_left(heard: list[int]) -> None:
    """A handler that somebody else has set in the meantime stays where it is."""
    chain = SignalChain(lambda: None)
    chain.install()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    chain.remove()
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
    chain.install()
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN


def test_default_action_is_left() -> None:
    """Where no Python handler stands none is set: what the signal did by default would be lost."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    SignalChain(lambda: None).install()
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_other_threads_set_nothing(tmp_path: Path) -> None:
    """In a thread, where handlers cannot be set, the service runs without."""
    before = signal.getsignal(signal.SIGTERM)
    statuses: list[int] = []

    async def scenario() -> None:
        async with make_app(tmp_path).lifespan() as app:
            assert signal.getsignal(signal.SIGTERM) == before
            statuses.append((await Client(app).get("/healthz")).status)

    thread = threading.Thread(target=lambda: run(scenario()))
    thread.start()
    thread.join()
    assert statuses == [200]
