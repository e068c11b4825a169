"""
The signatures at the beginning of files ("magic numbers"), and the media types that they prove.

A rule is a prefix with a type, or with a function that finds the type behind the prefix. Archives
and compound files take their type from what they hold, and then from the extension.
"""

from collections.abc import Callable
from functools import cache

from ingest.builtin import signature_rules as rules
from ingest.builtin.raw_types import type_of_tiff
from ingest.builtin.zip_types import type_of_compound_file, type_of_zip

_MACH_O = "application/x-mach-binary"
_PCAP = "application/vnd.tcpdump.pcap"
_MO = "application/x-gettext-translation"
_ORF = "image/x-olympus-orf"
_MIDI = "audio/midi"

_Rule = tuple[bytes, str | Callable[[bytes, str], str | None]]

_IMAGES: tuple[_Rule, ...] = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"RIFF", rules.riff),
    (b"II*\0", type_of_tiff),
    (b"MM\0*", type_of_tiff),
    (b"II+\0", type_of_tiff),
    (b"MM\0+", type_of_tiff),
    (b"IIRO", _ORF),
    (b"IIRS", _ORF),
    (b"MMOR", _ORF),
    (b"IIU\0", "image/x-panasonic-rw2"),
    (b"FUJIFILMCCD-RAW ", "image/x-fujifilm-raf"),
    (b"II\x1a\0\0\0HEAPCCDR", "image/x-canon-crw"),
    (b"FOVb", "image/x-sigma-x3f"),
    (b"\0MRM", "image/x-minolta-mrw"),
    (b"II\xbc\1", "image/jxr"),
    (b"BM", rules.bmp),
    (b"\0\0\1\0", rules.icon),
    (b"\0\0\2\0", rules.icon),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "image/jxl"),
    (b"\xff\x0a", rules.bare_jxl),
    (b"\0\0\0\x0cjP  \r\n\x87\n", rules.jpeg2000),
    (b"\xff\x4f\xff\x51", "image/j2c"),
    (b"8BPS\0\1", "image/vnd.adobe.photoshop"),
    (b"8BPS\0\2", "image/vnd.adobe.photoshop"),
    (b"\x0a", rules.pcx),
    (b"DDS |\0\0\0", "image/vnd.ms-dds"),
    (b"v/1\1", "image/x-exr"),
    (b"gimp xcf ", "image/x-xcf"),
    (b"icns", "image/x-icns"),
    (b"qoif", "image/qoi"),
    (b"AT&TFORM", "image/vnd.djvu"),
    (b"SIMPLE  =", "image/fits"),
    (b"\1\xda\0", "image/sgi"),
    (b"\1\xda\1", "image/sgi"),
    (b"\x59\xa6\x6a\x95", "image/x-sun-raster"),
    (b"\1\0\0\0", rules.emf),
    (b"\xd7\xcd\xc6\x9a\0\0", "image/wmf"),
    (b"#?RADIANCE\n", "image/vnd.radiance"),
    (b"#?RGBE\n", "image/vnd.radiance"),
    (b"SDPX", "image/x-dpx"),
    (b"XPDS", "image/x-dpx"),
    (b"BPG\xfb", "image/bpg"),
    (b"BLP1", "image/x-blp"),
    (b"BLP2", "image/x-blp"),
    (b"\xb1\x68\xde\x3a", "image/x-dcx"),
    (b"\x8bJNG\r\n\x1a\n", "image/x-jng"),
    (b"PF\n", rules.pfm),
    (b"Pf\n", rules.pfm),
    *((b"P%d" % number, rules.pnm) for number in range(1, 8)),
    (b"AC10", rules.dwg),
    (b"AutoCAD Binary DXF\r\n\x1a\0", "image/vnd.dxf"),
)

_MEDIA: tuple[_Rule, ...] = (
    (b"ID3", rules.id3),
    *((b"\xff" + bytes([byte]), rules.mpeg_audio) for byte in b"\xfb\xfa\xf3\xf2\xe3\xe2\xfd\xfc"),
    (b"\xff\xf1", rules.adts),
    (b"\xff\xf9", rules.adts),
    (b"\x0b\x77", rules.ac3),
    (b"fLaC", "audio/flac"),
    (b"OggS", rules.ogg),
    (b"FORM", rules.iff),
    (b"RF64", rules.wave64),
    (b"BW64", rules.wave64),
    (b"caff\0\1", "audio/x-caf"),
    (b"MAC ", "audio/x-ape"),
    (b"wvpk", "audio/x-wavpack"),
    (b"TTA1", "audio/x-tta"),
    (b"MPCK", "audio/x-musepack"),
    (b"MP+\7", "audio/x-musepack"),
    (b"DSD ", "audio/x-dsf"),
    (b"#!AMR\n", "audio/amr"),
    (b"#!AMR-WB\n", "audio/amr-wb"),
    (b".snd\0", "audio/basic"),
    (b"MThd\0\0\0\6", _MIDI),
    (b".RMF\0", "application/vnd.rn-realmedia"),
    (b".ra\xfd", "audio/x-pn-realaudio"),
    (b"\x1aE\xdf\xa3", rules.ebml),
    (b"\0\0\1\xba", "video/mpeg"),
    (b"\0\0\1\xb3", "video/mpeg"),
    (bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"), rules.asf),
    (b"FLV\1", "video/x-flv"),
    (b"\x8aMNG\r\n\x1a\n", "video/x-mng"),
)

_DOCUMENTS: tuple[_Rule, ...] = (
    (b"%PDF-", "application/pdf"),
    (b"%!PS", "application/postscript"),
    (b"\xc5\xd0\xd3\xc6", "application/postscript"),
    (b"{\\rtf", "application/rtf"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", type_of_compound_file),
    (b"ITSF\3\0\0\0", "application/vnd.ms-htmlhelp"),
    (b"!BDN", "application/vnd.ms-outlook-pst"),
    (b"\0\1\0\0", rules.access),
    (b"\0\1\0\0", rules.ttf),
    (b"true\0", rules.ttf),
    (b"OTTO", "font/otf"),
    (b"ttcf\0", "font/collection"),
    (b"wOFF", "font/woff"),
    (b"wOF2", "font/woff2"),
    (b"\x80\1", "application/x-font-type1"),
    (b"d8:announce", "application/x-bittorrent"),
)

_ARCHIVES: tuple[_Rule, ...] = (
    (b"PK\3\4", type_of_zip),
    (b"PK\5\6", type_of_zip),
    (b"\x1f\x8b\x08", "application/gzip"),
    (b"\x1f\x9d", "application/x-compress"),
    (b"BZh", "application/x-bzip2"),
    (b"\xfd7zXZ\0", "application/x-xz"),
    (b"]\0\0", rules.lzma),
    (b"LZIP\1", "application/x-lzip"),
    (b"\x89LZO\0\r\n\x1a\n", "application/x-lzop"),
    (b"\x28\xb5\x2f\xfd", "application/zstd"),
    (b"\x04\x22\x4d\x18", "application/x-lz4"),
    (b"\x02\x21\x4c\x18", "application/x-lz4"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"MSCF\0\0\0\0", "application/vnd.ms-cab-compressed"),
    (b"!<arch>\ndebian-binary", "application/vnd.debian.binary-package"),
    (b"!<arch>\n", "application/x-archive"),
    (b"070701", "application/x-cpio"),
    (b"070707", "application/x-cpio"),
    (b"xar!", "application/x-xar"),
    (b"\xed\xab\xee\xdb", "application/x-rpm"),
    (b"QFI\xfb", "application/x-qemu-disk"),
    (b"vhdxfile", "application/x-virtualbox-vhdx"),
    (b"KDMV", "application/x-virtualbox-vmdk"),
)

_DATA: tuple[_Rule, ...] = (
    (b"SQLite format 3\0", "application/vnd.sqlite3"),
    (b"PAR1", "application/vnd.apache.parquet"),
    (b"ARROW1\0\0", "application/vnd.apache.arrow.file"),
    (b"FEA1", "application/x-feather"),
    (b"ORC", "application/vnd.apache.orc"),
    (b"Obj\1", "application/vnd.apache.avro"),
    (b"\x93NUMPY", "application/x-npy"),
    (b"glTF", "model/gltf-binary"),
    (b"\x89HDF\r\n\x1a\n", "application/x-hdf5"),
    (b"CDF\1", "application/x-netcdf"),
    (b"CDF\2", "application/x-netcdf"),
    (b"MATLAB 5.0 MAT-file", "application/x-matlab-data"),
    (b"\xd4\xc3\xb2\xa1", _PCAP),
    (b"\xa1\xb2\xc3\xd4", _PCAP),
    (b"\x4d\x3c\xb2\xa1", _PCAP),
    (b"\xa1\xb2\x3c\x4d", _PCAP),
    (b"\x0a\x0d\x0d\x0a", "application/x-pcapng"),
    (b"GRIB", "application/x-grib"),
    (b"BUFR", "application/x-bufr"),
    (b"TZif", "application/tzif"),
    (b"\x7fELF", "application/x-elf"),
    (b"MZ", rules.pe),
    (b"\xca\xfe\xba\xbe", rules.cafebabe),
    (b"\xcf\xfa\xed\xfe", _MACH_O),
    (b"\xce\xfa\xed\xfe", _MACH_O),
    (b"\0asm", "application/wasm"),
    (b"\xde\x12\x04\x95", _MO),
    (b"\x95\x04\x12\xde", _MO),
    (b"\0\5\x16\7", "application/applefile"),  # "._photo.jpg", beside each photo on some shares
    (b"FWS", "application/vnd.adobe.flash.movie"),
    (b"CWS", "application/vnd.adobe.flash.movie"),
    (b"BLENDER", "application/x-blender"),
    (b"L\0\0\0\1\x14\2\0", "application/x-ms-shortcut"),
)

_BEHIND: tuple[tuple[int, bytes, str | Callable[[bytes, str], str | None]], ...] = (
    (4, b"ftyp", rules.iso_media),
    (4, b"moov", "video/quicktime"),
    (4, b"mdat", "video/quicktime"),
    (4, b"wide", "video/quicktime"),
    (4, b"\x11\xaf", rules.flic),
    (4, b"\x12\xaf", rules.flic),
    (60, b"BOOKMOBI", "application/x-mobipocket-ebook"),
    (128, b"DICM", "application/dicom"),
    (257, b"ustar", "application/x-tar"),
    (32769, b"CD001", "application/x-iso9660-image"),
)


@cache
def _rules() -> dict[bytes, list[_Rule]]:
    """Return the rules by their first two bytes, so that one look-up rejects most files."""
    found: dict[bytes, list[_Rule]] = {}
    for rule in (*_IMAGES, *_MEDIA, *_DOCUMENTS, *_ARCHIVES, *_DATA):
        found.setdefault(rule[0][:2], []).append(rule)
    return found


def type_of_signature(head: bytes, suffix: str, *, text: bool = False) -> str | None:
    """
    Return the media type that the beginning of a file proves, or None.

    `suffix` is the name's extension in lower case, for formats that share one signature. Some
    signatures are only letters: the caller checks whether the file is text.
    """
    for key in (head[:2], head[:1]):
        for prefix, kind in _rules().get(key, ()):
            if head.startswith(prefix):
                found = kind if isinstance(kind, str) else kind(head, suffix)
                if found is not None:
                    return found
    # A format with a signature that is not at the beginning is never text.
    return None if text else _type_behind(head, suffix)


def _type_behind(head: bytes, suffix: str) -> str | None:
    """Return the type of a signature that is not at the beginning."""
    for at, signature, kind in _BEHIND:
        if head.startswith(signature, at):
            return kind if isinstance(kind, str) else kind(head, suffix)
    # MPEG transport stream: packets of 188 bytes, or of 192 with a time, each begun by a "G".
    for at, length in ((0, 188), (4, 192)):
        if head[at : at + 2 * length + 1 : length] == b"GGG":
            return "video/mp2t"
    return rules.tga(head, suffix)
