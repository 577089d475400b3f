"""Recompression conditions: how an image was re-encoded before it was seen.

A generator enrolled from clean samples and met after JPEG is almost never recognised (the
mismatch, not the feature, is the worst enemy), so a model has statistics for each condition, and
fingerprints a space for each codec. The codec is seen in the file itself, except that a lossless
file may have been halved: it is read in two spaces (`readings_of`). What a codec's file was before
is not seen, so a query is held against the model under every treatment that the codec is enrolled
with.
"""

from dataclasses import dataclass
from typing import Literal

Codec = Literal[
    "lossless",
    "half_lossless",
    "jpeg95",
    "full_chroma_jpeg95",
    "jpeg90",
    "full_chroma_jpeg90",
    "jpeg85",
    "jpeg75",
    "full_chroma_jpeg75",
    "jpeg60",
    "webp80",
]
Treatment = Literal["", "half", "full_chroma", "twice", "shifted"]
"""Before or in the codec: nothing; halved; written with 4:4:4 chroma; compressed by JPEG of
quality 85 on the same grid; by JPEG of quality 75 whose grid lay 3 pixels off."""

JPEG_QUALITIES: dict[Codec, int] = {
    "jpeg95": 95,
    "jpeg90": 90,
    "jpeg85": 85,
    "jpeg75": 75,
    "jpeg60": 60,
}
FULL_CHROMA_QUALITIES: dict[Codec, int] = {
    "full_chroma_jpeg95": 95,
    "full_chroma_jpeg90": 90,
    "full_chroma_jpeg75": 75,
}
WEBP_QUALITY = 80
QUALITIES_OF: dict[Codec, tuple[int, int]] = {
    "jpeg95": (93, 98),
    "full_chroma_jpeg95": (93, 98),
    "jpeg90": (88, 92),
    "full_chroma_jpeg90": (83, 92),
    "jpeg85": (80, 87),
    "jpeg75": (68, 79),
    "full_chroma_jpeg75": (60, 82),
    "jpeg60": (50, 67),
}
"""First and last quality of the files that a codec's samples stand for; `codec_of` gives it for
all of them."""
TWICE_QUALITY, SHIFTED_QUALITY = 85, 75
SHIFTED_BY = 3  # pixels, down and to the right

_TREATMENTS: dict[Codec, tuple[Treatment, ...]] = {
    "lossless": ("",),
    "half_lossless": ("half",),
    "jpeg95": ("",),
    "full_chroma_jpeg95": ("full_chroma",),
    "jpeg90": ("",),
    "full_chroma_jpeg90": ("full_chroma",),
    "jpeg85": ("", "shifted"),
    "jpeg75": ("", "twice"),
    "full_chroma_jpeg75": ("full_chroma",),
    "jpeg60": ("",),
    "webp80": ("",),
}
CODECS: tuple[Codec, ...] = tuple(_TREATMENTS)


@dataclass(frozen=True, slots=True)
class Condition:
    """One way of re-encoding: a treatment, and the codec that the file then shows."""

    codec: Codec
    treatment: Treatment = ""

    @property
    def name(self) -> str:
        """The name under which statistics are stored, for example `jpeg75` or `twice_jpeg75`."""
        return self.codec if self._in_codec else f"{self.treatment}_{self.codec}"

    @property
    def file_codec(self) -> str:
        """What the file is written with: lossless, webp80, or JPEG of a quality as in jpeg75."""
        return self.codec.removeprefix(f"{self.treatment}_") if self._in_codec else self.codec

    @property
    def _in_codec(self) -> bool:
        """Whether the codec's name tells the treatment, or there is none."""
        return not self.treatment or self.codec.startswith(f"{self.treatment}_")


CONDITIONS: tuple[Condition, ...] = tuple(
    Condition(codec, treatment) for codec in CODECS for treatment in _TREATMENTS[codec]
)


def codec_of(lossy: bool, jpeg_quality: int | None, *, full_chroma: bool = False) -> Codec:
    """The enrolled codec nearest to a file's own, by the size of the quantisation steps.

    `jpeg_quality` is on the IJG scale (1..100), where the step size is proportional to
    200 - 2q from q = 50 upwards and to 5000/q below. `full_chroma` says that a JPEG is 4:4:4.
    """
    if jpeg_quality is not None:
        step = ijg_step(jpeg_quality)
        known = FULL_CHROMA_QUALITIES if full_chroma else JPEG_QUALITIES
        return min(known, key=lambda codec: abs(ijg_step(known[codec]) - step))
    return "webp80" if lossy else "lossless"


def readings_of(codec: Codec) -> tuple[Codec, ...]:
    """The spaces in which a file of this codec is read; the first is what the file shows."""
    return ("lossless", "half_lossless") if codec == "lossless" else (codec,)


def shown_by(codec: Codec) -> Codec:
    """What a file shows that is read in the space of this codec."""
    return next(shown for shown in CODECS if codec in readings_of(shown))


def is_shown(codec: Codec) -> bool:
    """Whether a file shows this codec, or it is only read in its space beside that which shows."""
    return all(codec not in readings_of(shown)[1:] for shown in CODECS)


def ijg_step(quality: int) -> float:
    """The IJG scale factor of a JPEG quality, in percent of the standard quantisation table."""
    return 5000.0 / quality if quality < 50 else 200.0 - 2.0 * quality


def conditions_of(codec: Codec) -> tuple[Condition, ...]:
    """The conditions that a file of this codec may be in."""
    return tuple(condition for condition in CONDITIONS if condition.codec == codec)
