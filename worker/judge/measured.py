"""What was measured of one image, as the parts of its verdict: the tests and the evidence."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from fingerprint_db.matching.levels import Level, Standing
from worker.events.verdict_parts import EvidenceRecord, NameTest, RealTest
from worker.extractor.extract import ImageFingerprint
from worker.extractor.nuisance import Nuisance
from worker.judge.attribute import NameFindings
from worker.judge.policy import Policy


@dataclass(frozen=True, slots=True)
class StatedRates:
    """How many photographs pass a level by chance, as measured.

    `unseen` is the share of photographs that pass where their own source calibrates nothing, mean
    over sources, `worst` that of the worst one; `bound` holds among photographs like those of the
    calibration.
    """

    unseen: float
    worst: float
    bound: float

    @classmethod
    def of(cls, level: Level, alpha: float, alpha_source: float) -> "StatedRates":
        """Of photographs that pass both levels; some milliseconds, so keep it."""
        unseen, worst = level.sources.unseen_rate(alpha, alpha_source)
        return cls(unseen, worst, level.rate_bound(alpha))


def name_test(names: NameFindings, policy: Policy, rates: StatedRates, bin_name: str) -> NameTest:
    """The test of registered generators, as the verdict states it."""
    return NameTest(
        p_value=names.standing.p_value,
        alpha=policy.alpha_name,
        source_p_value=names.source_p_value,
        source_count=names.level.new_source.count,
        worst_source_share=names.standing.worst_share,
        alpha_source=policy.alpha_source,
        alike_p_value=names.standing.alike_p_value,
        alpha_alike=max(policy.alpha_name, policy.alpha_alike),
        unseen_source_rate=_share(rates.unseen),
        unseen_source_worst=_share(rates.worst),
        calibration_count=names.level.count,
        calibration_bin=bin_name,
    )


def real_test(
    level: Level, standing: Standing, policy: Policy, rates: StatedRates, bin_name: str
) -> RealTest:
    """The test with nothing registered, as the verdict states it."""
    return RealTest(
        p_value=standing.p_value,
        alpha=policy.alpha_unknown,
        alike_p_value=standing.alike_p_value,
        alpha_alike=max(policy.alpha_unknown, policy.alpha_alike),
        false_positive_rate=_share(rates.unseen),
        false_positive_bound=rates.bound,
        calibration_count=level.count,
        calibration_bin=bin_name,
    )


def evidence_record(
    fingerprint: ImageFingerprint,
    unfamiliarity: float,
    limit: float,
    blocks: Mapping[str, float],
) -> EvidenceRecord:
    """What the verdict was read from; `unfamiliarity` and `limit` are in deviations."""
    return EvidenceRecord(
        codec=fingerprint.codec,
        pixels_read=fingerprint.pixels_read,
        earlier_jpeg_quality=fingerprint.earlier_quality,
        blocks={name: round(added, 4) for name, added in blocks.items()},
        kind={
            name: round(number, 4)
            for name, number in zip(Nuisance.NAMES, fingerprint.kind.tolist(), strict=True)
        },
        familiarity_distance=unfamiliarity if math.isfinite(unfamiliarity) else None,
        familiarity_limit=limit,
        unfamiliar=unfamiliarity > limit,
    )


def _share(rate: float) -> float:
    # Differences of sums of shares may leave the range by a rounding.
    return min(1.0, max(0.0, rate))
