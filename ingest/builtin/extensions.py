"""
The media types of extensions: a table of our own, the same on every Python and every system.

The registered name of a type is preferred (IANA), then that of the shared MIME database.
"""

from collections.abc import Iterator, Mapping
from functools import cache

_OOXML = "application/vnd.openxmlformats-officedocument."
_ODF = "application/vnd.oasis.opendocument."

_TYPES = f"""
application/epub+zip .epub
application/geo+json .geojson
application/gpx+xml .gpx
application/gzip .gz .tgz .svgz
application/java-archive .jar .war .ear
application/java-vm .class
application/json .json
application/ld+json .jsonld
application/manifest+json .webmanifest
application/mbox .mbox
application/msword .doc .wiz
application/n-quads .nq
application/n-triples .nt
application/pdf .pdf
application/pgp-encrypted .pgp .gpg
application/pkcs7-mime .p7c .p7m
application/postscript .ps .eps .ai
application/rtf .rtf
application/schema+json .jsonschema
application/sql .sql
application/toml .toml
application/trig .trig
application/typescript .ts .cts
application/vnd.adobe.flash.movie .swf
application/vnd.adobe.indesign-idml-package .idml
application/vnd.amazon.ebook .azw
application/vnd.android.package-archive .apk
application/vnd.apache.arrow.file .arrow .feather
application/vnd.apache.avro .avro
application/vnd.apache.orc .orc
application/vnd.apache.parquet .parquet
application/vnd.apple.installer+xml .mpkg
application/vnd.apple.mpegurl .m3u8
application/vnd.apple.numbers .numbers
application/vnd.apple.pages .pages
application/vnd.comicbook+zip .cbz
application/vnd.comicbook-rar .cbr
application/vnd.debian.binary-package .deb
application/vnd.google-earth.kml+xml .kml
application/vnd.google-earth.kmz .kmz
application/vnd.ms-cab-compressed .cab
application/vnd.ms-excel .xls .xlt .xla .xlb
application/vnd.ms-excel.addin.macroenabled.12 .xlam
application/vnd.ms-excel.sheet.binary.macroenabled.12 .xlsb
application/vnd.ms-excel.sheet.macroenabled.12 .xlsm
application/vnd.ms-excel.template.macroenabled.12 .xltm
application/vnd.ms-fontobject .eot
application/vnd.ms-htmlhelp .chm
application/vnd.ms-outlook .msg
application/vnd.ms-outlook-pst .pst .ost
application/vnd.ms-powerpoint .ppt .pps .ppa
application/vnd.ms-powerpoint.addin.macroenabled.12 .ppam
application/vnd.ms-powerpoint.presentation.macroenabled.12 .pptm
application/vnd.ms-powerpoint.slideshow.macroenabled.12 .ppsm
application/vnd.ms-powerpoint.template.macroenabled.12 .potm
application/vnd.ms-project .mpp
application/vnd.ms-visio.drawing.macroenabled.main+xml .vsdm
application/vnd.ms-visio.drawing.main+xml .vsdx
application/vnd.ms-word.document.macroenabled.12 .docm
application/vnd.ms-word.template.macroenabled.12 .dotm
application/vnd.ms-xpsdocument .xps .oxps
{_ODF}base .odb
{_ODF}chart .odc
{_ODF}formula .odf
{_ODF}graphics .odg
{_ODF}graphics-template .otg
{_ODF}image .odi
{_ODF}presentation .odp
{_ODF}presentation-template .otp
{_ODF}spreadsheet .ods
{_ODF}spreadsheet-template .ots
{_ODF}text .odt
{_ODF}text-master .odm
{_ODF}text-template .ott
{_OOXML}presentationml.presentation .pptx
{_OOXML}presentationml.slideshow .ppsx
{_OOXML}presentationml.template .potx
{_OOXML}spreadsheetml.sheet .xlsx
{_OOXML}spreadsheetml.template .xltx
{_OOXML}wordprocessingml.document .docx
{_OOXML}wordprocessingml.template .dotx
application/vnd.rar .rar
application/vnd.rn-realmedia .rm .rmvb
application/vnd.sqlite3 .sqlite .sqlite3 .db3
application/vnd.tcpdump.pcap .pcap .cap
application/vnd.visio .vsd .vst .vss
application/wasm .wasm
application/x-7z-compressed .7z
application/x-apple-diskimage .dmg
application/x-bcpio .bcpio
application/x-bittorrent .torrent
application/x-blender .blend
application/x-bzip2 .bz2 .tbz2
application/x-compress .z
application/x-cpio .cpio
application/x-csh .csh
application/x-dvi .dvi
application/x-fictionbook+xml .fb2
application/x-gettext-translation .mo .gmo
application/x-hdf .hdf
application/x-hdf5 .h5 .hdf5
application/x-ipynb+json .ipynb
application/x-iso9660-image .iso
application/x-java-keystore .jks
application/x-latex .latex
application/x-lz4 .lz4
application/x-lzip .lz
application/x-lzma .lzma .tlz
application/x-matlab-data .mat
application/x-mif .mif
application/x-mobipocket-ebook .mobi .prc .azw3
application/x-ms-shortcut .lnk
application/x-msaccess .mdb .accdb
application/x-msi .msi
application/x-ndjson .ndjson .jsonl
application/x-netcdf .cdf .nc
application/x-npy .npy
application/x-npz .npz
application/x-pcapng .pcapng
application/x-pem-file .pem
application/x-pkcs12 .p12 .pfx
application/x-python-code .pyc .pyo
application/x-qemu-disk .qcow2 .qcow
application/x-rpm .rpm
application/x-sh .sh
application/x-shar .shar
application/x-stuffit .sit
application/x-subrip .srt
application/x-sv4cpio .sv4cpio
application/x-sv4crc .sv4crc
application/x-tar .tar .gtar
application/x-tcl .tcl .tk
application/x-tex .tex
application/x-texinfo .texi .texinfo
application/x-troff .roff .tr
application/x-troff-man .man
application/x-ustar .ustar
application/x-virtualbox-vdi .vdi
application/x-virtualbox-vhdx .vhdx
application/x-virtualbox-vmdk .vmdk
application/x-xpinstall .xpi
application/x-xz .xz .txz
application/xhtml+xml .xhtml .xht
application/xml .xsl .wsdl .xpdl .xsd
application/rdf+xml .rdf .owl
application/rss+xml .rss
application/atom+xml .atom
application/xslt+xml .xslt
application/yaml .yaml .yml
application/zip .zip
application/zstd .zst
application/dicom .dcm
application/x-font-type1 .pfb .pfa
audio/3gpp2 .3gpp2
audio/aac .aac .adts
audio/ac3 .ac3
audio/eac3 .eac3
audio/amr .amr
audio/amr-wb .awb
audio/basic .au .snd
audio/flac .flac
audio/midi .mid .midi .kar
audio/mp4 .m4a .m4b .m4p .m4r
audio/mpeg .mp3 .mp2 .mpga
audio/ogg .ogg .oga .spx
audio/opus .opus
audio/x-aiff .aif .aifc .aiff
audio/x-ape .ape
audio/x-caf .caf
audio/x-dsf .dsf
audio/x-matroska .mka
audio/x-mpegurl .m3u
audio/x-ms-wma .wma
audio/x-musepack .mpc
audio/x-pn-realaudio .ra .ram
audio/x-scpls .pls
audio/x-tta .tta
audio/x-wav .wav
audio/x-wavpack .wv
font/collection .ttc .otc
font/otf .otf
font/ttf .ttf
font/woff .woff
font/woff2 .woff2
image/apng .apng
image/avif .avif .avifs
image/bmp .bmp
image/bpg .bpg
image/emf .emf
image/fits .fits
image/gif .gif
image/heic .heic
image/heif .heif .hif
image/ief .ief
image/j2c .j2k .j2c .jpc
image/jp2 .jp2
image/jpeg .jpg .jpeg .jpe .jfif .jif
image/jpx .jpx .jpf
image/jxl .jxl
image/jxr .jxr .wdp .hdp
image/openraster .ora
image/pict .pict .pct
image/png .png
image/qoi .qoi
image/sgi .sgi .bw .rgba .rgb
image/svg+xml .svg
image/tiff .tiff .tif
image/vnd.adobe.photoshop .psd .psb
image/vnd.djvu .djvu .djv
image/vnd.dwg .dwg
image/vnd.dxf .dxf
image/vnd.microsoft.icon .ico
image/vnd.ms-dds .dds
image/vnd.radiance .hdr
image/vnd.zbrush.pcx .pcx
image/webp .webp
image/wmf .wmf
image/x-adobe-dng .dng
image/x-canon-cr2 .cr2
image/x-canon-cr3 .cr3
image/x-canon-crw .crw
image/x-dpx .dpx
image/x-epson-erf .erf
image/x-exr .exr
image/x-fujifilm-raf .raf
image/x-hasselblad-3fr .3fr
image/x-hasselblad-fff .fff
image/x-icns .icns
image/x-jng .jng
image/x-kodak-dcr .dcr
image/x-kodak-kdc .kdc
image/x-leaf-mos .mos
image/x-mamiya-mef .mef
image/x-minolta-mrw .mrw
image/x-nikon-nef .nef
image/x-nikon-nrw .nrw
image/x-olympus-orf .orf
image/x-panasonic-rw2 .rw2
image/x-pentax-pef .pef
image/x-phaseone-iiq .iiq
image/x-portable-anymap .pnm
image/x-portable-arbitrarymap .pam
image/x-portable-bitmap .pbm
image/x-portable-floatmap .pfm
image/x-portable-graymap .pgm
image/x-portable-pixmap .ppm
image/x-samsung-srw .srw
image/x-sigma-x3f .x3f
image/x-sony-arw .arw
image/x-sony-sr2 .sr2
image/x-sun-raster .ras .sun
image/x-tga .tga .targa
image/x-win-bitmap .cur
image/x-xbitmap .xbm
image/x-xcf .xcf
image/x-xpixmap .xpm
image/x-xwindowdump .xwd
application/x-krita .kra
message/rfc822 .eml .mht .mhtml .nws
model/3mf .3mf
model/gltf+json .gltf
model/gltf-binary .glb
model/stl .stl
model/x-ply .ply
text/cache-manifest .appcache
text/calendar .ics .ifb
text/css .css
text/csv .csv
text/html .html .htm
text/javascript .js .mjs .cjs
text/jsx .jsx
text/markdown .md .markdown .mkd
text/n3 .n3
text/org .org
text/plain .txt .text .log .conf .cfg .ini .bat .cmd .ksh .diff .patch .asc
text/richtext .rtx
text/tab-separated-values .tsv
text/tsx .tsx
text/turtle .ttl
text/vtt .vtt
text/vcard .vcf .vcard
text/x-asm .asm .s
text/x-bibtex .bib
text/x-c .c .h
text/x-c++ .cc .cpp .cxx .hh .hpp .hxx
text/x-clojure .clj .cljs .edn
text/x-cmake .cmake
text/x-coffeescript .coffee
text/x-common-lisp .lisp .lsp .el
text/x-csharp .cs
text/x-d .d
text/x-dart .dart
text/x-elixir .ex .exs
text/x-erlang .erl .hrl
text/x-fortran .f .f77 .f90 .f95 .for
text/x-fsharp .fs .fsx .fsi
text/x-gettext-translation .po .pot
text/x-go .go
text/x-groovy .groovy .gradle
text/x-haskell .hs .lhs
text/x-java .java
text/x-java-properties .properties
text/x-julia .jl
text/x-kotlin .kt .kts
text/x-less .less
text/x-lua .lua
text/x-makefile .mk .mak
text/x-nim .nim
text/x-objective-c .m .mm
text/x-ocaml .ml .mli
text/x-pascal .pas .pp
text/x-perl .pl .pm
text/x-php .php
text/x-powershell .ps1 .psm1 .psd1
text/x-protobuf .proto
text/x-python .py .pyi .pyw
text/x-r .r
text/x-rst .rst
text/x-ruby .rb
text/x-rust .rs
text/x-sass .sass
text/x-scala .scala
text/x-scheme .scm
text/x-scss .scss
text/x-setext .etx
text/x-sgml .sgm .sgml
text/x-ssa .ass .ssa
text/x-swift .swift
text/x-systemverilog .sv
text/x-terraform .tf
text/x-vb .vb .vbs
text/x-verilog .v
text/x-vhdl .vhd .vhdl
text/x-vue .vue
text/x-zig .zig
text/xml .xml
video/3gpp .3gp .3gpp
video/3gpp2 .3g2
video/mj2 .mj2 .mjp2
video/mp2t .m2ts .mts .m2t
video/mp4 .mp4
video/mpeg .mpeg .mpg .mpe .m1v .m2v .mpv .vob
video/ogg .ogv
video/quicktime .mov .qt
video/webm .webm
video/x-flic .fli .flc
video/x-flv .flv
video/x-f4v .f4v
video/x-m4v .m4v
video/x-matroska .mkv
video/x-mng .mng
video/x-ms-asf .asf
video/x-ms-wmv .wmv
video/x-msvideo .avi
video/x-sgi-movie .movie
"""


def _pairs() -> Iterator[tuple[str, str]]:
    for line in _TYPES.split("\n"):
        kind, *suffixes = line.split() or [""]
        yield from ((suffix, kind) for suffix in suffixes)


@cache
def types_by_extension() -> Mapping[str, str]:
    """Return the media type of each extension, in lower case and with its dot."""
    types: dict[str, str] = {}
    for suffix, kind in _pairs():
        types.setdefault(suffix, kind)
    return types
