"""EXIF: texts, comments and dates in the forms that cameras write."""

import pytest

from ingest.builtin.exif import exif_fields


def latin(text: str) -> str:
    """Return the UTF-8 bytes of `text` as Pillow returns an ASCII tag, decoded as Latin-1."""
    return text.encode().decode("latin-1")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (latin("Porträtt"), "Porträtt"),
        ("Portr\xe4tt", "Porträtt"),
        ("Trust.\0Gemini", "Trust."),
        ("a\x1b[31m\x07b\x7f\n c", "a[31mb\n c"),
        (latin("日本"), "日本"),
        ("already 日本", "already 日本"),
        ("Porträtt".encode(), "Porträtt"),
    ],
)
def test_text_ends_at_a_nul_and_is_utf8_or_latin1(value: object, expected: str) -> None:
    """A text is UTF-8 if its bytes are, ends at the first NUL and has no control characters."""
    assert exif_fields({"ImageDescription": value})["description"] == expected


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("text", ["日本語", "一二三", "Grüße", "一", "中文 a"])
def test_comment_in_unicode_has_the_byte_order_of_the_file(order: str, text: str) -> None:
    """A comment without ASCII decodes in the byte order of the EXIF block."""
    value = b"UNICODE\0" + text.encode("utf-16-le" if order == "little" else "utf-16-be")
    fields = exif_fields({"UserComment": value}, big_endian=order == "big")
    assert fields["user_comment"] == text


@pytest.mark.parametrize("big_endian", [False, True])
def test_comment_in_the_other_byte_order_is_read(big_endian: bool) -> None:
    """A comment of mostly ASCII shows its byte order, which some programs get wrong."""
    value = b"UNICODE\0" + "Summer".encode("utf-16-le" if big_endian else "utf-16-be")
    assert exif_fields({"UserComment": value}, big_endian=big_endian)["user_comment"] == "Summer"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"JIS\0\0\0\0\0" + "日本".encode("iso2022_jp"), "日本"),
        (b"JIS\0\0\0\0\0" + "日本".encode("shift_jis"), "日本"),
        (b"ASCII\0\0\0plain\0rest", "plain"),
        (bytes(8) + "Grüße".encode(), "Grüße"),
    ],
)
def test_comment_has_the_encoding_of_its_prefix(value: bytes, expected: str) -> None:
    """The first eight bytes of a comment name its encoding."""
    assert exif_fields({"UserComment": value})["user_comment"] == expected


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"DateTime": "2004/05/09 16:00:21"}, "2004-05-09T16:00:21"),
        ({"DateTime": "2004-05-09T16:00:21+02:00"}, "2004-05-09T16:00:21+02:00"),
        ({"DateTime": "2004:05:09 16:00:21Z"}, "2004-05-09T16:00:21+00:00"),
        ({"DateTime": "2004:05:09 16:00:21", "OffsetTime": "Z"}, "2004-05-09T16:00:21+00:00"),
        ({"DateTime": "2004:05:09 16:00:21.5"}, "2004-05-09T16:00:21.5"),
        (
            {"DateTimeOriginal": "2004:05:09 16:00:21", "SubsecTimeOriginal": "042 "},
            "2004-05-09T16:00:21.042",
        ),
        ({"DateTime": "2004:13:09 16:00:21"}, None),
        ({"DateTime": "0000:00:00 00:00:00"}, None),
        ({"DateTime": "    :  :     :  :  "}, None),
    ],
)
def test_date_is_read_in_the_forms_that_cameras_write(
    tags: dict[str, str], expected: str | None
) -> None:
    """Slashes, ISO 8601, an offset of `Z` and sub-seconds are read; an impossible date is not."""
    assert exif_fields(tags).get("taken") == expected
