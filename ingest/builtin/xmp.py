"""The properties of an XMP packet that are recorded."""

from collections.abc import Mapping
from types import MappingProxyType

from ingest.builtin.clean_text import split_keywords
from ingest.builtin.xml_values import Values, xml_values

_DC = "http://purl.org/dc/elements/1.1/ "
_PHOTOSHOP = "http://ns.adobe.com/photoshop/1.0/ "
_XMP = "http://ns.adobe.com/xap/1.0/ "
_EXIF = "http://ns.adobe.com/exif/1.0/ "

SUBJECT = _DC + "subject"
PROPERTIES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "title": (_DC + "title",),
        "description": (_DC + "description",),
        "creator": (_DC + "creator",),
        "rights": (_DC + "rights",),
        "rating": (_XMP + "Rating",),
        "headline": (_PHOTOSHOP + "Headline",),
        "city": (_PHOTOSHOP + "City",),
        "country": (_PHOTOSHOP + "Country",),
        "created": (_EXIF + "DateTimeOriginal", _PHOTOSHOP + "DateCreated", _XMP + "CreateDate"),
        "software": (_XMP + "CreatorTool",),
    }
)
"""The properties of each field, the first one that is there first."""

_WANTED = frozenset({SUBJECT, *(name for names in PROPERTIES.values() for name in names)})


def read_xmp(packet: bytes) -> dict[str, Values]:
    """Return the values of the properties that are read; empty if the packet is damaged."""
    return xml_values(packet, _WANTED) if packet else {}


def xmp_fields(values: Mapping[str, Values]) -> dict[str, list[str]]:
    """Return the texts of each field; of a text in several languages the first."""
    found: dict[str, list[str]] = {}
    for field, names in PROPERTIES.items():
        texts = next((values[name].all for name in names if name in values), [])
        if texts:
            found[field] = texts if field == "creator" else texts[:1]
    return found


def keywords_of(values: Mapping[str, Values]) -> list[str]:
    """Return the items of `dc:subject`; a plain text or attribute is split."""
    subject = values.get(SUBJECT, Values())
    words = (word.strip() for text in subject.plain for word in split_keywords(text))
    return [*subject.items, *filter(None, words)]
