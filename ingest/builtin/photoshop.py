"""The resources that Photoshop stores in a JPEG, TIFF or PSD, for the IPTC block among them."""

_IPTC = 0x0404


def iptc_of_resources(data: bytes) -> bytes:
    """Return the IPTC block of Photoshop's image resources; empty if there is none."""
    at = 0
    while data[at : at + 4] in (b"8BIM", b"MeSa", b"AgHg", b"PHUT", b"DCSR"):
        number = int.from_bytes(data[at + 4 : at + 6], "big")
        name = 1 + (data[at + 6] if at + 6 < len(data) else 0)
        at += 6 + name + name % 2
        length = int.from_bytes(data[at : at + 4], "big")
        at += 4
        if number == _IPTC:
            return data[at : at + length]
        at += length + length % 2
    return b""
