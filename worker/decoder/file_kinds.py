"""What a file is that is no JPEG, PNG or WebP, in words for whoever sent it."""

import re
from typing import Final

# The kind, and the pattern of its first bytes; the first that fits counts.
_KINDS: Final = tuple(
    (kind, re.compile(pattern, re.DOTALL | re.IGNORECASE))
    for kind, pattern in (
        ("a HEIC image", rb"....ftyp(?:hei[cmsx]|hev[cmsx]|mif1|msf1)"),
        ("an AVIF image", rb"....ftypavi[fs]"),
        ("a Canon CR3 raw image", rb"....ftypcrx "),
        ("an MP4 or QuickTime video", rb"....(?:ftyp|moov|mdat|wide)"),
        ("a GIF image", rb"GIF8[79]a"),
        ("a TIFF image or a camera's raw file", rb"II\*\0|MM\0\*|II\+\0|MM\0\+"),
        ("a JPEG XL image", rb"\xff\x0a|\0\0\0\x0cJXL "),
        ("a JPEG 2000 image", rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51"),
        ("a Photoshop document", rb"8BPS"),
        ("a Windows icon", rb"\0\0[\x01\x02]\0..."),
        ("a PDF document", rb"%PDF-"),
        ("a Matroska or WebM video", rb"\x1a\x45\xdf\xa3"),
        ("an AVI video", rb"RIFF....AVI "),
        ("a WAV sound", rb"RIFF....WAVE"),
        ("an MPEG video", rb"\0\0\x01[\xb3\xba]"),
        ("an Ogg file", rb"OggS"),
        ("an MP3 sound", rb"ID3"),
        ("a Zip archive or an office document", rb"PK\x03\x04"),
        ("a gzip file", rb"\x1f\x8b"),
        ("a JSON document", rb"\s*[{\[]\s*[\"{\[\d]"),
        ("the base64 text of an image", rb"data:image/|/9j/|iVBORw0KGgo|UklGR"),
        ("a BMP image", rb"BM.{8}"),
    )
)  # fmt: skip


def describe(data: bytes) -> str:
    """Return what the file is, as in "this is a HEIC image", as far as its first bytes tell."""
    if not data:
        return "the file is empty"
    start = data[:2048]
    for kind, pattern in _KINDS:
        if pattern.match(start):
            return f"this is {kind}"
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(b"<"):
        if b"<svg" in text:
            return "this is an SVG drawing"
        return "this is an HTML page" if b"html" in text else "this is an XML document"
    if all(byte >= 32 or byte in b"\t\n\r" for byte in start[:64]):
        return "this is text"
    return f"the kind of this file is not known (it begins with {start[:8].hex(' ')})"
