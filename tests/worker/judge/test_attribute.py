"""The matcher says of each image, in its own codec's space, what loops over models say."""

import math
from dataclasses import replace

import numpy as np
import pytest

from fingerprint_db.background import Background, Floats, size_class_of
from fingerprint_db.calibration import Calibration
from fingerprint_db.conditions import Codec
from fingerprint_db.matching.enrolled import Enrolled
from fingerprint_db.matching.levels import Levels
from fingerprint_db.model_fingerprint import ModelFingerprint
from fingerprint_db.snapshot import EMPTY_ROOT, Snapshot
from tests.fingerprint_db.matching.small_spaces import (
    CONSTANTS,
    DIMENSION,
    SPACE,
    entry,
    images,
    mean_of,
    model,
    photographs,
    small_background,
)
from tests.fingerprint_db.photograph_parts import part
from worker.extractor.extract import ImageFingerprint, Reading
from worker.judge.attribute import Matcher, NameFindings, ReadingFindings
from worker.judge.photographs import Photographs, Tenant, bin_name, photograph_counts

BACKGROUND = small_background("lossless", "jpeg75")
LOSSLESS, JPEG75 = BACKGROUND.codecs["lossless"], BACKGROUND.codecs["jpeg75"]


def snapshot(*models: ModelFingerprint, space: str = SPACE) -> Snapshot:
    return Snapshot(space, 7, EMPTY_ROOT, models)


MODELS = (
    model(
        "both",
        entry(LOSSLESS, mean_of(1), "lossless"),
        entry(JPEG75, mean_of(2), "jpeg75"),
        entry(JPEG75, mean_of(3), "twice_jpeg75"),
    ),
    model("clean", entry(LOSSLESS, mean_of(4), "lossless")),
    model("sibling", entry(LOSSLESS, mean_of(4) + 0.3, "lossless"), family="clean"),
    model(
        "watched",
        entry(LOSSLESS, mean_of(5), "lossless"),
        entry(JPEG75, mean_of(6), "jpeg75"),
        status="shadow",
    ),
)
VECTORS = np.concatenate(
    [
        *(images(LOSSLESS, mean_of(i), 2, i) for i in (1, 4, 5)),
        *(images(JPEG75, mean_of(i), 2, i) for i in (2, 3, 6)),
        photographs(LOSSLESS, 2),
        photographs(JPEG75, 2),
    ]
)
BOTH: tuple[Codec, Codec] = ("lossless", "jpeg75")
CODECS = [BOTH[i] for i in np.repeat([0, 1, 0, 1], [6, 6, 2, 2])]
SIZES = [3, 2] * 8


SIDES = (64, 128, 256, 512)
"""Of pictures of each size class."""


def image(vector: Floats, codec: Codec, size: int = 3) -> ImageFingerprint:
    """Of a picture that is read in one space alone."""
    reading = Reading(codec, vector, np.zeros(1, np.float32))
    return ImageFingerprint((reading,), 0.0, np.zeros(15, np.float32), SIDES[size] ** 2, None, 1)


IMAGES = [image(*one) for one in zip(VECTORS, CODECS, SIZES, strict=True)]


def matched(*models: ModelFingerprint, shown: int = 3) -> list[ReadingFindings]:
    """Of each image, in its only space."""
    found = Matcher(BACKGROUND, snapshot(*models)).match(IMAGES, shown=shown)
    return [only(own) for own in found]


def only(found: NameFindings) -> ReadingFindings:
    (one,) = found.readings
    assert found.telling is found.behind(None) is one
    return one


def test_each_image_is_matched_in_the_space_of_its_own_codec() -> None:
    """As a loop over images that matches each alone; likeliest first, all models of the codec."""
    found = Matcher(BACKGROUND, snapshot(*MODELS)).match(IMAGES, shown=9)
    assert len(found) == len(VECTORS)
    for image, whole in zip(IMAGES, found, strict=True):
        vector, codec, size = image.vector, image.codec, size_class_of(image.pixels_read)
        own = only(whole)
        assert own.codec == codec
        space = BACKGROUND.codecs[codec]
        enrolled = Enrolled.of(space, CONSTANTS, MODELS, codec)
        alone = enrolled.match(vector[None])
        order = sorted(range(len(enrolled.models)), key=lambda k: -alone.likelihoods[0, k])
        assert [m.model for m in own.ranked] == [enrolled.models[k] for k in order]
        for match, k in zip(own.ranked, order, strict=True):
            row = alone.rows[0, k]
            known = match.model.under(match.condition)
            assert known is not None
            assert match.condition == enrolled.condition(row)
            assert match.limit == pytest.approx(known.distance_limit)
            assert match.limit_count == known.count
            assert match.score == pytest.approx(float(alone.scores[0, k]), abs=1e-4)
            assert match.distance == pytest.approx(float(alone.distances[0, k]), rel=1e-3)
            assert match.likelihood == pytest.approx(float(alone.likelihoods[0, k]), rel=1e-5)
            assert match.typical == bool(alone.typical[0, k]) == (match.distance <= match.limit)
        level = Levels.of(space.cohort, enrolled.highest).by_size[size]
        highest = float(enrolled.highest(vector[None])[0])
        assert own.highest == pytest.approx(highest, abs=1e-4)
        assert whole.standing == level.standing(highest, image.kind)
        assert whole.source_p_value == level.new_source.p_value(highest)
        assert whole.level.count == level.count


def test_leads_are_over_the_best_other_live_model() -> None:
    for own in matched(*MODELS, shown=9):
        live = {m.model.model_id: m.likelihood for m in own.ranked if m.model.status == "live"}
        for match in own.ranked:
            others = [v for name, v in live.items() if name != match.model.model_id]
            if not others:
                assert match.lead is None
            else:
                assert match.lead == pytest.approx(match.likelihood - max(others), abs=1e-2)
    (alone,) = {m.lead for own in matched(MODELS[1]) for m in own.ranked}
    assert alone is None


def test_models_of_which_nothing_is_live_lead_nothing() -> None:
    found = Matcher(BACKGROUND, snapshot(MODELS[3])).match(IMAGES)
    assert [m.lead for own in found for m in only(own).ranked] == [None] * len(VECTORS)
    assert all(own.standing.p_value == 1.0 and only(own).direction is None for own in found)


def test_own_images_pass_and_photographs_do_not() -> None:
    found = Matcher(BACKGROUND, snapshot(*MODELS)).match(IMAGES)
    made = [*found[:4], *found[6:10]]
    assert all(own.standing.passes(0.02, 0.1) for own in made)
    assert not any(own.standing.passes(0.02, 0.1) for own in found[12:])


def test_who_ties_is_told_however_few_are_shown_and_so_is_a_typical_shadow() -> None:
    """`clean` and `sibling` tie on each other's images; others are left out where one is shown."""
    found = matched(*MODELS, shown=1)
    names = [[m.model.model_id for m in own.ranked] for own in found]
    for i in (2, 3):
        assert sorted(names[i]) == ["clean", "sibling"]
        assert abs(found[i].ranked[0].likelihood - found[i].ranked[1].likelihood) < CONSTANTS.margin
    for i in (4, 5):
        assert names[i][0] == "watched"
        assert len(names[i]) >= 2, "the likeliest live model is always told"
    for i in (0, 1):
        assert names[i] == ["both"]


def test_a_photograph_that_resembles_a_shadow_alone_is_no_match() -> None:
    """Shadows have levels of their own: without live models every score would pass the others'."""
    near = entry(LOSSLESS, photographs(LOSSLESS, 400).mean(0), "lossless")
    watched = model("near-photographs", near, status="shadow")
    matcher = Matcher(BACKGROUND, snapshot(watched))
    real = [image(vector, "lossless") for vector in photographs(LOSSLESS, 300, seed=9)]
    first = [only(own).ranked[0] for own in matcher.match(real)]
    typical = [one for one in first if one.typical]
    assert len(typical) > 50
    assert np.mean([m.standing.passes(0.02, 1.0) for m in typical]) < 0.1


def test_the_direction_is_that_of_the_likeliest_live_models_score() -> None:
    for own, vector in zip(matched(*MODELS), VECTORS, strict=True):
        best = next(m for m in own.ranked if m.model.status == "live")
        known = best.model.under(best.condition)
        assert known is not None
        assert own.direction is not None
        cosine = float(own.direction @ known.mean)
        cosine /= math.sqrt(float(own.direction @ own.direction) * float(known.mean @ known.mean))
        assert cosine == pytest.approx(1.0, abs=1e-5)
        assert own.direction.shape == vector.shape


def test_without_models_there_are_no_matches_and_nothing_passes() -> None:
    matcher = Matcher(BACKGROUND, Snapshot.empty(SPACE))
    for own in matcher.match(IMAGES):
        assert only(own).ranked == ()
        assert only(own).direction is None
        assert only(own).highest == -math.inf
        assert (own.standing.p_value, own.source_p_value) == (1.0, 1.0)
    assert matcher.match([]) == []


def test_what_is_matched_does_not_depend_on_the_neighbours_in_the_batch() -> None:
    matcher = Matcher(BACKGROUND, snapshot(*MODELS))
    together = matcher.match(IMAGES)
    for one, own in zip(IMAGES, together, strict=True):
        (alone,) = matcher.match([one])
        ranked = only(own).ranked
        assert [m.model for m in only(alone).ranked] == [m.model for m in ranked]
        assert alone.standing == own.standing
        np.testing.assert_allclose(
            [m.score for m in only(alone).ranked], [m.score for m in ranked], atol=1e-4
        )


def test_photographs_are_prepared_once_for_many_snapshots() -> None:
    prepared = Photographs(BACKGROUND)
    first = prepared.of("jpeg75")
    for models in ((), MODELS):
        Matcher(BACKGROUND, snapshot(*models), prepared).match(IMAGES)
    assert prepared.of("jpeg75") is first
    scores = photographs(JPEG75, 5) @ JPEG75.synthesis
    expected = Levels.of(JPEG75.cohort, lambda vectors: vectors @ JPEG75.synthesis).by_size[3]
    assert [first.generic.by_size[3].standing(float(s)) for s in scores] == [
        expected.standing(float(s)) for s in scores
    ]


def test_photographs_are_counted_by_codec_and_size_without_those_of_the_norm() -> None:
    counts = photograph_counts(BACKGROUND)
    assert counts["jpeg75/384_up"] == counts["lossless/384_up"] == 350
    assert (counts["jpeg75/192_to_383"], counts["jpeg75/under_96"]) == (70, 0)
    assert set(counts) == {bin_name(c, size) for c in BACKGROUND.codecs for size in range(4)}


def test_a_snapshot_of_another_space_is_refused() -> None:
    with pytest.raises(AssertionError, match="another fingerprint space"):
        Matcher(BACKGROUND, Snapshot.empty("d4" * 32))


@pytest.mark.parametrize(("count", "alone"), [(40, False), (400, True)])
def test_a_tenants_photographs_are_counted_once_though_they_are_read_in_two_spaces(
    count: int, alone: bool
) -> None:
    background = small_background("lossless", "half_lossless")
    shown = part("shop", count, size_class=3)
    half = part("shop", count, seed=1, codec="half_lossless", size_class=3)
    stored = {"0": shown, "1": replace(half, identities=shown.identities)}
    own = Tenant(Calibration(SPACE, 1, stored), alpha_name=0.05, alpha_unknown=0.05)
    calibrating = int((shown.identities[:, 0] % 5 != 0).sum())
    counts = photograph_counts(background, own)
    assert counts["lossless/384_up"] == (0 if alone else 350) + calibrating
    assert {name.partition("/")[0] for name in counts} == {"lossless"}
    levels = Photographs(background, own).levels("lossless", lambda v: v[:, 0] + v[:, -1])
    level = levels.by_size[3]
    assert (level.count, level.own, level.alone) == (counts["lossless/384_up"], calibrating, alone)


def test_a_thousand_models_flag_no_more_photographs_than_one() -> None:
    """The maximum over the registry is what photographs are held against."""
    rng = np.random.default_rng(3)
    real = [image(vector, "lossless") for vector in photographs(LOSSLESS, 1000, seed=11)]
    rates = []
    for count in (1, 1000):
        models = [
            model(
                f"model-{i}",
                entry(
                    LOSSLESS, rng.normal(0, 1.0, DIMENSION).astype(np.float32), "lossless", seed=i
                ),
            )
            for i in range(count)
        ]
        few = Background(SPACE, {"lossless": LOSSLESS}, CONSTANTS)
        found = Matcher(few, snapshot(*models)).match(real)
        rates.append(np.mean([own.standing.passes(0.05, 1.0) for own in found]))
    assert max(rates) <= 0.08


def test_of_models_that_are_alike_the_first_are_shown_as_a_sort_of_all_has_them() -> None:
    alike = [replace(one, model_id=f"{one.model_id}-{i}") for i in range(3) for one in MODELS[:3]]
    everything = matched(*alike, shown=len(alike))
    margin = CONSTANTS.margin
    for shown in (0, 1, 2, 4):
        for few, every in zip(matched(*alike, shown=shown), everything, strict=True):
            expected = [
                match.model.model_id
                for place, match in enumerate(every.ranked)
                if place < shown or (match.lead is not None and match.lead > -margin)
            ]
            assert [match.model.model_id for match in few.ranked] == expected
