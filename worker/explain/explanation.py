"""What stands on the page of one picture: its verdict, and what the verdict was made of.

The verdict is the pipeline's own. What it does not carry is computed again from the same image by
the same functions, so that the page shows the numbers that decided.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fingerprint_db.background import Background, Floats, size_class_of
from fingerprint_db.conditions import Codec
from fingerprint_db.matching.enrolled import Enrolled
from fingerprint_db.matching.levels import Levels
from fingerprint_db.matching.photographs import PhotographScores
from fingerprint_db.matching.registered import readings_in
from fingerprint_db.model_fingerprint import ModelFingerprint
from fingerprint_db.snapshot import Snapshot
from worker.decoder.decode import DecodedImage
from worker.errors import StopError
from worker.events.records import Verdict
from worker.explain.degradation import Degradation, degradation
from worker.explain.held import Held, score_to_pass
from worker.explain.kinds import KindNumber, kind_numbers
from worker.explain.parts import Part, PartScore, agreement, cut_in_parts
from worker.extractor.arrival import arrival
from worker.extractor.bundle import Bundle
from worker.extractor.extract import Extractor, ImageFingerprint
from worker.extractor.fingerprint_map import CodecMap, block_statistics
from worker.judge.attribute import Matcher, NameFindings, ReadingFindings
from worker.judge.photographs import Photographs, Tenant
from worker.judge.policy import Policy
from worker.registry.view import RegistryView


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What was measured of a picture that has a fingerprint.

    `names` is the highest score over the registry, in any space that the file was read in;
    `named_codec` is the space that named it, or else that in which a generator stands out most.
    `generic` is the score with nothing registered, in the space that the file shows. Each is among
    photographs; the rate of those that pass `names` stays below `name_bound`.
    `likeliest` is the live generator that explains the picture best, `on_photographs` what it
    scores on those photographs, typical of it or not; None without one. `named_blocks` and
    `generic_blocks` are what each block adds to its score and to the generic one. `agreement` is
    that of the parts on the test by which the verdict was decided: `by_name`, or else the generic
    one.
    """

    names: Held
    named_codec: Codec
    generic: Held
    name_bound: float
    by_name: bool
    likeliest: str | None
    on_photographs: PhotographScores | None
    named_blocks: dict[str, float]
    generic_blocks: dict[str, float]
    kinds: tuple[KindNumber, ...]
    parts: tuple[Part, ...]
    agreement: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """One picture's page before it is drawn; `measured` is None where nothing was measured."""

    verdict: Verdict
    image: DecodedImage
    degradation: Degradation
    policy: Policy
    measured: Measured | None


@dataclass(frozen=True, slots=True, eq=False)
class _Test:
    """What a part is put to: `score` of its fingerprints (B, D), at levels as the policy has."""

    own_map: CodecMap
    score: Callable[[Floats], Floats]
    levels: Levels
    alpha: float
    alpha_source: float


@dataclass(frozen=True, slots=True, eq=False)
class _Likeliest:
    """The live generator that explains the whole picture best, as if it were the only one.

    `levels` are what it scores on photographs, typical of it or not.
    """

    model: ModelFingerprint
    enrolled: Enrolled
    levels: Levels

    def scores(self, vectors: Floats) -> Floats:
        """(B,) its scores of fingerprints (B, D)."""
        return self.enrolled.match(vectors).scores[:, 0]


def explain(
    image: DecodedImage,
    verdict: Verdict,
    view: RegistryView,
    *,
    bundle: Bundle,
    extractor: Extractor,
    policy: Policy,
) -> Explanation:
    """The page of an image and of the verdict that it got with this view, bundle and policy.

    StopError where the verdict is of another bundle or policy, or cannot be reproduced.
    """
    if (verdict.bundle_digest, verdict.policy_digest) != (bundle.digest, policy.digest):
        raise StopError(
            "the verdict is of another bundle or policy than it is to be explained with; judge the"
            " image again",
            exit_code=2,
        )
    measured = None
    if verdict.name_test is not None and view.snapshot is not None:
        photographs = _photographs(bundle.background, view, policy)
        measured = _measured(image, verdict, view.snapshot, photographs, bundle, extractor, policy)
    return Explanation(verdict, image, degradation(image), policy, measured)


def _measured(
    image: DecodedImage,
    verdict: Verdict,
    snapshot: Snapshot,
    photographs: Photographs,
    bundle: Bundle,
    extractor: Extractor,
    policy: Policy,
) -> Measured:
    (fingerprint,) = extractor.extract([image])
    if not isinstance(fingerprint, ImageFingerprint):
        raise fingerprint
    background, codec = bundle.background, fingerprint.codec
    space, size = background.codecs[codec], size_class_of(fingerprint.pixels_read)
    of_codec = photographs.of(codec)
    (found,) = Matcher(background, snapshot, photographs).match([fingerprint])
    telling = _telling(found, verdict)
    named = fingerprint.reading(telling.codec)
    names = Held.of(
        found.level,
        found.telling.highest,
        policy.alpha_name,
        policy.alpha_source,
        fingerprint.kind,
    )
    generic = Held.of(
        of_codec.generic.by_size[size],
        fingerprint.synthesis_score,
        policy.alpha_unknown,
        policy.alpha_source,
        fingerprint.kind,
    )
    _check(verdict, names, generic)
    likeliest = _likeliest(telling, codec, background, photographs)
    generic_test = _Test(
        bundle.maps[codec],
        lambda vectors: vectors @ space.synthesis,
        of_codec.generic,
        policy.alpha_unknown,
        policy.alpha_source,
    )
    name_test = None
    if likeliest is not None:
        name_test = _Test(
            bundle.maps[telling.codec],
            likeliest.scores,
            likeliest.levels,
            policy.alpha_name,
            policy.alpha_source,
        )
    parts = _parts(image, generic_test, name_test)
    asked = [part.named for part in parts] if names.passes else [part.generic for part in parts]
    direction = telling.direction
    return Measured(
        names,
        telling.codec,
        generic,
        found.level.rate_bound(policy.alpha_name),
        names.passes,
        None if likeliest is None else likeliest.model.name,
        None if likeliest is None else likeliest.levels.by_size[size].photographs,
        {} if direction is None else bundle.maps[named.codec].shares(named.standard, direction),
        bundle.maps[codec].shares(fingerprint.standard, space.synthesis),
        kind_numbers(
            fingerprint.kind,
            space.cohort,
            None if of_codec.own is None else of_codec.own.kinds,
            alone=of_codec.generic.by_size[size].alone,
        ),
        parts,
        agreement(asked, names.passes or generic.passes),
    )


def _photographs(background: Background, view: RegistryView, policy: Policy) -> Photographs:
    """The bundle's, and the tenant's where the view has some, as the pipeline takes them."""
    if view.calibration is None or view.calibration.digest is None:
        return Photographs(background)
    return Photographs(
        background, Tenant(view.calibration, policy.alpha_name, policy.alpha_unknown)
    )


def _check(verdict: Verdict, names: Held, generic: Held) -> None:
    """A page that shows other numbers than decided would mislead."""
    assert verdict.name_test is not None
    assert verdict.real_test is not None
    stated = (verdict.name_test.p_value, verdict.real_test.p_value)
    again = (names.p_value, generic.p_value)
    if stated != again:
        raise StopError(
            f"the verdict states the p-values {stated}, and the same image gives {again} now; the"
            " registry or the bundle was changed in between: judge the image again",
            exit_code=1,
        )


def _telling(found: NameFindings, verdict: Verdict) -> ReadingFindings:
    """The reading that named the model of the verdict; without one the most telling."""
    named = (verdict.model_id, verdict.condition)
    for one in found.readings:
        likeliest = next((match for match in one.ranked if match.model.status == "live"), None)
        if likeliest is not None and (likeliest.model.model_id, likeliest.condition) == named:
            return one
    return found.telling


def _likeliest(
    telling: ReadingFindings, codec: Codec, background: Background, photographs: Photographs
) -> _Likeliest | None:
    """In one of the spaces that files of `codec` are read in."""
    live = [match.model for match in telling.ranked if match.model.status == "live"]
    if not live:
        return None
    readings = readings_in(background, codec)
    position = readings.index(telling.codec)
    alone = Enrolled.of(
        background.codecs[telling.codec],
        background.constants,
        live[:1],
        telling.codec,
        photographs.of(codec).impostors[position],
    )

    def scores(vectors: Floats) -> Floats:
        """Of photographs, in all spaces side by side."""
        part = np.split(vectors, len(readings), axis=1)[position]
        return alone.match(part).scores[:, 0]

    return _Likeliest(live[0], alone, photographs.levels(codec, scores))


def _parts(image: DecodedImage, generic: _Test, named: _Test | None) -> tuple[Part, ...]:
    """The parts, read as the whole was: on its codec's grid, through each test's map."""

    def put_to(test: _Test, statistics: Floats, pixels: int) -> PartScore:
        vectors = test.own_map.fingerprint(test.own_map.standard(statistics[None]))
        score = float(test.score(vectors)[0])
        level = test.levels.by_size[size_class_of(pixels)]
        return PartScore(
            score,
            score_to_pass(level, test.alpha, test.alpha_source),
            level.passes(score, test.alpha, test.alpha_source),
        )

    facts = image.facts
    found = []
    for cut in cut_in_parts(arrival(image).regions, image.origins, facts.height, facts.width):
        # Both tests' codecs are of one group, which reads the same blocks.
        statistics = block_statistics(cut.regions, generic.own_map.blocks)
        pixels = sum(region[0].size for region in cut.regions)
        of_name = None if named is None else put_to(named, statistics, pixels)
        of_generic = put_to(generic, statistics, pixels)
        found.append(Part(cut.row, cut.column, pixels, of_generic, of_name))
    return tuple(found)
