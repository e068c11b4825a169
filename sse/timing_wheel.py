"""A timing wheel: things by the moment at which each is to be looked at. Pure: no clock."""

from collections.abc import Hashable
from typing import Generic, TypeVar

Item = TypeVar("Item", bound=Hashable)


class TimingWheel(Generic[Item]):
    """
    Keeps items in slots of `step` seconds.

    One timer that takes what is due serves any number of items, and each costs something only
    when its moment has come. Putting, removing and taking an item are constant in time. What is
    taken is due, and has been for less than `step` where it is asked for that often.
    """

    __slots__ = ("_slot_of", "_slots", "_step")

    def __init__(self, step: float) -> None:
        self._step = step
        self._slots: dict[int, dict[Item, None]] = {}
        self._slot_of: dict[Item, int] = {}

    def __len__(self) -> int:
        return len(self._slot_of)

    def put(self, item: Item, due: float) -> None:
        """Have `item` taken once `due`, in seconds, is past; an earlier moment of its is void."""
        self.remove(item)
        slot = int(due / self._step) + 1
        self._slot_of[item] = slot
        self._slots.setdefault(slot, {})[item] = None

    def remove(self, item: Item) -> None:
        """Forget `item`; one that is not kept is no error."""
        slot = self._slot_of.pop(item, None)
        if slot is not None:
            items = self._slots[slot]
            del items[item]
            if not items:
                del self._slots[slot]

    def take(self, now: float) -> list[Item]:
        """Give all items that are due at `now`, the earliest first, and keep them no longer."""
        current = int(now / self._step)
        taken: list[Item] = []
        for slot in sorted(slot for slot in self._slots if slot <= current):
            taken += self._slots.pop(slot)
        for item in taken:
            del self._slot_of[item]
        return taken
