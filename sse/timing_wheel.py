"""A timing wheel: items sorted by the time at which each is due. Pure: no clock."""

from collections.abc import Hashable
from typing import Generic, TypeVar

Item = TypeVar("Item", bound=Hashable)


class TimingWheel(Generic[Item]):
    """
    Keeps items in slots of `step` seconds.

    One timer that calls `take` serves any number of items, and an item costs nothing until it is
    due. `put`, `remove` and `take` need constant time for each item. An item is never taken before
    it is due, and at most one `step` late if `take` is called once in each step.
    """

    __slots__ = ("_slot_of", "_slots", "_step")

    def __init__(self, step: float) -> None:
        self._step = step
        self._slots: dict[int, dict[Item, None]] = {}
        self._slot_of: dict[Item, int] = {}

    def __len__(self) -> int:
        return len(self._slot_of)

    def put(self, item: Item, due: float) -> None:
        """Add `item`, due at `due` seconds; this replaces an earlier time of the same item."""
        self.remove(item)
        slot = int(due / self._step) + 1
        self._slot_of[item] = slot
        self._slots.setdefault(slot, {})[item] = None

    def remove(self, item: Item) -> None:
        """Remove `item` if it is there."""
        slot = self._slot_of.pop(item, None)
        if slot is not None:
            items = self._slots[slot]
            del items[item]
            if not items:
                del self._slots[slot]

    def take(self, now: float) -> list[Item]:
        """Remove all items that are due at `now` and return them, the earliest first."""
        current = int(now / self._step)
        taken: list[Item] = []
        for slot in sorted(slot for slot in self._slots if slot <= current):
            taken += self._slots.pop(slot)
        for item in taken:
            del self._slot_of[item]
        return taken
