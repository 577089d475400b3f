"""JPEG qualities far from those of the calibration: nothing is flagged there, and rightly so."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from fingerprint_db.background import Background
from fingerprint_db.conditions import codec_of
from fingerprint_db.matching.familiarity import COARSEST, FILE_STEP, NEIGHBOURS, Familiarity
from fingerprint_db.memory_registry import MemoryRegistry
from fingerprint_db.transfer import import_
from tests.imports import ROOT
from tests.worker.judge.judging import NOW, items, judged
from training.demo.files import photo_paths
from worker.decoder.jpeg_quality import standard_table
from worker.events.records import Verdict
from worker.extractor.bundle import Bundle, load_bundle, zoo_export_path
from worker.extractor.extract import BlockExtractor
from worker.extractor.nuisance import Nuisance
from worker.judge.pipeline import Pipeline
from worker.judge.policy import load_policy
from worker.registry.view import RegistryView

CHROMA = {False: "4:2:0, 4:2:2", True: "4:4:4"}
SIDE = 256


def test_the_steps_are_where_the_extractor_puts_them() -> None:
    assert Nuisance.NAMES[FILE_STEP] == "file_step"
    for codec, least in {"full_chroma_jpeg75": 74, "full_chroma_jpeg90": 88}.items():
        steps = [np.log2(np.maximum(1, standard_table(q))).mean() for q in (least, least - 1)]
        known = {str(name): step for name, step in COARSEST.items()}[codec]
        assert steps[0] <= known < steps[1]


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """The one that is shipped."""
    return load_bundle()


def test_the_manual_lists_the_qualities_at_which_no_picture_is_flagged(bundle: Bundle) -> None:
    page = (ROOT / "docs" / "concepts.md").read_text()
    least = load_policy().minimum_jpeg_quality
    for full_chroma, chroma in CHROMA.items():
        far = [
            quality
            for quality in range(least, 101)
            if nothing_is_familiar(bundle.background, quality, full_chroma=full_chroma)
        ]
        assert 90 not in far
        assert f"| {chroma} | {', '.join(runs(far))} |" in page


@pytest.mark.parametrize("quality", [61, 70])
def test_photographs_of_such_a_quality_would_pass_both_tests_and_none_is_flagged(
    bundle: Bundle, quality: int
) -> None:
    """Held out, in full chroma: at 75, which calibrates, none passes; here most do."""
    unguarded = replace(bundle.background.constants, unfamiliar_distance=1e9)
    without = replace(bundle, background=replace(bundle.background, constants=unguarded))
    files = list(photographs(quality))
    assert sum(one.flagged for one in verdicts(without, list(photographs(75)))) == 0
    passed = sum(one.flagged for one in verdicts(without, files))
    assert passed > len(files) / 2
    found = verdicts(bundle, files)
    assert not any(one.flagged for one in found)
    doubts = [one.reasons[-1] for one in found if one.outcome == "undetermined"]
    assert doubts == ["unfamiliar_picture"] * len(doubts)
    assert len(doubts) >= passed


def nothing_is_familiar(background: Background, quality: int, *, full_chroma: bool) -> bool:
    """Whether a file of this quality is unfamiliar by its step alone, whatever it shows."""
    codec = codec_of(True, quality, full_chroma=full_chroma)
    known = Familiarity.of(background.codecs[codec].cohort)
    step = float(np.log2(np.maximum(1, standard_table(quality))).mean())
    asked = (step - known.centre[FILE_STEP]) / known.scale[FILE_STEP]
    asked += max(0.0, step - COARSEST.get(codec, step)) / 0.01
    apart = np.abs(known.standardised[:, FILE_STEP] - asked)
    ends = [*known.first_views.tolist(), len(apart)]
    nearest = sorted(float(apart[first:last].min()) for first, last in pairwise(ends))
    distance = nearest[NEIGHBOURS - 1] / len(Nuisance.NAMES) ** 0.5
    return bool(distance > background.constants.unfamiliar_distance)


def runs(numbers: Sequence[int]) -> list[str]:
    """1, 2, 3, 5 as "1 to 3" and "5"."""
    starts = [n for n in numbers if n - 1 not in numbers]
    ends = [n for n in numbers if n + 1 not in numbers]
    return [f"{a} to {b}" if a < b else str(a) for a, b in zip(starts, ends, strict=True)]


def photographs(quality: int) -> Iterator[bytes]:
    """The middle of each of the demo's photographs, which nothing learned from, in full chroma."""
    for path in photo_paths():
        with Image.open(path) as opened:
            left, top = (opened.width - SIDE) // 2, (opened.height - SIDE) // 2
            middle = opened.convert("RGB").crop((left, top, left + SIDE, top + SIDE))
        out = io.BytesIO()
        middle.save(out, "JPEG", quality=quality, subsampling=0)
        yield out.getvalue()


def verdicts(bundle: Bundle, files: Sequence[bytes]) -> list[Verdict]:
    """With the zoo's generators registered."""
    registry = MemoryRegistry()
    import_(registry, zoo_export_path().read_bytes(), by="ada", reason="a test")
    pipeline = Pipeline(BlockExtractor(bundle), bundle, load_policy(), lambda: NOW)
    view = RegistryView(registry.snapshot(bundle.digest), 0.25)
    return [judged(one).verdict for one in pipeline.judge(items(*files), view)]
