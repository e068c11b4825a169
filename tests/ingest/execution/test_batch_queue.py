"""The queue of a session's files: sizes of batches, what returns, what runs alone."""

import pytest

from ingest.execution.batch import BatchFile, BatchResult
from ingest.execution.batch_queue import FIRST_BATCH, TRIES, BatchQueue
from tests.support.inline_backend import InlineBackend


class RoomyBackend(InlineBackend):
    """A backend whose batches may be as large as the service's own."""

    batch_files = 256


def queue_of(files: int) -> BatchQueue:
    queue = BatchQueue(RoomyBackend(lambda _: None))
    queue.extend(BatchFile(n, b"%d" % n) for n in range(1, files + 1))
    return queue


def numbers(batch: list[BatchFile]) -> list[int]:
    return [file.n for file in batch]


@pytest.mark.parametrize(("seconds", "expected"), [(0.001, 2 * FIRST_BATCH), (1.0, FIRST_BATCH)])
def test_batches_grow_while_they_are_quick(seconds: float, expected: int) -> None:
    queue = queue_of(100)
    queue.take_result(queue.next_batch(), BatchResult(finished=FIRST_BATCH, seconds=seconds))
    assert len(queue.next_batch()) == expected


def test_files_that_were_not_begun_come_first_in_the_next_batch() -> None:
    """A batch that ran out of time shrinks the next one to what it managed."""
    queue = queue_of(100)
    queue.take_result(queue.next_batch(), BatchResult(finished=2, seconds=1.0))
    assert numbers(queue.next_batch()) == [3, 4]


def test_files_of_a_lost_batch_run_alone_before_the_others() -> None:
    """The file that caused the loss is found; one that was alone is not queued again."""
    queue = queue_of(10)
    assert queue.run_alone(queue.next_batch())
    alone = queue.next_batch()
    assert numbers(alone) == [1]
    assert not queue.run_alone(alone)
    assert len(queue) == 9


def test_file_is_proved_to_fail_by_several_losses() -> None:
    """A loss whose cause may be outside of the file is repeated; the last try is announced."""
    queue = queue_of(1)
    for tries in range(1, TRIES):
        assert not queue.is_last_try
        assert queue.run_alone(queue.next_batch(), may_pass=True), tries
    assert queue.is_last_try
    assert not queue.run_alone(queue.next_batch(), may_pass=True)


def test_file_that_times_out_alone_is_not_tried_again() -> None:
    """Its own time was used up, which says enough of it."""
    queue = queue_of(1)
    assert queue.run_alone(queue.next_batch(), may_pass=True)
    assert not queue.run_alone(queue.next_batch(), may_pass=False)


def test_all_files_can_be_taken_back() -> None:
    queue = queue_of(10)
    queue.run_alone(queue.next_batch())
    assert sorted(numbers(queue.take_all())) == list(range(1, 11))
    assert not queue
