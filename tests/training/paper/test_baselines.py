"""The paper's baselines: each against slow, obvious loops and on sources that are known apart."""

import numpy as np
import pytest
import pywt
from numpy.typing import NDArray

from training.paper.accuracy import measure
from training.paper.baselines.eigenface import components_of, fit_eigenface
from training.paper.baselines.knn import NEIGHBOURS, fit_knn, nearest_labels, vote
from training.paper.baselines.prnu import (
    LEVELS,
    SIGMAS,
    WINDOWS,
    cleaned,
    correlations,
    fingerprints_of,
    fit_prnu,
    residuals,
)
from training.paper.baselines.selections import some_of_each, with_flips
from training.paper.images import LabelledImages

SIDE = 32
SOURCES = 3


def labelled(groups: list[NDArray[np.uint8]]) -> LabelledImages:
    """One group of images a source."""
    labels = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    names = ("real", *(f"made{place}" for place in range(1, len(groups))))
    return LabelledImages(np.concatenate(groups), labels, names)


def noise(
    count: int, side: int, seed: int, middle: float = 128, spread: float = 40
) -> NDArray[np.uint8]:
    """Gaussian pixels about `middle`: uint8 (count,3,side,side)."""
    drawn = np.random.default_rng(seed).normal(middle, spread, (count, 3, side, side))
    return drawn.clip(0, 255).astype(np.uint8)


def smooth(count: int, seed: int) -> NDArray[np.float64]:
    """Pictures of a few low frequencies and no others: (count,3,SIDE,SIDE) in about 50 to 200."""
    spectrum = np.zeros((count, 3, SIDE, SIDE))
    rng = np.random.default_rng(seed)
    spectrum[..., :3, :3] = rng.normal(0, 10 * SIDE, (count, 3, 3, 3))
    pictures: NDArray[np.float64] = 128 + np.fft.ifft2(spectrum).real * 4
    return pictures


def marked(count: int, seed: int) -> LabelledImages:
    """Smooth pictures plus a source's own fixed pattern of one grey level, and sensor noise."""
    patterns = np.random.default_rng(99).normal(0, 1, (SOURCES, SIDE, SIDE))
    groups = []
    for place, pattern in enumerate(patterns):
        grain = np.random.default_rng([seed, place]).normal(0, 3, (count, 3, SIDE, SIDE))
        pictures = smooth(count, seed * SOURCES + place) + grain + pattern
        groups.append(pictures.round().clip(0, 255).astype(np.uint8))
    return labelled(groups)


def test_flips_stand_behind_the_images_of_their_source_alone() -> None:
    images = labelled([noise(2, 4, 0), noise(3, 4, 1)])
    flipped = with_flips(images, 0)
    assert flipped.labels.tolist() == [0] * 4 + [1] * 3
    assert (flipped.of(0)[2:] == images.of(0)[..., ::-1]).all()
    assert (flipped.of(0)[:2] == images.of(0)).all()
    assert (flipped.of(1) == images.of(1)).all()


def test_a_selection_holds_as_many_of_each_source_as_there_are() -> None:
    images = labelled([noise(3, 4, 0), noise(10, 4, 1)])
    some = some_of_each(images, 4)
    assert some.counts() == {"real": 3, "made1": 4}
    assert (some.of(1) == images.of(1)[[0, 3, 6, 9]]).all()


def test_the_grids_are_those_of_the_reference() -> None:
    assert NEIGHBOURS == (1, 3, 5, 9, 17, 33, 65, 129, 257, 513, 1025)
    assert LEVELS == (1, 2, 3, 4)
    assert SIGMAS == (0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95)


def nearest_by_loop(train: LabelledImages, image: NDArray[np.uint8], count: int) -> list[int]:
    """Labels of the nearest training images, one exact integer distance after another."""
    distances = []
    for place, other in enumerate(train.images):
        distances.append((int(((image.astype(int) - other.astype(int)) ** 2).sum()), place))
    return [int(train.labels[place]) for _, place in sorted(distances)[:count]]


@pytest.mark.parametrize("count", [1, 3, 9, 17])
def test_knn_finds_the_neighbours_and_votes_that_a_loop_finds(count: int) -> None:
    train = labelled([noise(5, 4, 0), noise(9, 4, 1), noise(7, 4, 2)])
    asked = noise(25, 4, 3)
    nearest = nearest_labels(train, asked, count)
    answers = vote(nearest, train)
    for image, labels, answer in zip(asked, nearest.tolist(), answers, strict=True):
        assert labels == nearest_by_loop(train, image, count)
        votes = [labels.count(place) / size for place, size in enumerate((5, 9, 7))]
        assert answer == votes.index(max(votes))


def test_a_vote_weighs_less_where_a_source_has_more_training_images() -> None:
    train = labelled([noise(2, 4, 0), noise(8, 4, 1)])
    assert vote(np.array([[0, 1, 1]]), train).tolist() == [0]
    assert vote(np.array([[1, 1, 1, 1, 1, 0]]), train).tolist() == [1]


def test_knn_over_several_blocks_equals_knn_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    train, asked = labelled([noise(20, 4, 0), noise(30, 4, 1)]), noise(33, 4, 2)
    whole = nearest_labels(train, asked, 9)
    monkeypatch.setattr("training.paper.baselines.knn._ASKED", 7)
    monkeypatch.setattr("training.paper.baselines.knn._TRAINED", 11)
    assert (nearest_labels(train, asked, 9) == whole).all()


def test_knn_takes_the_first_k_of_the_best_and_none_above_the_training_set() -> None:
    train = labelled([noise(10, 4, 0, 80), noise(10, 4, 1, 180)])
    validation = labelled([noise(10, 4, 2, 80), noise(10, 4, 3, 180)])
    fitted = fit_knn(train, validation)  # every k up to 17 is right throughout
    assert fitted.settings == {"k": 1.0, "validation_accuracy": 1.0}
    assert (fitted.answers(validation.images) == validation.labels).all()


def test_knn_settings_hold_the_accuracy_that_its_answers_have() -> None:
    train = labelled([noise(15, 4, 0, 120), noise(20, 4, 1, 130)])
    validation = labelled([noise(40, 4, 2, 120), noise(30, 4, 3, 130)])
    fitted = fit_knn(train, validation)
    found = {
        k: measure(validation, vote(nearest_labels(train, validation.images, k), train)).mean
        for k in (1, 3, 5, 9, 17, 33)
    }
    assert fitted.settings["validation_accuracy"] == max(found.values())
    assert found[int(fitted.settings["k"])] == max(found.values())


def test_components_equal_those_of_a_full_decomposition() -> None:
    images = smooth(60, 5).round().clip(0, 255).astype(np.uint8)
    pixels = images.reshape(60, -1) / 127.5 - 1
    _, singular, axes = np.linalg.svd(pixels - pixels.mean(0), full_matrices=False)
    found = components_of(images, 20)
    held = np.cumsum(singular**2) / (singular**2).sum()
    assert found.held == pytest.approx(held[:20], abs=1e-3)
    assert abs((found.axes[:4] * axes[:4]).sum(1)) == pytest.approx(np.ones(4), abs=1e-2)
    assert found.project(images) == pytest.approx(
        (pixels - pixels.mean(0)) @ found.axes.T.astype(np.float64), abs=1e-3
    )


@pytest.mark.parametrize("variance", [0.25, 0.5, 0.75, 0.95])
def test_the_fewest_components_that_hold_the_asked_variance_are_used(variance: float) -> None:
    found = components_of(smooth(60, 5).round().clip(0, 255).astype(np.uint8), 40)
    count = found.holding(variance)
    assert found.held[count - 1] >= variance
    assert count == 1 or found.held[count - 2] < variance


def test_all_components_are_used_where_they_hold_less_than_was_asked() -> None:
    found = components_of(noise(60, 8, 6), 5)
    assert found.held[-1] < 0.95
    assert found.holding(0.95) == 5


def test_eigenface_separates_two_gaussian_classes_and_not_one_class_from_itself() -> None:
    train = labelled([noise(60, 8, 0, 100), noise(40, 8, 1, 150)])
    validation = labelled([noise(30, 8, 2, 100), noise(30, 8, 3, 150)])
    fitted = fit_eigenface(train, validation)
    test = labelled([noise(50, 8, 4, 100), noise(50, 8, 5, 150)])
    assert measure(test, fitted.answers(test.images)).mean == 1
    assert fitted.settings["validation_accuracy"] == 1
    assert (fitted.settings["variance"], fitted.settings["C"]) == (0.25, 1e-4)
    assert fitted.settings["components"] == len(fitted.components.axes)
    same = labelled([noise(60, 8, 6), noise(60, 8, 7)])
    other = labelled([noise(100, 8, 8), noise(100, 8, 9)])
    chance = fit_eigenface(same, other)
    fresh = labelled([noise(200, 8, 10), noise(200, 8, 11)])
    assert abs(measure(fresh, chance.answers(fresh.images)).mean - 0.5) < 0.12


def noise_by_loop(values: NDArray[np.float64], variance: float) -> NDArray[np.float64]:
    """The part that the Wiener filter takes for noise, value by value, zero outside."""
    found = np.zeros_like(values)
    rows, columns = values.shape
    for row in range(rows):
        for column in range(columns):
            signals = []
            for window in WINDOWS:
                near = range(-(window // 2), window // 2 + 1)
                total = sum(
                    values[row + i, column + j] ** 2
                    for i in near
                    for j in near
                    if 0 <= row + i < rows and 0 <= column + j < columns
                )
                signals.append(max(total / window**2 - variance, 0))
            found[row, column] = values[row, column] * variance / (min(signals) + variance)
    return found


def denoised_by_loop(image: NDArray[np.float64], level: int, sigma: float) -> NDArray[np.float64]:
    """One channel (R,R) less the noise that every detail holds."""
    smooth_part, *details = pywt.wavedec2(image, "db4", level=level)
    kept = [tuple(x - noise_by_loop(x, sigma**2) for x in bands) for bands in details]
    rebuilt: NDArray[np.float64] = pywt.waverec2([smooth_part, *kept], "db4")
    return rebuilt[: len(image), : len(image)]


@pytest.mark.filterwarnings("ignore:Level value")
@pytest.mark.parametrize(("level", "sigma", "side"), [(1, 0.95, 16), (2, 30.0, 15), (3, 5.0, 16)])
def test_a_residual_is_the_grey_image_less_its_denoised_self(
    level: int, sigma: float, side: int
) -> None:
    image = noise(1, side, 1, spread=20)
    channels = [c - denoised_by_loop(c, level, sigma) for c in image[0].astype(np.float64)]
    grey = 0.299 * channels[0] + 0.587 * channels[1] + 0.114 * channels[2]
    assert residuals(image, level, sigma)[0] == pytest.approx(grey, abs=2e-3)


def test_a_cleaned_residual_is_that_of_a_loop_and_has_zero_means() -> None:
    rows, columns = np.indices((24, 24))
    wave = 8 * np.cos(2 * np.pi * (3 * rows + 4 * columns) / 24)
    raw = np.random.default_rng(0).normal(3, 2, (1, 24, 24)) + wave
    x = raw[0] - raw[0].mean(1)[:, None]
    x = x - x.mean(0)[None]
    spectrum = np.fft.fft2(x)
    size = np.abs(spectrum) / 24
    kept = noise_by_loop(size, x.var(ddof=1))
    expected = np.fft.ifft2(spectrum * kept / np.where(size == 0, 1, size)).real
    found = cleaned(raw.astype(np.float32))
    assert found[0] == pytest.approx(expected, abs=1e-4)
    assert np.abs(found.mean(axis=1)).max() < 1e-5
    assert np.abs(found.mean(axis=2)).max() < 1e-5
    assert np.abs(raw.mean(axis=1)).min() > 1
    before, after = np.abs(spectrum)[3, 4], np.abs(np.fft.fft2(found[0]))[3, 4]
    assert after < 0.9 * before  # the peak was lowered


def test_correlations_are_those_of_a_loop() -> None:
    images = cleaned(np.random.default_rng(0).normal(0, 1, (4, 8, 8)).astype(np.float32))
    sources = cleaned(np.random.default_rng(1).normal(0, 5, (3, 8, 8)).astype(np.float32))
    found = correlations(images, sources)
    for row, image in zip(found, images, strict=True):
        for value, source in zip(row, sources, strict=True):
            expected = np.corrcoef(image.ravel(), source.ravel())[0, 1]
            assert value == pytest.approx(expected, abs=1e-5)
    assert (correlations(np.zeros_like(images), sources) == 0).all()


def test_prnu_tells_sources_with_weak_fixed_patterns_apart() -> None:
    fitted = fit_prnu(marked(60, 1), marked(20, 2))
    test = marked(40, 3)
    assert measure(test, fitted.answers(test.images)).mean > 0.9
    assert fitted.settings["validation_accuracy"] > 0.9
    assert (fitted.level, fitted.sigma) == (fitted.settings["level"], fitted.settings["sigma"])


def test_prnu_of_shuffled_labels_is_at_chance() -> None:
    """Over many shuffles: in a single one all images of a source share their wrong answer."""
    train, test = marked(20, 1), marked(20, 3)
    rng = np.random.default_rng(0)
    found = []
    for _ in range(24):
        shuffled = LabelledImages(train.images, rng.permutation(train.labels), train.sources)
        answers = fingerprints_of(shuffled, 2, 0.95).answers(test.images)
        found.append(measure(test, answers).mean)
    assert abs(np.mean(found) - 1 / SOURCES) < 0.12
    right = fingerprints_of(train, 2, 0.95).answers(test.images)
    assert measure(test, right).mean > 0.9


def test_the_search_finds_what_fitting_each_level_and_sigma_finds() -> None:
    train, validation = marked(4, 1), marked(6, 2)
    found = {
        (level, sigma): measure(
            validation, fingerprints_of(train, level, sigma).answers(validation.images)
        ).mean
        for level in LEVELS
        for sigma in SIGMAS
    }
    fitted = fit_prnu(train, validation)
    best = max(found, key=lambda key: found[key])  # the first of the best
    assert (fitted.level, fitted.sigma) == best
    assert fitted.settings["validation_accuracy"] == found[best]


def test_a_model_fingerprint_is_the_cleaned_mean_residual_over_all_chunks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    train = marked(13, 1)
    monkeypatch.setattr("training.paper.baselines.prnu._CHUNK", 5)
    found = fingerprints_of(train, 3, 0.45).fingerprints
    for place in range(SOURCES):
        mean = np.mean([residuals(image[None], 3, 0.45)[0] for image in train.of(place)], axis=0)
        assert found[place] == pytest.approx(cleaned(mean[None])[0], abs=1e-4)
