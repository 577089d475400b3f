"""Attribution: image fingerprints against a registry snapshot, in each space of their files' codec.

Letters: B images, D fingerprint size.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from fingerprint_db.background import Background, Floats, size_class_of
from fingerprint_db.conditions import Codec, is_shown
from fingerprint_db.matching.enrolled import Enrolled
from fingerprint_db.matching.levels import Level, Standing
from fingerprint_db.matching.registered import Registered
from fingerprint_db.matching.told import Closest
from fingerprint_db.model_fingerprint import ModelFingerprint
from fingerprint_db.snapshot import Difference, Snapshot
from worker.extractor.extract import ImageFingerprint
from worker.judge.photographs import Held, Photographs


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
class ReadingFindings:
    """What the registry says of one image in one space.

    `ranked` are matches, likeliest first, live ones and shadows; each live model within the margin
    of the likeliest and each shadow that the image is typical of is among them. `direction` (D,)
    is that of the likeliest live model's score, None without one. `highest` is the highest score of
    a live model within its reach, -inf without one.
    """

    codec: Codec
    ranked: tuple[Match, ...]
    direction: Floats | None
    highest: float


@dataclass(frozen=True, slots=True, eq=False)
class NameFindings:
    """What the registry says of one image.

    `standing` is that of the highest score of a live model within its reach, in any reading: a
    small p-value says that some registered generator explains it better than photographs are
    explained, among all of them and among those most like it. `source_p_value` is the same for a
    source never seen. All by the photographs of `level`, which are read in the same spaces.
    `readings` are one or more, the first in the space that the file shows.
    """

    standing: Standing
    source_p_value: float
    level: Level
    readings: tuple[ReadingFindings, ...]

    @property
    def telling(self) -> ReadingFindings:
        """The reading in which a registered generator stands out most, the first of equals."""
        return max(self.readings, key=lambda one: one.highest)

    def behind(self, match: Match | None) -> ReadingFindings:
        """The reading that a match was found in; the telling one where there is none."""
        for one in self.readings:
            if any(own is match for own in one.ranked):
                return one
        return self.telling


@dataclass(frozen=True, slots=True, eq=False)
class _Levels:
    """The models of one codec's files, and what the highest of them score on photographs.

    Shadows have levels of their own: a photograph that resembles one must not count as a match.
    """

    models: tuple[ModelFingerprint, ...]
    registered: Registered
    live: Held
    shadow: Held


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
        # Filled by `prepare`, or when a codec is first met: most images of a stream share a few.
        self._levels: dict[Codec, _Levels] = {}
        self._former: dict[Codec, _Levels] = {}
        self._change: Difference | None = None

    def following(self, snapshot: Snapshot) -> "Matcher":
        """The same of another snapshot; what both share is not computed again."""
        fresh = Matcher(self._background, snapshot, self._photographs)
        fresh._former = {**self._former, **self._levels}
        return fresh

    def prepare(self) -> None:
        """Make ready for every codec that a file may show: no image is the first to need it."""
        for codec in self._background.codecs:
            if is_shown(codec):
                self._of(codec)

    def match(
        self, fingerprints: Sequence[ImageFingerprint], *, shown: int = 3
    ) -> list[NameFindings]:
        """What the registry says of each image; `shown` matches at least are told of each."""
        found: dict[int, NameFindings] = {}
        codecs = [one.codec for one in fingerprints]
        for codec in dict.fromkeys(codecs):
            rows = [i for i, own in enumerate(codecs) if own == codec]
            some = [fingerprints[i] for i in rows]
            found |= zip(rows, self._under(codec, some, shown), strict=True)
        return [found[i] for i in range(len(fingerprints))]

    def _under(
        self, codec: Codec, fingerprints: Sequence[ImageFingerprint], shown: int
    ) -> Iterator[NameFindings]:
        """Findings of images whose files show one codec, in order."""
        levels = self._of(codec)
        registered = levels.registered
        sizes = [size_class_of(one.pixels_read) for one in fingerprints]
        parts = [
            np.stack([one.reading(reading).vector for one in fingerprints])
            for reading in registered.readings
        ]
        # Of each reading a generator of the images' findings, which are taken together.
        by_reading = [
            self._in(reading, enrolled, part, sizes, levels, shown)
            for reading, enrolled, part in zip(
                registered.readings, registered.enrolled, parts, strict=True
            )
        ]  # fmt: skip
        together = list(zip(*by_reading, strict=True))
        highest = [max(reading.highest for reading in readings) for readings in together]
        kinds = np.stack([one.kind for one in fingerprints])
        standings = levels.live.levels.standings(sizes, np.array(highest, np.float32), kinds)
        for readings, most, standing, size in zip(together, highest, standings, sizes, strict=True):
            level = levels.live.levels.by_size[size]
            yield NameFindings(standing, level.new_source.p_value(most), level, readings)

    def _in(
        self,
        codec: Codec,
        enrolled: Enrolled,
        vectors: Floats,
        sizes: Sequence[int],
        levels: _Levels,
        shown: int,
    ) -> list[ReadingFindings]:
        """Of images (B, D) in one space."""
        results = []
        for found, size in zip(enrolled.closest(vectors, shown), sizes, strict=True):
            matches = []
            for place, k in enumerate(found.models.tolist()):
                held = levels.live if enrolled.models[k].status == "live" else levels.shadow
                matches.append(_match(enrolled, found, place, held.levels.by_size[size]))
            best = next((i for i, m in enumerate(matches) if m.model.status == "live"), None)
            direction = None if best is None else enrolled.direction(int(found.rows[best]))
            results.append(ReadingFindings(codec, tuple(matches), direction, found.highest))
        return results

    def _of(self, codec: Codec) -> _Levels:
        if codec not in self._levels:
            photographs, former = self._photographs, self._former.pop(codec, None)
            models = self._snapshot.models
            if former is None:
                registered = Registered.of(
                    self._background, models, codec, photographs.of(codec).impostors
                )
                live = shadow = None
            else:
                change = self._change_since(former.models)
                registered = former.registered.following(change)
                live, shadow = (former.live, change), (former.shadow, change)
            self._levels[codec] = _Levels(
                models,
                registered,
                photographs.held(codec, registered, live=True, former=live),
                photographs.held(codec, registered, live=False, former=shadow),
            )
        return self._levels[codec]

    def _change_since(self, models: tuple[ModelFingerprint, ...]) -> Difference:
        """What changed since these; most codecs were prepared last for the same models."""
        if self._change is None or self._change.before is not models:
            self._change = Difference.between(models, self._snapshot.models)
        return self._change


def _match(enrolled: Enrolled, found: Closest, place: int, level: Level) -> Match:
    row, lead = int(found.rows[place]), float(found.leads[place])
    score = float(found.scores[place])
    return Match(
        enrolled.models[found.models[place]],
        enrolled.condition(row),
        score,
        float(found.distances[place]),
        enrolled.limit(row),
        enrolled.count(row),
        bool(found.typical[place]),
        float(found.likelihoods[place]),
        lead if np.isfinite(lead) else None,
        level.standing(score),
    )
