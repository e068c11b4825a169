"""The publisher: which changes become frames, and when, by a clock that the test moves."""

import asyncio

import orjson
import pytest

from ingest.progress import Moment
from ingest.publisher import EncodedSnapshot, SnapshotPublisher
from ingest.session import Session, Status
from tests.support.moments import at

pytestmark = pytest.mark.skips_waiting


class Published:
    """A session of which every change is published, and the frames that came of it."""

    def __init__(self, min_interval: float) -> None:
        self.frames: list[tuple[float, int, str, bool, float]] = []
        self.session = Session("s", 1000.0)
        self.publisher = SnapshotPublisher(
            self.session, self._publish, run_id="L", min_interval=min_interval, clock=self._now
        )

    def change(self) -> None:
        self.session.found(1, 5, self._now())
        self.publisher.changed()

    async def end(self) -> None:
        self.session.finish(Status.COMPLETED, self._now())
        await self.publisher.publish_final(self.publisher.final())

    @property
    def moments(self) -> list[tuple[float, int]]:
        """When each frame came, and how many files it told of."""
        return [(round(moment, 3), total) for moment, total, *_ in self.frames]

    def _now(self) -> Moment:
        return at(asyncio.get_running_loop().time())

    def _publish(self, session_id: str, encoded: EncodedSnapshot, *, last: bool) -> None:
        frame = orjson.loads(encoded.json)
        moment, changed_at = self._now().wall - 1000, frame["changed_at"] / 1000
        self.frames.append((moment, frame["total_files"], encoded.event_id, last, changed_at))


async def test_first_change_goes_at_once_and_others_at_the_interval() -> None:
    """Of changes every 1/64 s there is a frame each 1/16 s, with the newest state and the last."""
    published = Published(1 / 16)
    for _ in range(11):
        published.change()
        await asyncio.sleep(1 / 64)
    await asyncio.sleep(1)
    assert [moment * 16 for moment, *_ in published.frames] == [0, 1, 2, 3]
    assert published.frames[-1][1] == 11


async def test_change_after_silence_goes_at_once() -> None:
    """The interval counts from the frame before, not from the change."""
    published = Published(0.05)
    published.change()
    await asyncio.sleep(0.051)
    published.change()
    assert published.moments == [(0.0, 1), (0.051, 2)]


async def test_interval_of_zero_announces_every_change() -> None:
    """Also those at one moment."""
    published = Published(0.0)
    for _ in range(3):
        published.change()
    await published.end()
    assert [total for _, total in published.moments] == [1, 2, 3, 3]


async def test_frame_tells_its_earliest_change() -> None:
    """A person's lag counts the time for which the change was held back."""
    published = Published(0.05)
    published.change()
    await asyncio.sleep(0.01)
    published.change()
    await asyncio.sleep(0.01)
    published.change()
    await asyncio.sleep(0.1)
    changed_at = [round(frame[4] - 1000, 3) for frame in published.frames]
    assert changed_at == [0.0, 0.01]


@pytest.mark.parametrize(("at", "expected"), [(0.0, 0.05), (0.03, 0.05), (0.2, 0.2)])
async def test_last_frame_comes_in_its_turn_alone_and_marked(at: float, expected: float) -> None:
    """What waits for its turn is dropped for it: the end holds all, and nothing follows."""
    published = Published(0.05)
    published.change()
    published.change()
    if at >= 0.05:
        published.publisher.stop()
    await asyncio.sleep(at)
    await published.end()
    await asyncio.sleep(1)
    assert published.moments == [(0.0, 1), (expected, 2)]
    assert [last for *_, last, _ in published.frames] == [False, True]


async def test_stopped_publisher_says_no_more() -> None:
    """A session that is interrupted leaves no timer behind."""
    published = Published(0.05)
    published.change()
    published.change()
    published.publisher.stop()
    await asyncio.sleep(1)
    assert published.moments == [(0.0, 1)]


async def test_event_ids_differ_and_bear_the_servers_life() -> None:
    """Each frame has an id of its own, which no other life of the server gives."""
    published = Published(0.0)
    published.change()
    published.change()
    await published.end()
    ids = [event_id for _, _, event_id, *_ in published.frames]
    assert len(set(ids)) == 3
    assert all(event_id.startswith("L-") for event_id in ids)


async def test_line_separators_are_escaped_where_the_json_is_made() -> None:
    """Readers that split lines at U+0085, U+2028 or U+2029 get one line, with the same value."""
    session = Session("s", 1000.0)
    session.begun("a\u0085b\u2028c\u2029d\u00e9", at(1000.0))
    publisher = SnapshotPublisher(session, lambda *_, **__: None, run_id="L", min_interval=0.0)
    encoded = publisher.final()
    assert len(encoded.json.decode().splitlines()) == 1
    assert orjson.loads(encoded.json) == encoded.snapshot


async def test_time_that_passes_is_published_only_if_it_shows() -> None:
    """While nothing lands the rate falls, which is news; of a session that has none it is not."""
    published = Published(0.0)
    published.change()
    published.publisher.tick()
    assert len(published.frames) == 1
    published.session.begin_processing(at(1000.0))
    published.session.record(done=1, skipped=0, errors=[], counters={}, last="a", now=at(1000.0))
    published.publisher.changed()
    for _ in range(3):
        await asyncio.sleep(1)
        published.publisher.tick()
    assert len(published.frames) == 5
