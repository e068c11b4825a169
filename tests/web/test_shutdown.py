"""At a shutdown only own connections are aborted, and only those whose clients do not read."""

import asyncio

import pytest

from ingest import Settings
from sse import StreamRegistry
from tests.support.asgi import UvicornClient
from web.long_poll import LongPoll
from web.request import Request
from web.shutdown import FIRST_PRUNING, GRACE_SECONDS, Shutdown

pytestmark = pytest.mark.skips_waiting

LOOK = GRACE_SECONDS * 1.01
"""Seconds after which the next look has taken place."""


def make() -> Shutdown:
    stopping = asyncio.Event()
    return Shutdown(stopping, StreamRegistry(), LongPoll(Settings(), stopping))


def own(client: UvicornClient) -> Request:
    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    return Request(scope, client.receive, client.send)


async def test_stalled_response_is_aborted() -> None:
    """A response that waits for a client which reads nothing is aborted after the grace period."""
    shutdown, client = make(), UvicornClient()
    request = own(client)
    request.waits_for_client = True
    client.transport.buffered = 100
    shutdown.add(request)
    shutdown.begin()
    await asyncio.sleep(LOOK)
    assert client.transport.aborted
    shutdown.remove(request)


async def test_response_whose_client_reads_is_left() -> None:
    """A client that reads between all looks keeps its response, however full the buffer is."""
    shutdown, client = make(), UvicornClient()
    request = own(client)
    request.waits_for_client = True
    client.transport.buffered = 100
    shutdown.add(request)
    shutdown.begin()
    for _ in range(5):
        request.transferred += 10
        await asyncio.sleep(LOOK)
        assert not client.transport.aborted
    await asyncio.sleep(LOOK)
    assert client.transport.aborted
    shutdown.remove(request)


async def test_download_is_aborted_though_its_client_reads() -> None:
    """A report may take minutes, so a shutdown ends it with the grace period."""
    shutdown, client = make(), UvicornClient()
    request = own(client)
    request.is_download = True
    shutdown.add(request)
    shutdown.begin()
    request.transferred += 10
    await asyncio.sleep(LOOK)
    assert client.transport.aborted
    shutdown.remove(request)


async def test_request_that_waits_for_the_service_is_left() -> None:
    """A request whose client owes nothing is not aborted, however long it takes to answer."""
    shutdown, client = make(), UvicornClient()
    request = own(client)
    shutdown.add(request)
    shutdown.begin()
    await asyncio.sleep(5 * LOOK)
    assert not client.transport.aborted
    shutdown.remove(request)


async def test_complete_response_stays_tracked_until_it_is_sent() -> None:
    """A complete response of which the server still holds bytes is aborted if nobody reads it."""
    shutdown = make()
    stalled, reading, drained = (UvicornClient() for _ in range(3))
    for client in (stalled, reading, drained):
        client.transport.buffered = 100
        request = own(client)
        shutdown.add(request)
        shutdown.remove(request)
    drained.transport.buffered = 0
    shutdown.begin()
    reading.transport.buffered = 50
    await asyncio.sleep(LOOK)
    assert [c.transport.aborted for c in (stalled, reading, drained)] == [True, False, False]
    reading.transport.buffered = 0
    await asyncio.sleep(LOOK)
    assert not reading.transport.aborted


async def test_connection_that_went_on_to_the_host_is_left() -> None:
    """Bytes behind a later request on the connection belong to that one, so they are not judged."""
    shutdown, client = make(), UvicornClient()
    client.transport.buffered = 100
    request = own(client)
    shutdown.add(request)
    shutdown.remove(request)
    client.transport.protocol.cycle = UvicornClient()
    shutdown.begin()
    await asyncio.sleep(5 * LOOK)
    assert not client.transport.aborted


async def test_request_that_stalls_later_is_aborted_later() -> None:
    """A request that arrives after the notification has a grace period of its own."""
    shutdown, client = make(), UvicornClient()
    shutdown.begin()
    await asyncio.sleep(LOOK)
    request = own(client)
    request.waits_for_client = True
    shutdown.add(request)
    await asyncio.sleep(LOOK)
    assert not client.transport.aborted
    await asyncio.sleep(LOOK)
    assert client.transport.aborted
    shutdown.remove(request)


async def test_sent_responses_are_forgotten() -> None:
    """Tracking needs no memory for responses that have been sent in the meantime."""
    shutdown = make()
    for _ in range(10 * FIRST_PRUNING):
        client = UvicornClient()
        client.transport.buffered = 1
        request = own(client)
        shutdown.add(request)
        shutdown.remove(request)
        client.transport.buffered = 0
    assert len(shutdown._unsent) <= FIRST_PRUNING
