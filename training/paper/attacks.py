"""The five attacks of the paper and their random combination, each really applied to the pixels.

Yu, Davis and Fritz 2019, arXiv 1811.08180, section 4.4. Every attack draws its strength anew for
each image, from the ranges that the paper states:

    noise       white Gaussian noise. The paper calls U[5, 20] the variance; the code that others
                published uses it as the standard deviation. `noise` is the standard deviation, the
                stronger reading (in grey levels of 0..255); `noise_variance` is the other one.
    blur        Gaussian, kernel of 1, 3, 5, 7 or 9 pixels (1 changes nothing), with the sigma
                that OpenCV derives from a kernel k: 0.3 ((k - 1) / 2 - 1) + 0.8.
    crop        5 to 20 % of the height and, by a draw of its own, of the width are cut away at a
                random place; what is left is resized back, bicubic.
    jpeg        quality 10 to 75, both included, chroma halved (4:2:0) as encoders do by default.
    relighting  a substitute: the paper relights faces by decomposing them into shape and light,
                for which no model is at hand. Here a smooth random shading of low order
                multiplies the light, so that tables call it "relighting substitute".
    combination relighting, crop, blur, JPEG and noise in this order, each with probability 1/2.
"""

import io
import math
from collections.abc import Callable
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

Pixels = NDArray[np.uint8]
"""One image, (3,R,R) RGB."""

Attack = Literal["noise", "noise_variance", "blur", "crop", "jpeg", "relighting", "combination"]
ATTACKS: tuple[Attack, ...] = get_args(Attack)

NOISE = (5.0, 20.0)
KERNELS = (1, 3, 5, 7, 9)
CUT = (0.05, 0.20)
QUALITY = (10, 75)
SHADING = 0.5
"""Largest coefficient of each shading term; light changes by a factor of up to e at the corners
in one term's direction, and by 1.3 on average over the image."""


def noise(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Add Gaussian noise of a standard deviation of U[5, 20] grey levels."""
    return add_noise(image, rng.uniform(*NOISE), rng)


def noise_variance(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Add Gaussian noise of a variance of U[5, 20] squared grey levels."""
    return add_noise(image, math.sqrt(rng.uniform(*NOISE)), rng)


def add_noise(image: Pixels, deviation: float, rng: np.random.Generator) -> Pixels:
    """Add white noise of a standard deviation in grey levels, round and clip."""
    drawn = rng.standard_normal(image.shape, np.float32) * np.float32(deviation)
    return to_pixels(image + drawn)


def blur(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Convolve with a Gaussian of 1 to 9 pixels."""
    kernel = int(rng.choice(KERNELS))
    if kernel == 1:
        return image
    sigma, reach = sigma_of(kernel), kernel // 2
    blurred: NDArray[np.float32] = gaussian_filter(
        image.astype(np.float32), (0, sigma, sigma), radius=(0, reach, reach), mode="mirror"
    )
    return to_pixels(blurred)


def sigma_of(kernel: int) -> float:
    """The sigma that OpenCV derives from a kernel of this many pixels: 0.8, 1.1, 1.4, 1.7."""
    return 0.3 * ((kernel - 1) / 2 - 1) + 0.8


def crop(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Cut 5 to 20 % off each side length at a random place and resize back."""
    side = image.shape[1]
    height, width = side * (1 - rng.uniform(*CUT, size=2))
    top, left = rng.uniform(0, side - height), rng.uniform(0, side - width)
    box = (left, top, left + width, top + height)
    return _channels_first(_picture(image).resize((side, side), Image.Resampling.BICUBIC, box))


def jpeg(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Compress as JPEG of quality 10 to 75 and decode again."""
    return _channels_first(Image.open(io.BytesIO(jpeg_file(image, rng))))


def jpeg_file(image: Pixels, rng: np.random.Generator) -> bytes:
    """The compressed file of `jpeg`."""
    quality = int(rng.integers(QUALITY[0], QUALITY[1] + 1))
    file = io.BytesIO()
    _picture(image).save(file, "JPEG", quality=quality)
    return file.getvalue()


def relighting(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Multiply by exp(a x + b y + c x y + d (x^2 - y^2)), x and y from -1 to 1."""
    axis = np.linspace(-1, 1, image.shape[1], dtype=np.float32)
    x, y = axis[None, :], axis[:, None]
    a, b, c, d = rng.uniform(-SHADING, SHADING, size=4)
    light = np.exp(a * x + b * y + c * x * y + d * (x**2 - y**2))  # (R,R)
    return to_pixels(image * light.astype(np.float32))


def combination(image: Pixels, rng: np.random.Generator) -> Pixels:
    """All five in turn, each with probability one half; one image in 32 stays as it is."""
    for attack in (relighting, crop, blur, jpeg, noise):
        if rng.random() < 0.5:
            image = attack(image, rng)
    return image


_BY_NAME: dict[str, Callable[[Pixels, np.random.Generator], Pixels]] = {
    "noise": noise,
    "noise_variance": noise_variance,
    "blur": blur,
    "crop": crop,
    "jpeg": jpeg,
    "relighting": relighting,
    "combination": combination,
}


def strengths() -> dict[str, Any]:
    """The ranges that strengths are drawn from: they fix an attack, with the seed of the draws."""
    return {
        "noise": list(NOISE),
        "kernels": list(KERNELS),
        "cut": list(CUT),
        "quality": list(QUALITY),
        "shading": SHADING,
    }


def attack_batch(
    images: NDArray[np.uint8], attack: Attack, rng: np.random.Generator, share: float = 1.0
) -> NDArray[np.uint8]:
    """Attack each of uint8 (B,3,R,R) with probability `share`; returns the same shape.

    With a share of 1 none is left out.
    """
    apply = _BY_NAME[attack]
    return np.stack([apply(image, rng) if rng.random() < share else image for image in images])


def to_pixels(values: NDArray[np.float32]) -> Pixels:
    """Grey levels to the nearest whole ones, clipped to 0..255."""
    return values.round().clip(0, 255).astype(np.uint8)


def _picture(image: Pixels) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0)))


def _channels_first(image: Image.Image) -> Pixels:
    return np.ascontiguousarray(np.asarray(image, np.uint8).transpose(2, 0, 1))
