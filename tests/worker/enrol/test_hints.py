"""What is unusual about samples is told, with what to do; ordinary samples are told nothing of."""

from dataclasses import replace

import numpy as np
import pytest

from tests.worker.decoder.image_samples import picture
from worker.enrol.hints import NOISE_CORRELATION, Traits, correlation_of, hints_of
from worker.enrol.recompress import from_pil

USUAL = Traits(64, 64, "RGB", lossy=False, jpeg_quality=None, correlation=0.95)


def test_ordinary_samples_give_no_hint() -> None:
    assert hints_of([USUAL] * 50) == ()
    assert hints_of([]) == ()


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        (replace(USUAL, correlation=0.02), "50 of 50 samples look like noise"),
        (replace(USUAL, width=40, height=40), "50 of 50 samples have a side below 48 pixels"),
        (replace(USUAL, stored_as="P"), "stored as 50 P"),
        (replace(USUAL, lossy=True, jpeg_quality=75), "JPEG quality 75 to 75"),
    ],
)
def test_each_oddity_is_told(odd: Traits, said: str) -> None:
    (hint,) = hints_of([odd] * 50)
    assert said in hint


def test_noise_is_told_from_pictures_by_neighbouring_pixels() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (3, 64, 64), dtype=np.uint8)
    assert correlation_of(noise) < 0.1 < NOISE_CORRELATION
    assert correlation_of(from_pil(picture(64, 64))) > 0.7
    assert correlation_of(np.full((3, 8, 8), 7, np.uint8)) == 1.0
