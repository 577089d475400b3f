"""The histories by name: what real photographs went through before a platform got them.

Those that are learned draw their strength from a range for each picture. The others are for
reports alone: kinds of one strength, as they were met in the field, and kinds that nothing
learned resembles closely, which tell what becomes of histories that nobody thought of.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np

from training.histories import (
    colours,
    damaged,
    earlier,
    focus,
    noise,
    prints,
    resampling,
    screens,
)
from worker.enrol.recompress import Picture

Group = Literal[
    "native",
    "reduced",
    "enlarged",
    "sharpened",
    "blurred",
    "denoised",
    "noisy",
    "palette",
    "screen",
    "plain_ground",
    "scan",
    "earlier_jpeg",
    "cmyk",
    "contrast",
]


@dataclass(frozen=True, slots=True)
class History:
    """One thing that happens to photographs: `apply` takes (3, H, W) uint8 to (3, H', W') uint8.

    The same picture and the same state of the generator give the same result. `learned`: for the
    learning cohort; otherwise a row of reports alone.
    """

    name: str
    group: Group
    learned: bool
    apply: Callable[[Picture, np.random.Generator], Picture]


def _unchanged(picture: Picture, rng: np.random.Generator) -> Picture:
    return picture


def _named(learned: bool, group: Group, **makes: resampling.Make) -> list[History]:
    return [History(name, group, learned, make) for name, make in makes.items()]


def _learned() -> list[History]:
    reduced = {f"reduced_{name}": resampling.reduced(k) for name, k in resampling.REDUCING.items()}
    enlarged = {
        f"enlarged_{name}": resampling.enlarged(k) for name, k in resampling.ENLARGING.items()
    }
    return [
        *_named(True, "native", native=_unchanged),
        *_named(True, "reduced", **reduced),
        *_named(True, "enlarged", **enlarged),
        *_named(
            True,
            "sharpened",
            sharpened=focus.sharpened,
            reduced_and_sharpened=focus.reduced_and_sharpened,
        ),
        *_named(True, "blurred", blurred=focus.blurred(), out_of_focus=focus.out_of_focus),
        *_named(
            True,
            "denoised",
            denoised_median=focus.denoised_by_median,
            denoised_wavelets=focus.denoised_by_wavelets,
            denoised_bilateral=focus.denoised_bilaterally,
            denoised_and_sharpened=focus.denoised_and_sharpened,
        ),
        *_named(
            True,
            "noisy",
            pixel_noise=noise.pixel_noise(),
            sensor_noise=noise.sensor_noise(),
            demosaiced_bilinear=noise.demosaiced("bilinear"),
            demosaiced_gradients=noise.demosaiced("gradients"),
            privacy_noise=noise.privacy_noise(),
            film_grain=noise.film_grain,
        ),
        *_named(
            True,
            "palette",
            palette_web_dithered=colours.web_palette(dithered=True),
            palette_octree=colours.palette("octree"),
            palette_median_cut=colours.palette("median_cut"),
            palette_dithered=colours.palette("median_cut", dithered=True),
            bits_565=colours.few_bits(5, 6, 5),
            bits_565_dithered=colours.few_bits(5, 6, 5, dithered=True),
            posterised=colours.posterised,
        ),
        *_named(
            True,
            "screen",
            chat_card=screens.chat_card,
            phone_screenshot=screens.phone_screenshot,
            page_screenshot=screens.page_screenshot,
        ),
        *_named(True, "plain_ground", plain_ground=screens.plain_ground()),
        *_named(True, "scan", print_scan=prints.print_scan),
        *_named(
            True,
            "earlier_jpeg",
            jpeg=earlier.any_jpeg,
            jpeg_shifted=earlier.jpeg_shifted,
            jpeg_twice=earlier.jpeg_twice,
            jpeg_twice_shifted=earlier.jpeg_twice_shifted,
            jpeg_reduced=earlier.jpeg_reduced,
            webp=earlier.any_webp,
        ),
        *_named(True, "cmyk", cmyk=colours.cmyk),
        *_named(True, "contrast", stretched=colours.stretched, gamma=colours.gamma),
    ]


def _reported() -> list[History]:
    kernels = resampling.ENLARGING
    return [
        *_named(False, "reduced", reduced_nearest=resampling.reduced_without_filter),
        *_named(
            False,
            "enlarged",
            nearest_x2=resampling.enlarged(kernels["nearest"], 2.0),
            nearest_x1_25=resampling.enlarged(kernels["nearest"], 1.25),
            bicubic_x4=resampling.enlarged(kernels["bicubic"], 4.0),
            straightened=resampling.straightened,
        ),
        *_named(
            False,
            "blurred",
            blurred_2=focus.blurred(2.0),
            blurred_4=focus.blurred(4.0),
            moved=focus.moved,
        ),
        *_named(
            False,
            "noisy",
            noise_3=noise.pixel_noise(3.0),
            noise_5=noise.pixel_noise(5.0),
            noise_10=noise.pixel_noise(10.0),
            noise_25=noise.pixel_noise(25.0),
            sensor_noise_8=noise.sensor_noise(8.0),
            sensor_noise_20=noise.sensor_noise(20.0),
            privacy_noise_1=noise.privacy_noise(1),
            privacy_noise_2=noise.privacy_noise(2),
        ),
        *_named(
            False,
            "palette",
            palette_web=colours.web_palette(dithered=False),
            palette_octree_256=colours.palette("octree", 256),
            palette_median_cut_64=colours.palette("median_cut", 64),
            bits_333=colours.few_bits(3, 3, 3),
        ),
        *_named(False, "plain_ground", small_on_white=screens.plain_ground(96, 1200)),
        *_named(
            False,
            "earlier_jpeg",
            jpeg_20=earlier.jpeg_of(20),
            jpeg_10=earlier.jpeg_of(10),
            jpeg_15=earlier.jpeg_of(15),
        ),
        *_named(False, "contrast", toned=colours.toned),
    ]


HISTORIES: Mapping[str, History] = MappingProxyType(
    {history.name: history for history in (*_learned(), *_reported())}
)
"""Every history by name, the learned ones first."""

DAMAGED_FILES: Mapping[str, damaged.Damage] = MappingProxyType(
    {
        "progressive_first_scan": damaged.ended_after_scan(1),
        "progressive_fourth_scan": damaged.ended_after_scan(4),
        "ended_at_tenth": damaged.ended_at(0.1),
        "middle_zeroed": damaged.without_its_middle,
    }
)
"""Files that lack data, by name: (picture, rng) -> bytes of a JPEG file. For reports alone."""


def learned_histories() -> tuple[History, ...]:
    """Those of the learning cohort, in the table's order."""
    return tuple(history for history in HISTORIES.values() if history.learned)
