"""Attribution: image fingerprints against a registry snapshot, each in its own codec's space.

Letters: B images, K models, D fingerprint size.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from fingerprint_db.background import Background, Floats
from fingerprint_db.conditions import Codec
from fingerprint_db.matching.enrolled import Enrolled, ModelScores
from fingerprint_db.matching.levels import Level, Levels, Standing
from fingerprint_db.model_fingerprint import ModelFingerprint
from fingerprint_db.snapshot import Snapshot
from worker.judge.photographs import Photographs


@dataclass(frozen=True, slots=True)
class Match:
    """How one image compares with one model, under the likeliest of the model's conditions.

    `score` is in deviations of photographs (rises) and `standing` what it is worth among them;
    `distance` is squared Mahalanobis (falls), and `typical` says whether it is within the model's
    own `limit`, which rests on `limit_count` samples. `likelihood` is in nats, up to a constant;
    `lead` by how much it exceeds that of the best other live model (negative behind it), None where
    there is no other.
    """

    model: ModelFingerprint
    condition: str
    score: float
    distance: float
    limit: float
    limit_count: int
    typical: bool
    likelihood: float
    lead: float | None
    standing: Standing


@dataclass(frozen=True, slots=True, eq=False)
class NameFindings:
    """What the registry says of one image.

    `standing` is that of the highest score of a live model that the image is typical of: a small
    p-value says that some registered generator explains it better than photographs are explained.
    `source_p_value` is the same for a source never seen. Both by the photographs of `level`.
    `codec` is the space that it was found in, the most telling of `tests` that were asked; p-values
    are multiplied by these, so that they bound the error of all together (Bonferroni).
    `ranked` are matches, likeliest first, live ones and shadows; each live model within the margin
    of the likeliest and each shadow that the image is typical of is among them. `direction` (D,)
    is that of the likeliest live model's score, None without one.
    """

    standing: Standing
    source_p_value: float
    level: Level
    ranked: tuple[Match, ...]
    direction: Floats | None
    codec: Codec
    tests: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class _Registered:
    """The models of one codec, and what the highest of them score on photographs.

    Shadows have levels of their own: a photograph that resembles one must not count as a match.
    """

    enrolled: Enrolled
    live: Levels
    shadow: Levels


class Matcher:
    """A snapshot prepared for matching; built once per revision, then only read.

    `photographs` are those of the same background, so that they are prepared once for many
    snapshots.
    """

    def __init__(
        self, background: Background, snapshot: Snapshot, photographs: Photographs | None = None
    ) -> None:
        assert snapshot.space == background.space, "a snapshot of another fingerprint space"
        self._background = background
        self._snapshot = snapshot
        self._photographs = photographs or Photographs(background)
        # Filled when a codec is first met: most images of a stream share a few.
        self._registered: dict[Codec, _Registered] = {}

    def match(
        self,
        vectors: Floats,
        codecs: Sequence[Codec],
        size_classes: Sequence[int],
        *,
        shown: int = 3,
    ) -> list[NameFindings]:
        """What the registry says of each of B images; `shown` matches of each at least are made.

        `vectors` is (B, D); `codecs` and `size_classes` (positions in SIZE_CLASSES) have one for
        each image. ValueError where they differ in number.
        """
        if not len(vectors) == len(codecs) == len(size_classes):
            raise ValueError(
                f"{len(vectors)} fingerprints come with {len(codecs)} codecs and"
                f" {len(size_classes)} size classes; expected one of each for every image"
            )
        found: dict[int, NameFindings] = {}
        for codec in dict.fromkeys(codecs):
            rows = [i for i, own in enumerate(codecs) if own == codec]
            sizes = [size_classes[i] for i in rows]
            found |= zip(rows, self._under(codec, vectors[rows], sizes, shown), strict=True)
        return [found[i] for i in range(len(vectors))]

    def _under(
        self, codec: Codec, vectors: Floats, sizes: Sequence[int], shown: int
    ) -> Iterator[NameFindings]:
        """Findings of images (B, D) of one codec, in order."""
        registered = self._of(codec)
        enrolled = registered.enrolled
        found = enrolled.match(vectors)
        leads = _leads(found.likelihoods, enrolled)  # (B, K)
        order = np.argsort(-found.likelihoods, axis=1, kind="stable")  # (B, K)
        # Told: the likeliest few, whoever ties with the likeliest live one, and typical shadows.
        ties = enrolled.live & (leads > -self._background.constants.margin)
        told = ties | (~enrolled.live & found.typical)
        np.put_along_axis(told, order[:, :shown], values=True, axis=1)
        for b, size in enumerate(sizes):
            ranked = [int(k) for k in order[b][told[b][order[b]]]]
            best = next((k for k in ranked if enrolled.live[k]), None)
            level = registered.live.by_size[size]
            highest = float(found.highest[b])
            yield NameFindings(
                level.standing(highest),
                level.new_source.p_value(highest),
                level,
                tuple(_match(registered, found, b, k, size, float(leads[b, k])) for k in ranked),
                None if best is None else enrolled.directions.scaled[found.rows[b, best]],
                codec,
            )

    def _of(self, codec: Codec) -> _Registered:
        if codec not in self._registered:
            space = self._background.codecs[codec]
            enrolled = Enrolled.of(
                space,
                self._background.constants,
                self._snapshot.models,
                codec,
                self._photographs.of(codec).impostors,
            )
            shadows = partial(enrolled.highest, among=~enrolled.live)
            self._registered[codec] = _Registered(
                enrolled,
                self._photographs.levels(codec, enrolled.highest),
                self._photographs.levels(codec, shadows),
            )
        return self._registered[codec]


def _leads(likelihoods: Floats, enrolled: Enrolled) -> Floats:
    """(B, K) nats ahead of the best other live model; infinite where there is no other."""
    live = np.where(enrolled.live, likelihoods, np.float32(-np.inf))
    # The two best live ones; there may be one or none.
    two = np.sort(np.pad(live, ((0, 0), (2, 0)), constant_values=-np.inf), axis=1)[:, -2:]
    rival = np.where(live == two[:, 1:], two[:, :1], two[:, 1:])
    leads: Floats = likelihoods - rival
    return leads


def _match(
    registered: _Registered, found: ModelScores, b: int, k: int, size: int, lead: float
) -> Match:
    enrolled = registered.enrolled
    row = int(found.rows[b, k])
    score = float(found.scores[b, k])
    levels = registered.live if enrolled.live[k] else registered.shadow
    return Match(
        enrolled.models[k],
        enrolled.conditions[row],
        score,
        float(found.distances[b, k]),
        float(enrolled.limits[row]),
        int(enrolled.counts[row]),
        bool(found.typical[b, k]),
        float(found.likelihoods[b, k]),
        lead if np.isfinite(lead) else None,
        levels.by_size[size].standing(score),
    )
