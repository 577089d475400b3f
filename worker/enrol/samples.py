"""Sample images to the fingerprints that enrolment judges: every sample under every condition."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fingerprint_db.conditions import CONDITIONS, Condition
from fingerprint_db.enrolment import Samples
from worker.decoder.decode import DecodedImage
from worker.enrol.image_files import ImageFile, find_image_files
from worker.enrol.recompress import Picture, from_pil, under_condition
from worker.errors import RejectError
from worker.extractor.calibration import Calibration, bin_of
from worker.extractor.extract import Extractor, ImageFingerprint

Decode = Callable[[bytes], DecodedImage]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A sample that was not used, and why."""

    subject: str
    why: str


@dataclass(frozen=True, slots=True, eq=False)
class SampleSet:
    """Distinct sample files that can be fingerprinted, and those left out."""

    files: tuple[bytes, ...]
    left_out: tuple[LeftOut, ...]


def read_samples(folder: Path, decode: Decode) -> SampleSet:
    """All images below `folder` that decode and are distinct; the rest with its reason."""
    files: list[bytes] = []
    left_out: list[LeftOut] = []
    seen: dict[str, str] = {}
    for found in find_image_files([folder]):
        subject = getattr(found, "subject", found.path).decode("utf-8", "replace")
        if not isinstance(found, ImageFile):
            left_out.append(LeftOut(subject, found.why))
            continue
        try:
            data = Path(found.path.decode("utf-8", "surrogateescape")).read_bytes()
            image = decode(data)
        except OSError as error:
            left_out.append(LeftOut(subject, error.strerror or str(error)))
            continue
        except RejectError as error:
            left_out.append(LeftOut(subject, f"{error.code}: {error.message}"))
            continue
        if image.problem is not None:
            left_out.append(LeftOut(subject, image.problem))
        elif image.facts.sha256 in seen:
            left_out.append(LeftOut(subject, f"the same file as {seen[image.facts.sha256]}"))
        else:
            seen[image.facts.sha256] = subject
            files.append(data)
    return SampleSet(tuple(files), tuple(left_out))


def fingerprint_samples(
    files: Sequence[bytes],
    decode: Decode,
    extractor: Extractor,
    calibration: Calibration,
    *,
    batch: int = 32,
    progress: Progress = lambda done, total: None,
) -> Samples:
    """Fingerprints (N, D) and real-test p-values (N,) of the samples under every condition.

    The files were decoded before by `read_samples`, in the sandbox; here Pillow opens them once
    more to re-encode them, so enrol only samples whose origin you trust.
    """
    formats = ("JPEG", "PNG", "WEBP")
    pictures = [from_pil(Image.open(io.BytesIO(data), formats=formats)) for data in files]
    vectors: dict[str, NDArray[np.float32]] = {}
    p_values: dict[str, NDArray[np.float64]] = {}
    total = len(CONDITIONS) * len(files)
    for position, condition in enumerate(CONDITIONS):
        rows: list[NDArray[np.float32]] = []
        values: list[float] = []
        for start in range(0, len(files), batch):
            part = range(start, min(start + batch, len(files)))
            images = [_seen(decode, files[i], pictures[i], condition) for i in part]
            usable = [image for image in images if image is not None]
            for image, result in zip(usable, extractor.extract(usable), strict=True):
                if isinstance(result, ImageFingerprint):
                    facts = image.facts
                    rows.append(result.vector)
                    side = min(facts.width, facts.height)
                    name = bin_of(facts.lossy, facts.jpeg_quality, side)
                    values.append(calibration.p_value(name, result.synthesis_score))
            progress(position * len(files) + part.stop, total)
        if rows:
            vectors[condition.name] = np.stack(rows)
            p_values[condition.name] = np.array(values)
    return Samples(vectors, p_values)


def _seen(
    decode: Decode, received: bytes, picture: Picture, condition: Condition
) -> DecodedImage | None:
    """A sample as the worker would see it under `condition`; None where it gives no verdict."""
    try:
        image = decode(under_condition(received, picture, condition))
    except RejectError:  # a large JPEG, for one, halved and written as PNG may be over the limit
        return None
    return image if image.problem is None else None
