"""A client that leaves, a server that cancels, callables that fail: nothing is left."""

import asyncio

import pytest

from sse.channel import Channel
from sse.direct import DirectStream
from sse.stream import TaskStream
from sse.types import Message
from tests.support.asgi import Client, UvicornClient
from tests.support.running import run, settle
from tests.support.streams import Kind, Opened, both, failing, frame, opened, with_ends


@both
async def test_idle_client_that_leaves_is_forgotten_with_no_event_sent(kind: Kind) -> None:
    """A client that goes away is forgotten at once, not at the next event."""
    it = await opened(kind)
    await it.leave()
    it.publish("1")
    await settle()
    assert it.client.data == ["0"]


@both
async def test_client_that_leaves_while_stalled_leaves_no_task(kind: Kind) -> None:
    """A `send` that is suspended when its client goes is not waited for."""
    client = Client()
    it = await opened(kind, client=client)
    client.stall()
    it.publish("1")
    await settle()
    client._gone.set()  # and `send` is not told, as on a server that forgets to
    await it.gone()
    assert client.interrupted == 1


@both
async def test_client_that_leaves_in_the_moment_it_stalls_leaves_no_task(kind: Kind) -> None:
    """The task that a suspended `send` was handed to is cancelled before its first step."""
    client = Client()
    it = await opened(kind, client=client)
    client.stall()
    client._gone.set()
    await asyncio.sleep(0)
    it.publish("1")
    await it.gone()
    assert client.waiting == 0


@both
async def test_three_hundred_clients_come_and_go(kind: Kind) -> None:
    """After 300 aborts, of idle and of stalled clients, no task and no subscriber is left."""
    channel = Channel(frame("0"))
    before = asyncio.all_tasks()
    for number in range(300):
        it = Opened(kind, channel=channel)
        for _ in range(number % 7):
            await asyncio.sleep(0)
        if number % 3 == 0:
            it.client.stall()
        channel.publish(frame(str(number)))
        for _ in range(number % 5):
            await asyncio.sleep(0)
        it.client.leave()
        await it.gone()
    assert asyncio.all_tasks() == before
    assert channel.statistics().subscribers == 0


@both
@pytest.mark.parametrize("state", ["not begun", "at the headers", "idle", "stalled", "ending"])
async def test_cancelled_stream_leaves_nothing(kind: Kind, state: str) -> None:
    """A server that gives up at its shutdown cancels the request, in whatever state it is."""
    it = Opened(kind, client=Client())
    if state == "at the headers":
        it.client.stall()
    if state != "not begun":
        await settle()
    if state in {"stalled", "ending"}:
        it.client.stall()
        it.publish("1")
        await settle()
    if state == "ending":
        it.stream.end()
    it.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await it.task
    await settle()
    assert it.channel.statistics().subscribers == 0
    assert it.client.waiting == 0
    it.publish("2")
    assert not it.client.complete


@both
async def test_failure_to_receive_ends_the_stream(kind: Kind) -> None:
    """A `receive` that raises is the server's error to see; a deaf stream would never end."""
    failed = asyncio.Event()

    async def receive() -> Message:
        await failed.wait()
        raise OSError("lost")

    client = Client()
    it = await opened(kind, client=with_ends(client, receive=receive))
    client.stall()
    it.publish("1")
    await settle()
    failed.set()
    with pytest.raises(OSError, match="lost"):
        await it.task
    await settle()
    assert client.waiting == 0
    assert it.channel.statistics().subscribers == 0


@both
def test_messages_of_the_request_are_passed_over(kind: Kind) -> None:
    """A request with a body, or a server that gives an empty one, is followed to its end."""

    async def test() -> None:
        client = Client()
        messages = [{"type": "http.request", "more_body": more} for more in (True, False)]

        async def receive() -> Message:
            return messages.pop() if messages else await Client.receive(client)

        it = await opened(kind, client=with_ends(client, receive=receive))
        it.publish("1")
        await settle()
        assert client.data == ["0", "1"]
        await it.leave()

    run(test())


@pytest.mark.parametrize("suspends", [False, True])
@pytest.mark.parametrize("error", [OSError, TimeoutError, RuntimeError])
def test_direct_send_that_fails_costs_the_others_nothing(
    suspends: bool, error: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    """A `send` that raises, in its first step or later, is logged, and ends that stream alone."""

    async def test() -> None:
        channel = Channel(frame("0"))
        broken = UvicornClient()
        others = [await opened(DirectStream, channel=channel)]
        it = await opened(DirectStream, channel=channel, client=failing(broken, error, suspends))
        others.append(await opened(DirectStream, channel=channel))
        channel.publish(frame("1"))
        await it.gone()
        assert broken.transport.aborted
        assert [other.client.data for other in others] == [["0", "1"]] * 2
        for other in others:
            await other.leave()

    run(test())
    assert "send failed" in caplog.text
    assert error.__name__ in caplog.text


@pytest.mark.parametrize("suspends", [False, True])
@pytest.mark.parametrize("error", [OSError, TimeoutError, RuntimeError])
async def test_failure_to_send_is_raised_in_the_streams_own_task(
    suspends: bool, error: type[Exception]
) -> None:
    """The server, or the middleware that failed, sees the error; a time-out of its own too."""
    client = Client()
    it = await opened(TaskStream, client=failing(client, error, suspends))
    it.publish("1")
    with pytest.raises(error, match="broken"):
        await it.task
    await settle()
    assert it.channel.statistics().subscribers == 0


@both
async def test_failure_to_send_the_headers_is_raised(kind: Kind) -> None:
    """What fails before the response began can still be answered with an error."""

    async def send(message: Message) -> None:
        raise RuntimeError("broken")

    it = Opened(kind, client=with_ends(Client(), send=send))
    with pytest.raises(RuntimeError, match="broken"):
        await it.task
    assert it.channel.statistics().subscribers == 0


async def test_work_after_the_last_message_is_not_cut_short() -> None:
    """
    A wrapper that does something once the response is complete can finish it.

    The server sends http.disconnect then; treating that as a client that left would cancel the
    wrapper and abort the connection with the last frame still in its buffer.
    """
    client = UvicornClient()
    written, finished = asyncio.Event(), []

    async def send(message: Message) -> None:
        await Client.send(client, message)
        if client.complete:
            await written.wait()
            finished.append(message)

    it = await opened(TaskStream, client=with_ends(client, send=send))
    it.channel.publish(frame("1"), last=True)
    await settle()
    assert not it.task.done()
    written.set()
    await it.gone()
    assert client.data == ["0", "1"]
    assert len(finished) == 1
    assert not client.transport.aborted
