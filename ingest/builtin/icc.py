"""The name of a colour profile (ICC.1)."""

from ingest.builtin.clean_text import clean_text

_MAX_TAGS = 100
_MAX_NAME = 200


def profile_name(profile: bytes) -> str:
    """Return the description of a profile; empty if there is none."""
    count = min(int.from_bytes(profile[128:132], "big"), _MAX_TAGS)
    for at in range(132, 132 + 12 * count, 12):
        if profile[at : at + 4] == b"desc":
            start = int.from_bytes(profile[at + 4 : at + 8], "big")
            length = int.from_bytes(profile[at + 8 : at + 12], "big")
            return _text(profile[start : start + length])
    return ""


def _text(tag: bytes) -> str:
    if tag.startswith(b"desc"):
        length = int.from_bytes(tag[8:12], "big")
        return clean_text(tag[12 : 12 + length], _MAX_NAME)
    if tag.startswith(b"mluc"):  # texts in several languages, of which the first is taken
        length = int.from_bytes(tag[20:24], "big")
        start = int.from_bytes(tag[24:28], "big")
        return clean_text(tag[start : start + length].decode("utf-16-be", "replace"), _MAX_NAME)
    return ""
