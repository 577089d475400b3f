"""Recompression conditions: how an image was re-encoded before it was seen.

A generator enrolled from clean samples and met after JPEG is almost never recognised (the
mismatch, not the feature, is the worst enemy), so statistics are kept per condition and a query
is compared under the conditions that its own file allows: the codec is known from the file
itself, whether it was halved before is not, so both scales are tried.
"""

from dataclasses import dataclass
from typing import Literal

Codec = Literal["as_received", "jpeg95", "jpeg90", "jpeg85", "jpeg75", "jpeg60", "webp80"]
Scale = Literal["full", "half"]

CODECS: tuple[Codec, ...] = (
    "as_received",
    "jpeg95",
    "jpeg90",
    "jpeg85",
    "jpeg75",
    "jpeg60",
    "webp80",
)
JPEG_QUALITIES: dict[Codec, int] = {
    "jpeg95": 95,
    "jpeg90": 90,
    "jpeg85": 85,
    "jpeg75": 75,
    "jpeg60": 60,
}
WEBP_QUALITY = 80


@dataclass(frozen=True, slots=True)
class Condition:
    """One way of re-encoding: the samples as received or halved, then one codec."""

    scale: Scale
    codec: Codec

    @property
    def name(self) -> str:
        """The name under which statistics are stored, for example `jpeg75` or `half_jpeg75`."""
        if self.scale == "full":
            return self.codec
        return "half" if self.codec == "as_received" else f"half_{self.codec}"


CONDITIONS: tuple[Condition, ...] = tuple(
    Condition(scale, codec) for scale in ("full", "half") for codec in CODECS
)


def codec_of(lossy: bool, jpeg_quality: int | None) -> Codec:
    """The enrolled codec nearest to a file's own, by the size of the quantisation steps.

    `jpeg_quality` is on the IJG scale (1..100), where the step size is proportional to
    200 - 2q from q = 50 upwards and to 5000/q below.
    """
    if jpeg_quality is not None:
        step = ijg_step(jpeg_quality)
        return min(JPEG_QUALITIES, key=lambda codec: abs(ijg_step(JPEG_QUALITIES[codec]) - step))
    return "webp80" if lossy else "as_received"


def ijg_step(quality: int) -> float:
    """The IJG scale factor of a JPEG quality, in percent of the standard quantisation table."""
    return 5000.0 / quality if quality < 50 else 200.0 - 2.0 * quality


def conditions_for(lossy: bool, jpeg_quality: int | None) -> tuple[str, ...]:
    """Names of the conditions a query may be in: its own codec, at both scales."""
    codec = codec_of(lossy, jpeg_quality)
    return Condition("full", codec).name, Condition("half", codec).name
