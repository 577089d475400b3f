"""Batches of records that cannot cost a reader more memory than they may.

A broker bounds a batch as it is sent, compressed: 600 MiB of zeros are 19 KB of zstd. The client
unpacks whatever it is given, whole, so that one such record would end a worker, and the next one
that takes its partition. Here each codec stops at a bound. The header of a batch is not
compressed and says which offsets it holds: each of them comes out as a record whose value is
`Unread`, so that it can be answered like any other, and nothing is passed over.
"""

import zlib
from collections.abc import Callable
from typing import Any

import kafka.record.legacy_records as legacy_records
import kafka.record.memory_records as memory_records
import lz4.frame
import snappy
import zstandard
from kafka.errors import CorruptRecordError, UnsupportedCodecError
from kafka.record.default_records import DefaultRecord, DefaultRecordBatch

from worker.events.cloudevents import Origin, RawRecord

_LEAST_WINDOW_BYTES = 8 * 1024 * 1024
"""What every zstd decoder takes, whatever it unpacks (RFC 8878, section 3.1.1.1.2)."""

_XERIAL_MAGIC = b"\x82SNAPPY\x00"
_XERIAL_HEADER_BYTES = 16

_bound_bytes = 64 * 1024 * 1024


class Unread(bytes):
    """The value of a record that was not unpacked; empty, and says why."""

    why: str = ""


def raw_record(record: Any, topic_id: str | None) -> RawRecord:
    """A record as the client gives it, in our own words; the topic is what `topic_id` says."""
    unread = record.value.why if isinstance(record.value, Unread) else None
    return RawRecord(
        origin=Origin(record.topic, record.partition, record.offset, topic_id),
        key=record.key,
        value=record.value if unread is None else None,
        headers=tuple(record.headers),
        timestamp_ms=record.timestamp,
        unread=unread,
    )


class _TooLargeError(ValueError):
    """A batch unpacks to more than the bound."""


def bound_batches(max_bytes: int) -> None:
    """Have every consumer of this process unpack at most `max_bytes` of one batch.

    Beyond it the batch's records come out `Unread`. Data that is damaged raises
    CorruptRecordError, a codec that is not there UnsupportedCodecError; both name the offsets.
    """
    global _bound_bytes
    _bound_bytes = max_bytes
    memory_records.DefaultRecordBatch = BoundedBatch
    # Of before Kafka 0.11; their headers do not say which offsets are inside.
    legacy_records.gzip_decode = _strictly(_gunzip)
    legacy_records.snappy_decode = _strictly(_unsnappy)
    legacy_records.lz4_decode = _strictly(_unlz4)


class BoundedBatch(DefaultRecordBatch):  # type: ignore[misc]
    """The client's batch, with bounded codecs."""

    _buffer: bytearray
    _pos: int
    _decompressed: bool

    def __init__(self, buffer: Any) -> None:
        super().__init__(buffer)
        self._why: str | None = None

    def _maybe_uncompress(self) -> None:
        codec = self.compression_type
        if self._decompressed or codec == self.CODEC_NONE:
            self._decompressed = True
            return
        try:
            self._assert_has_codec(codec)
        except UnsupportedCodecError as error:
            raise UnsupportedCodecError(f"{self._place()}: {error}") from error
        data = bytes(memoryview(self._buffer)[self._pos :])
        try:
            self._buffer = bytearray(_UNPACK[codec](data, _bound_bytes))
        except _TooLargeError:
            self._buffer = bytearray()
            self._why = (
                f"its batch ({self._place()}) unpacks to more than {_bound_bytes} bytes from"
                f" {len(data)}; so much is not unpacked, or one record could fill the memory"
            )
        except Exception as error:  # each codec has errors of its own
            raise CorruptRecordError(
                f"{self._place()}: it cannot be unpacked ({type(error).__name__}: {error})"
            ) from error
        self._pos = 0
        self._decompressed = True

    def __next__(self) -> Any:
        if self._why is None:
            try:
                return super().__next__()
            except CorruptRecordError as error:
                raise CorruptRecordError(f"{self._place()}: {error}") from error
        if self._next_record_index > self.last_offset_delta:
            raise StopIteration
        offset = self.base_offset + self._next_record_index
        self._next_record_index += 1
        value = Unread()
        value.why = self._why
        return DefaultRecord(0, offset, self.max_timestamp, self.timestamp_type, None, value, [])

    next = __next__

    def _place(self) -> str:
        return f"offsets {self.base_offset} to {self.last_offset}"


def _gunzip(data: bytes, bound: int) -> bytes:
    unpacked = bytearray()
    while data:
        member = zlib.decompressobj(wbits=31)
        unpacked += member.decompress(data, bound + 1 - len(unpacked))
        if len(unpacked) > bound:
            raise _TooLargeError
        if not member.eof:
            raise EOFError("the data ends inside a gzip member")
        data = member.unused_data.lstrip(b"\0")  # gzip allows padding behind a member
    return bytes(unpacked)


def _unlz4(data: bytes, bound: int) -> bytes:
    unpacked = bytearray()
    while data:
        frame = lz4.frame.LZ4FrameDecompressor()
        unpacked += frame.decompress(data, max_length=bound + 1 - len(unpacked))
        if len(unpacked) > bound:
            raise _TooLargeError
        if not frame.eof:
            raise EOFError("the data ends inside an lz4 frame")
        data = frame.unused_data or b""
    return bytes(unpacked)


def _unzstd(data: bytes, bound: int) -> bytes:
    window = max(_LEAST_WINDOW_BYTES, 1 << (bound - 1).bit_length())
    unpack = zstandard.ZstdDecompressor(max_window_size=window)
    if zstandard.get_frame_parameters(data).window_size > window:
        raise _TooLargeError
    with unpack.stream_reader(data, read_across_frames=True) as reader:
        unpacked = reader.read(bound + 1)
    if len(unpacked) > bound:
        raise _TooLargeError
    return bytes(unpacked)


def _unsnappy(data: bytes, bound: int) -> bytes:
    """Each block says first how much it holds, and snappy holds it to that."""
    if not data.startswith(_XERIAL_MAGIC):
        return _snappy_block(data, bound)
    unpacked = bytearray()
    at = _XERIAL_HEADER_BYTES
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big", signed=True)
        block = data[at + 4 : at + 4 + size]
        if size < 0 or len(block) != size:
            raise EOFError("the data ends inside a snappy block")
        unpacked += _snappy_block(block, bound - len(unpacked))
        at += 4 + size
    return bytes(unpacked)


def _snappy_block(block: bytes, bound: int) -> bytes:
    size = 0
    for i, byte in enumerate(block[:5]):
        size |= (byte & 0x7F) << (7 * i)
        if byte < 0x80:
            break
    if size > bound:
        raise _TooLargeError
    return bytes(snappy.decompress(block))


_UNPACK: dict[int, Callable[[bytes, int], bytes]] = {
    DefaultRecordBatch.CODEC_GZIP: _gunzip,
    DefaultRecordBatch.CODEC_SNAPPY: _unsnappy,
    DefaultRecordBatch.CODEC_LZ4: _unlz4,
    DefaultRecordBatch.CODEC_ZSTD: _unzstd,
}


def _strictly(unpack: Callable[[bytes, int], bytes]) -> Callable[[Any], bytes]:
    def decode(payload: Any) -> bytes:
        try:
            return unpack(bytes(payload), _bound_bytes)
        except _TooLargeError:
            raise CorruptRecordError(f"it unpacks to more than {_bound_bytes} bytes") from None

    return decode
