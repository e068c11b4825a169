"""The size in the header of a JPEG XL codestream (ISO/IEC 18181-1)."""

_RATIOS = ((0, 1), (1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
"""Width to height, for each value of the header's ratio."""

_LENGTHS = (9, 13, 18, 30)


class _Bits:
    """Reads numbers from their lowest bit on."""

    def __init__(self, data: bytes) -> None:
        self._bits = int.from_bytes(data, "little")

    def take(self, count: int) -> int:
        value = self._bits & ((1 << count) - 1)
        self._bits >>= count
        return value


def codestream_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height of a codestream, as stored; None if it is not one."""
    if not data.startswith(b"\xff\x0a") or len(data) < 12:
        return None
    bits = _Bits(data[2:12])
    is_small = bits.take(1)

    def length() -> int:
        return 8 * (1 + bits.take(5)) if is_small else 1 + bits.take(_LENGTHS[bits.take(2)])

    height = length()
    ratio = bits.take(3)
    if ratio == 0:
        return length(), height
    above, below = _RATIOS[ratio]
    return height * above // below, height
