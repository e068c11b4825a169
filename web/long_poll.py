"""The way before streams: asking for a snapshot, and being kept waiting for the next one."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime

from ingest.settings import Settings
from sse import Channel, Frame
from sse.types import Headers
from web.errors import GoneError, UnprocessableError
from web.request import Request
from web.response import Response, json

WAIT_LIMIT = 60.0
"""Seconds that a request is held at most: proxies give up on a silent upstream at about that."""


class FrameWaiter:
    """Waits for frames of a channel newer than the one it has; every follower of its own."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._woken = asyncio.Event()
        channel.subscribe(self)

    def notify(self) -> None:
        self._woken.set()

    async def wait(self) -> None:
        """Return at the next frame or at the close, at once if there was one since the last."""
        await self._woken.wait()
        self._woken.clear()

    def close(self) -> None:
        """Follow no longer."""
        self._channel.unsubscribe(self)


class LongPoll:
    """The status route's waiting, and its end."""

    def __init__(self, settings: Settings, stopping: asyncio.Event) -> None:
        self._sunset = settings.polling_sunset
        self.headers = _announcement(settings)
        self._followers: set[FrameWaiter] = set()
        self._stopping = stopping

    def wake(self) -> None:
        """Wake all followers; once the flag is set, none of them waits again."""
        for follower in self._followers:
            follower.notify()

    def check_sunset(self, now: datetime) -> None:
        """
        Reject polling after its sunset.

        Raises:
            GoneError: it has.
        """
        if self._sunset is not None and now >= self._sunset:
            raise GoneError(f"polling ended on {self._sunset:%Y-%m-%d}; use the stream")

    @contextmanager
    def following(self, channel: Channel) -> Iterator[FrameWaiter]:
        """Follow a channel, to be woken at its next frame, at its close and at `stop`."""
        follower = FrameWaiter(channel)
        self._followers.add(follower)
        try:
            yield follower
        finally:
            self._followers.discard(follower)
            follower.close()

    async def status(self, request: Request, channel: Channel, wait: float) -> Response:
        """Return the newest snapshot; hold a "not modified" response for up to `wait` seconds."""
        if wait and self._may_wait(request, channel):
            await self._wait(request, channel, wait)
        frame = _newest(channel)
        headers = [(b"etag", _etag(frame).encode()), (b"cache-control", b"no-cache")]
        if request.has(_etag(frame)):
            return Response(304, headers=headers)
        response = json(frame.data)
        response.headers = [(b"content-type", b"application/json"), *headers]
        return response

    def _may_wait(self, request: Request, channel: Channel) -> bool:
        return not (channel.closed or self.stopping) and request.has(_etag(_newest(channel)))

    async def _wait(self, request: Request, channel: Channel, wait: float) -> None:
        changed = asyncio.create_task(self._until_changed(request, channel))
        gone = asyncio.create_task(request.disconnected())
        try:
            await asyncio.wait([changed, gone], timeout=wait, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (changed, gone):
                task.cancel()
            await asyncio.wait([changed, gone])

    async def _until_changed(self, request: Request, channel: Channel) -> None:
        with self.following(channel) as follower:
            while self._may_wait(request, channel):
                await follower.wait()

    @property
    def stopping(self) -> bool:
        """Whether the service shuts down, so that no request waits."""
        return self._stopping.is_set()


def wait_seconds(query: Mapping[str, str]) -> float:
    """
    Read `wait` from a query.

    Raises:
        UnprocessableError: it is not a number of seconds.
    """
    text = query.get("wait", "0")
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not seconds >= 0:
        raise UnprocessableError(
            "a parameter is wrong",
            fields={"wait": f"{text!r}; it has to be a number of seconds, {WAIT_LIMIT:g} at most"},
        )
    return min(seconds, WAIT_LIMIT)


def _announcement(settings: Settings) -> Headers:
    """Return the headers that announce the end of polling: RFC 9745 and RFC 8594."""
    headers: Headers = []
    if settings.polling_deprecated is not None:
        headers.append(
            (b"deprecation", f"@{int(settings.polling_deprecated.timestamp())}".encode())
        )
    if settings.polling_sunset is not None:
        sunset = format_datetime(settings.polling_sunset.astimezone(UTC), usegmt=True)
        headers.append((b"sunset", sunset.encode()))
    return headers


def _newest(channel: Channel) -> Frame:
    assert channel.newest is not None  # a channel is made by its first frame
    return channel.newest


def _etag(frame: Frame) -> str:
    return f'"{frame.id}"'
