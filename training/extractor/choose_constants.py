"""Choosing the constants of the decision, on generators that no report calls held out.

Ten seeds of SNGAN are committed, which differ by their random numbers alone. The constants are
chosen on five of them and measured on the other five. Each is asked twice: with all five
registered, is it named right; with itself left out, is it named at all, which would be wrong. The
real test is left out of this, since the constants do not enter it.

Letters: M models, Q images, of all generators together.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.background import Background, DecisionConstants
from fingerprint_db.conditions import CODECS, CONDITIONS, Codec, Condition, Scale
from fingerprint_db.model_fingerprint import ConditionStatistics
from fingerprint_db.scoring import (
    Alternative,
    leave_one_out_distances,
    log_likelihood_ratios,
    model_metric,
    squared_distances,
    t_quantile,
)
from training.extractor.calibrate import vectors_of
from training.extractor.earlier import covariances_of, network_of
from training.extractor.sources import CHOOSING_SEED
from training.extractor.views import read_back
from training.histories.encodings import Encoding, write
from training.zoo.generate import generate, load_generator
from training.zoo.sets import models_by_name
from worker.decoder.crops import CropReading
from worker.decoder.decode import DecodeLimits
from worker.enrol.recompress import under_condition
from worker.errors import StopError
from worker.extractor.architectures import ExtractorNetwork
from worker.judge.policy import load_policy

CHOOSE_ON = tuple(f"sngan_seed{number}" for number in range(1, 6))
REPORT_ON = tuple(f"sngan_seed{number}" for number in range(6, 11))
SAMPLES = (50, 150)
"""How many samples are enrolled; a constant counts by its mean over these."""

QUERIES = 60
QUERIED: tuple[Condition, ...] = (
    Condition("full", "as_received"),
    Condition("full", "jpeg90"),
    Condition("full", "jpeg75"),
    Condition("half", "as_received"),
    Condition("half", "jpeg75"),
)
# No prior above the samples of a standard entry: a generator's own covariance is to weigh at least
# as much as the pooled one. By the score alone the largest that was tried, 240, would be chosen.
PRIORS = (5.0, 15.0, 30.0, 50.0)
PENALTIES_PER_NUMBER = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8)
_SCALES: tuple[Scale, ...] = ("full", "half")
# No more than 1 in 40 of a generator's own images is to be lost to a threshold: of 95 % that are to
# be named right that leaves half to everything else. By the score alone 1 in 10 would be lost.
BEYOND_AS_RECEIVED = (0.0025, 0.005, 0.01, 0.025)
BEYOND_REENCODED = (0.0025, 0.005, 0.01, 0.025)
FORMER = DecisionConstants(15.0, 40.0 / 96, 0.005, 0.025)
"""Those of the bundles before, which were chosen on the held-out generator of the evaluation."""

RESULT = Path(__file__).with_name("constants.json")
Say = Callable[[str], None]
Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Score:
    """What some constants come to, as shares 0..1, means over `QUERIED` and `SAMPLES`.

    `right`: images of a registered generator that are named right; `wrong`: that are named
    otherwise. `taken`: images of a generator that is not registered and that are named. `value` is
    the mean of `right` and of what is not taken.
    """

    right: float
    wrong: float
    taken: float

    @property
    def value(self) -> float:
        return (self.right + 1 - self.taken) / 2


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """Q images against M models under a codec, at full size [0] and halved [1], all (2, M, Q).

    `centre` and `width` (2, M) are the mean and the prediction deviation of the cube roots of the
    models' leave-one-out distances, and `degrees` those of t.
    """

    distances: Doubles
    ratios: Doubles
    likelihoods: Doubles
    centre: Doubles
    width: Doubles
    degrees: int


def load_constants(path: Path = RESULT) -> DecisionConstants:
    """The constants as chosen; StopError where they are not there."""
    try:
        return DecisionConstants(**json.loads(path.read_text())["chosen"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StopError(
            f"{path} holds no chosen constants ({error}); run `latentprint train constants`"
        ) from error


def choose_constants(bundle: Path, say: Say) -> dict[str, Any]:
    """Choose on `CHOOSE_ON`, measure on `REPORT_ON`; the result as constants.json holds it."""
    network, _ = network_of(bundle)
    arrays = covariances_of(bundle)
    limits = DecodeLimits(CropReading(network.crop_size, 16))
    chosen_on = _fingerprints(network, CHOOSE_ON, limits, say)
    scores = {
        constants: score
        for prior in PRIORS
        for constants, score in _scores(chosen_on, background(arrays, prior))
    }
    best = max(scores, key=lambda constants: round(scores[constants].value, 4))
    say(f"chosen: {best}")
    reported_on = _fingerprints(network, REPORT_ON, limits, say)
    return {
        "chosen": asdict(best),
        "chosen_on": _row(CHOOSE_ON, scores[best], FORMER, _score_of(chosen_on, arrays, FORMER)),
        "reported_on": _row(
            REPORT_ON,
            _score_of(reported_on, arrays, best),
            FORMER,
            _score_of(reported_on, arrays, FORMER),
        ),
        "samples": SAMPLES,
        "queries": QUERIES,
        "conditions": [condition.name for condition in QUERIED],
        "tried": [
            {**asdict(constants), **_rounded(score)}
            for constants, score in sorted(scores.items(), key=lambda item: -item[1].value)[:40]
        ],
    }


def _row(
    generators: Sequence[str], score: Score, former: DecisionConstants, before: Score
) -> dict[str, Any]:
    return {
        "generators": list(generators),
        "score": _rounded(score),
        "former": asdict(former),
        "score_of_former": _rounded(before),
    }


def _rounded(score: Score) -> dict[str, float]:
    return {name: round(value, 4) for name, value in asdict(score).items()} | {
        "value": round(score.value, 4)
    }


def background(arrays: dict[str, NDArray[np.float32]], prior: float) -> Background:
    """The measured statistics with a prior to try; the other constants are not read from it."""
    nobody = np.zeros((len(CONDITIONS), 0, arrays["within"].shape[-1]), np.float32)
    constants = DecisionConstants(
        prior, FORMER.halved_penalty_per_number, FORMER.beyond_as_received, FORMER.beyond_reencoded
    )
    names = tuple(condition.name for condition in CONDITIONS)
    return Background("0" * 64, names, **arrays, real_vectors=nobody, constants=constants)


@dataclass(frozen=True, slots=True, eq=False)
class Fingerprints:
    """Of M generators: enrolment samples per condition, and queries per queried condition."""

    samples: tuple[dict[str, NDArray[np.float32]], ...]
    queries: tuple[dict[Condition, NDArray[np.float32]], ...]


def _fingerprints(
    network: ExtractorNetwork, names: Sequence[str], limits: DecodeLimits, say: Say
) -> Fingerprints:
    samples, queries = [], []
    codecs = {condition.codec for condition in QUERIED}
    for name in names:
        say(f"{name}: {max(SAMPLES)} samples and {QUERIES} images to name")
        generator = load_generator(models_by_name()[name].weights)
        enrolled = generate(generator, max(SAMPLES), CHOOSING_SEED)
        asked = generate(generator, QUERIES, CHOOSING_SEED + 10_000)
        samples.append(
            {
                condition.name: _vectors(network, enrolled, condition, limits)
                for condition in CONDITIONS
                if condition.codec in codecs
            }
        )
        queries.append(
            {condition: _vectors(network, asked, condition, limits) for condition in QUERIED}
        )
    return Fingerprints(tuple(samples), tuple(queries))


def _vectors(
    network: ExtractorNetwork,
    pictures: NDArray[np.uint8],
    condition: Condition,
    limits: DecodeLimits,
) -> NDArray[np.float32]:
    crops = []
    for picture in pictures:
        file = under_condition(write(picture, Encoding("png", 0, 0)), picture, condition)
        view = read_back(file, limits)
        if view is not None:
            crops.append(view.crops)
    return vectors_of(network, crops)[0]


def _score_of(
    found: Fingerprints, arrays: dict[str, NDArray[np.float32]], constants: DecisionConstants
) -> Score:
    with_prior = background(arrays, constants.prior_samples)
    return _mean(
        [
            _score(condition.codec, queries, compared, constants, with_prior.dimension)
            for condition, queries, compared in _comparisons(found, with_prior)
        ]
    )


def _scores(
    found: Fingerprints, with_prior: Background
) -> Iterator[tuple[DecisionConstants, Score]]:
    """Every combination of constants with this prior."""
    comparisons = list(_comparisons(found, with_prior))
    for rest in product(PENALTIES_PER_NUMBER, BEYOND_AS_RECEIVED, BEYOND_REENCODED):
        constants = DecisionConstants(with_prior.constants.prior_samples, *rest)
        yield (
            constants,
            _mean(
                [
                    _score(condition.codec, queries, compared, constants, with_prior.dimension)
                    for condition, queries, compared in comparisons
                ]
            ),
        )


def _mean(scores: Sequence[Score]) -> Score:
    return Score(
        float(np.mean([score.right for score in scores])),
        float(np.mean([score.wrong for score in scores])),
        float(np.mean([score.taken for score in scores])),
    )


def _comparisons(
    found: Fingerprints, with_prior: Background
) -> Iterator[tuple[Condition, NDArray[np.int64], Compared]]:
    """For each number of samples and queried condition: whose each image is (Q,), and the rest."""
    for count, condition in product(SAMPLES, QUERIED):
        queries = [of_one[condition] for of_one in found.queries]
        truth = np.repeat(np.arange(len(queries)), [len(rows) for rows in queries])
        samples = [
            tuple(of_one[Condition(scale, condition.codec).name][:count] for scale in _SCALES)
            for of_one in found.samples
        ]
        yield (
            condition,
            truth,
            compare(samples, np.concatenate(queries), condition.codec, with_prior),
        )


def compare(
    samples: Sequence[tuple[NDArray[np.float32], ...]],
    vectors: NDArray[np.float32],
    codec: Codec,
    with_prior: Background,
) -> Compared:
    """Images (Q, D) of files of `codec` against models of these samples, full size and halved."""
    assert codec in CODECS
    parts = np.empty((3, 2, len(samples), len(vectors)))
    roots = np.empty((2, 2, len(samples)))
    for (at, scale), (m, of_one) in product(enumerate(_SCALES), enumerate(samples)):
        name, rows = Condition(scale, codec).name, of_one[at]
        deviations = (rows - rows.mean(0)).astype(np.float64)
        scatter = (deviations.T @ deviations).astype(np.float32)
        entry = ConditionStatistics(
            name, len(rows), rows.mean(0).astype(np.float32), scatter, 1.0, len(rows)
        )
        metric = model_metric(with_prior, name, scatter, len(rows))
        distances = squared_distances(metric, vectors, entry)
        ratios = log_likelihood_ratios(
            Alternative.of(with_prior, name), metric, vectors, distances, len(rows)
        )
        spread = with_prior.dimension * np.log1p(1 / len(rows))
        parts[:, at, m] = distances, ratios, -0.5 * (distances + metric.log_det + spread)
        own = np.cbrt(leave_one_out_distances(with_prior, name, rows))
        roots[:, at, m] = own.mean(), own.std(ddof=1) * np.sqrt(1 + 1 / len(rows))
    return Compared(parts[0], parts[1], parts[2], roots[0], roots[1], len(samples[0][0]) - 1)


def named(
    compared: Compared,
    constants: DecisionConstants,
    codec: Codec,
    dimension: int,
    left_out: NDArray[np.int64] | None = None,
) -> NDArray[np.int64]:
    """Which of the M models each image (Q,) is named as, -1 for none, without the real test.

    As the matcher and the decision do it. `left_out` (Q,) is, for each image, a model that is not
    registered.
    """
    full = constants.beyond_as_received if codec == "as_received" else constants.beyond_reencoded
    levels = (full, constants.beyond_reencoded)
    z = np.array([[t_quantile(level, compared.degrees)] for level in levels])
    thresholds = (compared.centre + z * compared.width) ** 3  # (2, M)
    penalty = constants.halved_penalty_per_number * dimension
    halved = compared.likelihoods[1] - penalty > compared.likelihoods[0]  # (M, Q)
    accepted = compared.distances <= thresholds[:, :, None]
    similarity = np.where(
        np.where(halved, accepted[1], accepted[0]),
        np.where(halved, compared.ratios[1], compared.ratios[0]),
        -np.inf,
    )
    if left_out is not None:
        similarity[left_out, np.arange(similarity.shape[1])] = -np.inf
    order = np.argsort(-similarity, axis=0, kind="stable")
    best, second = np.take_along_axis(similarity, order[:2], axis=0)
    with np.errstate(invalid="ignore"):  # of two that do not accept, infinity less infinity
        clear = np.isfinite(best) & ~(best - second < _margin())
    return np.where(clear, order[0], -1)


@cache
def _margin() -> float:
    return load_policy().minimum_margin


def _score(
    codec: Codec,
    truth: NDArray[np.int64],
    compared: Compared,
    constants: DecisionConstants,
    dimension: int,
) -> Score:
    names = named(compared, constants, codec, dimension)
    unregistered = named(compared, constants, codec, dimension, left_out=truth)
    return Score(
        float((names == truth).mean()),
        float(((names != truth) & (names >= 0)).mean()),
        float((unregistered >= 0).mean()),
    )
