"""The FD ratio grows with the number of images, and can be told ahead."""

from pathlib import Path

import numpy as np
import pytest

from tests.training.paper.samples import silent
from training.data.manifest import Manifest
from training.paper.images import LabelledImages
from training.paper.pages import attribution
from training.paper.studies.fingerprints.ratio import at, exponent, measurement, over_counts
from training.paper.studies.frechet import HALVINGS, distances, fd_ratio, frechet_distance
from training.paper.studies.lab import Lab

SOURCES = ("real", "a", "b", "c")


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """A place of work without photographs."""
    monkeypatch.setenv("LATENTPRINT_CACHE", str(tmp_path))
    return Lab(Manifest(tmp_path, ()), "small", tmp_path, lambda line: None, lambda name: silent)


def features(counts: tuple[int, ...]) -> tuple[np.ndarray, LabelledImages]:
    """So many features (N,48) of each source, whose means lie apart, and images that stand by."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(len(counts)), counts)
    spread = rng.standard_normal((len(labels), 48)) * np.linspace(2, 0.1, 48)
    rows = spread + 0.4 * labels[:, None]
    blank = np.zeros((len(labels), 3, 1, 1), np.uint8)
    return rows.astype(np.float32), LabelledImages(blank, labels, SOURCES)


def test_the_distance_within_a_class_falls_like_one_over_its_images() -> None:
    rows, images = features((1600,) * 4)
    curve = over_counts(rows, images, (100, 200, 400, 800, 1600))["curve"]
    assert exponent(curve) == pytest.approx(-1, abs=0.15)
    between = [point["between"] for point in curve.values()]
    assert max(between) < 2 * min(between)
    assert curve["1600"]["made_alone"] > 6 * curve["100"]["made_alone"]


def test_a_larger_count_is_told_ahead_from_two_smaller_ones() -> None:
    rows, images = features((3200,) * 4)
    curve = over_counts(rows, images, (100, 200, 400, 3200))["curve"]
    few = {count: curve[count] for count in ("100", "200", "400")}
    assert at(few, 3200) == pytest.approx(curve["3200"]["made_alone"], rel=0.25)
    assert at(few, 400) == pytest.approx(curve["400"]["made_alone"])


def test_a_real_class_of_few_images_holds_the_ratio_down() -> None:
    rows, images = features((50, 1600, 1600, 1600))
    found = over_counts(rows, images, (50, 1600))
    assert found["test_images"] == dict(zip(SOURCES, (50, 1600, 1600, 1600), strict=True))
    assert found["curve"]["1600"]["with_real"] < 0.3 * found["curve"]["1600"]["made_alone"]
    assert found["within"]["real"] > 5 * found["within"]["a"]
    assert set(found["from_real"]) == set(SOURCES[1:])
    spread = found["between"]
    assert spread["least"] <= spread["mean"] <= spread["most"]


def test_distances_are_those_of_pairs_and_halves_one_by_one() -> None:
    rows, images = features((40, 30, 20, 20))
    labels = images.labels
    found = distances(rows, labels, seed=3)
    rng = np.random.default_rng(3)
    for a in range(4):
        own = rows[labels == a]
        halves = []
        for _ in range(HALVINGS):
            order = rng.permutation(len(own))
            middle = (len(own) + 1) // 2
            halves.append(frechet_distance(own[order[:middle]], own[order[middle:]]))
        assert found.within[a] == pytest.approx(sum(halves) / HALVINGS)
        for b in range(a):
            expected = frechet_distance(own, rows[labels == b])
            assert found.between[a, b] == pytest.approx(expected)
    pairs = [found.between[1, 2], found.between[1, 3], found.between[2, 3]]
    assert found.ratio((1, 2, 3)) == pytest.approx(np.mean(pairs) / found.within[1:].mean())
    assert fd_ratio(rows, labels, seed=3) == found.ratio()


def test_the_page_says_what_the_papers_number_of_images_would_give(lab: Lab) -> None:
    setup = lab.setup_named("seeds")
    assert "The ratio is a matter of" not in attribution.page(lab, "command")
    for within, said in ((0.5, "2.5 times the paper's"), (5.0, "4.0 times smaller")):
        curve = {
            str(n): {"with_real": 3.0, "made_alone": 10 * n / 1000 / within, "between": 10.0}
            | {"within": within * 1000 / n}
            for n in (250, 500, 1000)
        }
        names = setup.sources
        result = {
            "curve": curve,
            "test_images": {name: 1000 if name != "real" else 150 for name in names},
            "within": {name: within if name != "real" else 30 * within for name in names},
            "from_real": dict.fromkeys(names[1:], 20.0),
            "between": {"least": 8.0, "mean": 10.0, "most": 12.0},
        }
        lab.results.keep(measurement(lab, setup), result, 1.0)
        text = attribution.page(lab, "command")
        ahead = 10 / (within / 10)
        assert f"| 10,000, extrapolated |  |  | **{ahead:.0f}** |  |" in text
        assert said in text
    assert "From 500 to 1,000 images" in text
    assert "to the power -1.00" in text
    assert "make 75% of the sum" in text  # 30 of 30 + 10
    assert (lab.figures / "fd-ratio.svg").is_file()
