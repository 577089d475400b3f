"""What kind of picture it is: each number moves with what it is named for, and others stay."""

from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter, zoom

from tests.worker.extractor.blocks.regions import REGIONS, photo_region
from worker.decoder.decode import DecodeLimits, ImageFacts, decode
from worker.decoder.jpeg_quality import JpegCoding, standard_table
from worker.decoder.regions import RegionReading
from worker.extractor.nuisance import MOST_PIXELS, Nuisance, nuisance

Picture = NDArray[np.uint8]
LIMITS = DecodeLimits(reading=RegionReading())


def scene(seed: int = 0, side: int = 384, shapes: int = 60) -> Picture:
    """Something with edges, shades and grain, uint8 (3, S, S), without a history of its own."""
    numbers = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:side, 0:side]
    values = np.full((3, side, side), 120.0)
    for _ in range(shapes):
        y, x = numbers.uniform(0, side, 2)
        radius = numbers.uniform(8, 60)
        colour = numbers.uniform(40, 210, (3, 1))
        values[:, np.hypot(rows - y, columns - x) < radius] = colour
    values = gaussian_filter(values, (0, 0.7, 0.7))
    values += 12 * gaussian_filter(numbers.normal(size=(side, side)), 6) * 6
    return rounded(values + numbers.normal(0, 1.2, values.shape))


def rounded(values: NDArray[np.float64]) -> Picture:
    found: Picture = np.rint(values).clip(0, 255).astype(np.uint8)
    return found


def facts(side: int = 384, jpeg_quality: int | None = None, lossy: bool = False) -> ImageFacts:
    luma = None if jpeg_quality is None else tuple(int(s) for s in standard_table(jpeg_quality))
    return ImageFacts(
        "0" * 64,
        9,
        "png" if jpeg_quality is None else "jpeg",
        side,
        side + 9,
        jpeg_quality,
        lossy or jpeg_quality is not None,
        False,
        "0" * 64,
        None if luma is None else JpegCoding(luma, luma, "4:2:0"),
    )


def of(picture: Picture) -> Nuisance:
    return nuisance([picture], facts())


def after_jpeg(picture: Picture, quality: int, shift: int = 0) -> Picture:
    """Written as a JPEG and read back; the first `shift` rows and columns are cut off then."""
    file = BytesIO()
    Image.fromarray(picture.transpose(1, 2, 0)).save(file, "jpeg", quality=quality)
    with Image.open(file) as opened:
        pixels = np.asarray(opened.convert("RGB"))
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[:, shift:, shift:])


def enlarged(picture: Picture, factor: float) -> Picture:
    """Bilinearly, and cut to the size it had."""
    side = picture.shape[1]
    larger = zoom(
        picture.astype(float), (1, factor, factor), order=1, grid_mode=True, mode="grid-wrap"
    )
    return np.ascontiguousarray(rounded(larger[:, :side, :side]))


def moved(before: Picture, after: Picture, *allowed: str) -> dict[str, float]:
    """Differences of the numbers; fails where one moves half a unit or more that may not."""
    first, then = of(before), of(after)
    found = {name: then[name] - first[name] for name in Nuisance.NAMES}
    strays = {name: by for name, by in found.items() if abs(by) >= 0.5 and name not in allowed}
    assert strays == {}
    return found


def test_a_picture_is_fifteen_finite_numbers_with_names() -> None:
    found = of(scene())
    assert found.vector.shape == (len(Nuisance.NAMES),) == (15,)
    assert found.vector.dtype == np.float32
    assert [found[name] for name in Nuisance.NAMES] == found.vector.tolist()


@pytest.mark.parametrize("name", REGIONS)
def test_every_region_gives_finite_numbers(name: str) -> None:
    region = REGIONS[name]
    assert np.isfinite(nuisance([region], facts(32)).vector).all()
    assert np.isfinite(nuisance([region, region[:, :32, :32]], facts(32)).vector).all()


def test_of_a_picture_without_regions_nothing_is_said() -> None:
    with pytest.raises(ValueError, match="no regions"):
        nuisance([], facts())


def test_noise_is_measured_in_grey_levels_beside_edges() -> None:
    grain = np.random.default_rng(7).normal(0, 8, (384, 384))
    noisy = rounded(scene().astype(float) + grain)
    by = moved(scene(), noisy, "noise", "calm_noise", "detail", "edge_width")
    assert by["noise"] > 2
    assert by["calm_noise"] > 2
    assert by["edge_width"] < 0 < by["detail"]
    assert 2 ** of(noisy)["noise"] == pytest.approx(8, rel=0.15)
    assert of(rounded(scene().astype(float) + 4))["noise"] == pytest.approx(
        of(scene())["noise"], abs=0.05
    )


def test_texture_is_not_taken_for_noise_where_a_tenth_is_calm() -> None:
    numbers = np.random.default_rng(3)
    rough = scene().astype(float)
    rough[:, :, 96:] += numbers.normal(0, 12, (384, 288))
    by = moved(scene(), rounded(rough), "noise", "detail", "edge_width")
    assert by["noise"] > 2
    assert by["calm_noise"] < 0.3


def test_edges_are_as_wide_as_they_were_blurred() -> None:
    step = np.full((3, 384, 384), 40, np.uint8)
    step[:, :, 64:] = 200
    ramp = np.interp(np.arange(384), [60, 64], [40, 200])
    widths = [
        of(step)["edge_width"],
        of(rounded(np.broadcast_to(ramp, (3, 384, 384))))["edge_width"],
        of(rounded(gaussian_filter(step.astype(float), (0, 0, 4))))["edge_width"],
    ]
    assert widths == sorted(widths)
    assert widths[0] < 0.2
    assert widths[1] == pytest.approx(2, abs=0.15)
    assert widths[2] > 2.2
    blurred = rounded(gaussian_filter(scene().astype(float), (0, 2, 2)))
    by = moved(scene(), blurred, "edge_width", "detail", "noise", "calm_noise", "colours")
    assert by["edge_width"] > 0.8
    assert by["detail"] < -0.7


def test_the_shares_are_those_of_what_was_made_flat_and_clipped() -> None:
    page = scene()
    page[:, :192, :192] = 255
    page[:, 288:, :] = 0
    found = of(page)
    assert found["flat"] ** 2 == pytest.approx(1 / 2, abs=0.01)
    assert found["bright"] ** 2 == pytest.approx(1 / 4, abs=0.02)
    assert found["dark"] ** 2 == pytest.approx(1 / 4, abs=0.02)
    assert of(scene())["flat"] == of(scene())["bright"] == of(scene())["dark"] == 0


def test_palettes_have_few_colours_and_few_bits_leave_gaps() -> None:
    image = Image.fromarray(scene().transpose(1, 2, 0))
    few = np.asarray(image.quantize(64).convert("RGB")).transpose(2, 0, 1)
    palette, before = of(np.ascontiguousarray(few)), of(scene())
    assert before["colours"] > -2
    assert palette["colours"] < -5.8
    assert palette["comb"] > 0.4
    by = moved(scene(), scene() & np.uint8(0xF8), "comb", "colours", "noise", "calm_noise")
    assert by["comb"] == pytest.approx(7 / 8, abs=0.1)
    assert abs(before["comb"]) < 0.05


def test_stretched_contrast_leaves_gaps() -> None:
    numbers = np.random.default_rng(2)
    narrow = np.stack([numbers.integers(30, 190, (128, 128)).astype(np.uint8)] * 3)
    stretched = rounded((narrow.astype(float) - 30) * 1.25 + 10)
    assert abs(of(narrow)["comb"]) < 0.02
    assert of(stretched)["comb"] == pytest.approx(0.2, abs=0.03)


@pytest.mark.parametrize("quality", [30, 60, 85])
def test_an_earlier_jpeg_shows_on_the_grid_it_had(quality: int) -> None:
    grid = ("on_grid", "off_grid", "noise", "calm_noise", "colours", "detail", "resampled")
    on = moved(scene(), after_jpeg(scene(), quality), *grid)
    off = moved(scene(), after_jpeg(scene(), quality, shift=3), *grid)
    assert on["on_grid"] > 3 * max(0.02, on["off_grid"])
    assert off["off_grid"] > 3 * max(0.02, off["on_grid"])


def test_the_grid_stands_out_the_more_the_lower_the_quality() -> None:
    found = [of(after_jpeg(scene(), quality))["on_grid"] for quality in (95, 75, 50, 25)]
    assert found == sorted(found)
    assert found[-1] > 0.5 > 0.1 > of(scene())["on_grid"]


@pytest.mark.parametrize("factor", [1.25, 1.5, 2.0, 3.0, 4.0])
def test_enlarging_shows_as_a_period(factor: float) -> None:
    assert of(scene())["resampled"] < 0.2
    assert of(enlarged(scene(), factor))["resampled"] > 1


def test_a_small_picture_shows_a_period_no_more_often_than_a_large_one() -> None:
    small = [of(scene(seed, 64, 3))["resampled"] for seed in range(20)]
    assert np.mean(small) < 0.5
    assert of(enlarged(scene(1, 64, 3), 2.0))["resampled"] > 1


def test_saturation_is_the_channels_spread() -> None:
    grey = np.stack([scene()[1]] * 3)
    assert of(grey)["saturation"] == 0
    red = np.zeros((3, 64, 64), np.uint8)
    red[0] = 255
    assert of(red)["saturation"] == 1
    by = moved(scene(), grey, "saturation", "colours", "noise", "calm_noise")
    assert by["saturation"] < -0.4


def test_the_side_and_what_the_file_loses_are_the_header_s() -> None:
    region = photo_region()
    assert nuisance([region], facts(256))["side"] == 8
    assert nuisance([region], facts())["file_step"] == 0
    steps = [nuisance([region], facts(jpeg_quality=q))["file_step"] for q in (100, 90, 50)]
    assert steps == pytest.approx(
        [np.log2(standard_table(q)).mean() for q in (100, 90, 50)], abs=1e-6
    )
    assert nuisance([region], facts(lossy=True))["file_step"] > steps[1]


def test_the_same_pixels_in_another_lossless_file_are_the_same_kind() -> None:
    image = Image.fromarray(scene(side=256).transpose(1, 2, 0))
    vectors = []
    for options in ({"format": "png"}, {"format": "webp", "lossless": True}):
        file = BytesIO()
        image.save(file, **options)
        read = decode(file.getvalue(), LIMITS)
        vectors.append(nuisance(read.regions, read.facts).vector.tolist())
    assert vectors[0] == vectors[1]


def test_no_more_is_read_than_the_first_stage_holds() -> None:
    tiles = [scene(seed, 128, 5) for seed in range(MOST_PIXELS // 128**2)]
    more = [*tiles, np.zeros((3, 128, 128), np.uint8)]
    assert nuisance(more, facts()).vector.tolist() == nuisance(tiles, facts()).vector.tolist()


def test_turned_and_mirrored_pictures_are_the_same_kind() -> None:
    picture = scene()
    mirrored = np.ascontiguousarray(picture[:, :, ::-1])
    turned = np.ascontiguousarray(picture.transpose(0, 2, 1))
    for other in (mirrored, turned):
        assert of(other).vector == pytest.approx(of(picture).vector, abs=0.12)
