"""The wheel: each item is taken when its moment has come, once, and at no other."""

from sse.timing_wheel import TimingWheel


def test_item_is_taken_once_its_moment_is_past() -> None:
    """Not before it, and by less than a step after it."""
    wheel = TimingWheel[str](0.25)
    wheel.put("a", 10.1)
    assert wheel.take(10.0) == wheel.take(10.1) == []
    assert wheel.take(10.1 + 0.25) == ["a"]
    assert wheel.take(99) == []
    assert len(wheel) == 0


def test_all_that_is_due_is_taken_the_earliest_first() -> None:
    """A timer that comes late, after a busy second say, misses nothing."""
    wheel = TimingWheel[str](1.0)
    for name, due in (("c", 7.0), ("a", 5.0), ("b", 6.0), ("d", 100.0)):
        wheel.put(name, due)
    assert wheel.take(8.0) == ["a", "b", "c"]
    assert len(wheel) == 1


def test_later_moment_takes_the_place_of_the_earlier() -> None:
    """An item is kept once."""
    wheel = TimingWheel[str](1.0)
    wheel.put("a", 5.0)
    wheel.put("a", 9.0)
    assert (len(wheel), wheel.take(8.0)) == (1, [])
    assert wheel.take(10.0) == ["a"]


def test_item_that_is_removed_leaves_nothing() -> None:
    """Nor does one that was never put in; a slot goes with its last item."""
    wheel = TimingWheel[str](1.0)
    wheel.put("a", 5.0)
    wheel.remove("a")
    wheel.remove("b")
    assert (len(wheel), wheel._slots) == (0, {})
    assert wheel.take(9.0) == []
