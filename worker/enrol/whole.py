"""A sample's whole picture, as the sandbox hands it over: nothing of it is decoded outside.

A picture of at most so many pixels is one region to the decoder, whole, where all of it is opaque.
So a pool whose reading is WHOLE gives samples as they are re-encoded under other conditions.
"""

from collections.abc import Callable
from typing import Final

import numpy as np

from worker.decoder.decode import DecodedImage
from worker.decoder.regions import RegionReading
from worker.enrol.recompress import OpenedSample
from worker.errors import RejectError

MOST_PIXELS: Final = 1 << 25
"""33 megapixels, above what generators make; the sandbox's memory is sized by it."""

WHOLE: Final = RegionReading(first_pixels=MOST_PIXELS, most_pixels=MOST_PIXELS)

Open = Callable[[bytes], OpenedSample]
"""A file's bytes to its whole picture; raises RejectError."""


def whole_picture(image: DecodedImage) -> OpenedSample:
    """The picture of an image that was decoded with the reading WHOLE.

    Of one that is not wholly opaque there is none. Raises RejectError for one that is larger.
    """
    facts = image.facts
    height, width = facts.height, facts.width
    if height * width > MOST_PIXELS:
        raise RejectError(
            "decode.dimensions",
            f"{width} x {height} pixels; a sample has at most {MOST_PIXELS}",
            stage="decode",
        )
    stored_as = facts.stored_as or "RGB"
    for part in image.regions:
        if part.shape[1] >= height and part.shape[2] >= width:  # it is padded where sides are short
            picture = np.ascontiguousarray(part[:, :height, :width])  # (3, H, W)
            return OpenedSample(picture, stored_as, opaque=True)
    # What is not wholly opaque comes in tiles, or not at all.
    return OpenedSample(np.empty((3, 0, 0), np.uint8), stored_as, opaque=False)
