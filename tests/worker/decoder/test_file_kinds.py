"""A file of another kind is named in words."""

import io

import pytest
from PIL import Image

from worker.decoder.file_kinds import describe
from worker.decoder.image_header import read_header
from worker.errors import RejectError


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "this is a HEIC image"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "this is a HEIC image"),
        (b"\0\0\0\x1cftypavif\0\0\0\0mif1", "this is an AVIF image"),
        (b"\0\0\0\x20ftypisom\0\0\2\0", "this is an MP4 or QuickTime video"),
        (b"GIF89a\1\0\1\0", "this is a GIF image"),
        (b"II*\0\x08\0\0\0", "this is a TIFF image or a camera's raw file"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "this is a JPEG XL image"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "this is a JPEG 2000 image"),
        (b"%PDF-1.7\n", "this is a PDF document"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "this is an SVG drawing"),
        (b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- made -->\n<svg/>", "this is an SVG drawing"),
        (b"\n<!DOCTYPE html><html><head>", "this is an HTML page"),
        (b"<?xml version='1.0'?><rss/>", "this is an XML document"),
        (b"\x1a\x45\xdf\xa3\x01", "this is a Matroska or WebM video"),
        (b"RIFF\x10\0\0\0AVI LIST", "this is an AVI video"),
        (b"PK\x03\x04\x14\0", "this is a Zip archive or an office document"),
        (b'{"error": "not found"}', "this is a JSON document"),
        (b"/9j/4AAQSkZJRgABAQAAAQ", "this is the base64 text of an image"),
        (b"BM\x36\x10\0\0\0\0\0\0\x36\0", "this is a BMP image"),
        (b"404 page not found", "this is text"),
        (b"", "the file is empty"),
        (b"\x01\x02\x03\x04", "the kind of this file is not known (it begins with 01 02 03 04)"),
    ],
)
def test_known_kinds_are_named(data: bytes, words: str) -> None:
    assert describe(data) == words


@pytest.mark.parametrize(
    ("name", "kind"), [("GIF", "a GIF"), ("AVIF", "an AVIF"), ("BMP", "a BMP"), ("TIFF", "a TIFF")]
)
def test_what_pillow_writes_is_named_with_what_to_do(name: str, kind: str) -> None:
    file = io.BytesIO()
    Image.new("RGB", (64, 64), (1, 2, 3)).save(file, name)
    with pytest.raises(RejectError) as caught:
        read_header(file.getvalue())
    assert caught.value.code == "decode.unsupported"
    assert caught.value.message.startswith(f"this is {kind} image")
    assert caught.value.message.endswith("; JPEG, PNG or WebP is expected: save it as one of them")
