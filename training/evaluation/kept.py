"""Fingerprints of a subject on disk, so that a run goes on where it was interrupted.

    WORK/DIGEST/frozen.json          the bundle, before anything held out was opened
    WORK/DIGEST/seen/NAME.npz        a subject's files as the worker read them
    WORK/DIGEST/samples/NAME.npz     a generator's samples under every condition

Files are written whole or not at all, under the digest of the bundle: another bundle finds nothing.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.gate.enrolment import Samples
from training.evaluation.judge import Seen
from training.evaluation.subjects import Subject

FROZEN = "frozen.json"
_BETWEEN = "::"  # a field of Samples and a condition


class Kept:
    """What is kept of one bundle below a folder."""

    def __init__(self, work: Path, digest: str) -> None:
        self.folder = work / digest[:16]

    def freeze(self, statement: Mapping[str, Any]) -> dict[str, Any]:
        """Write down what is judged with before test sources are opened; what stands there stays.

        Returns what stands there: of an interrupted run the first statement.
        """
        path = self.folder / FROZEN
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            draft = path.with_suffix(f".{os.getpid()}")
            draft.write_text(json.dumps(statement, indent=1) + "\n")
            draft.replace(path)
        found: dict[str, Any] = json.loads(path.read_text())
        return found

    def lock(self, subject: Subject) -> Path:
        """The file that whoever draws the subject holds."""
        return self.folder / "locks" / file_name(subject)

    def is_there(self, subject: Subject) -> bool:
        """Whether all of the subject is kept."""
        samples = subject.samples is None or self._path("samples", subject).exists()
        return samples and self._path("seen", subject).exists()

    def keep(self, subject: Subject, seen: Seen, samples: Samples | None) -> None:
        """Write a subject's fingerprints."""
        if samples is not None:
            _write(self._path("samples", subject), _samples_as_arrays(samples))
        _write(
            self._path("seen", subject),
            {one.name: getattr(seen, one.name) for one in fields(Seen)},
        )

    def seen(self, subject: Subject) -> Seen:
        """A subject's files."""
        return Seen(**_read(self._path("seen", subject)))

    def samples(self, subject: Subject) -> Samples:
        """A generator's samples."""
        return _samples_of(_read(self._path("samples", subject)))

    def _path(self, part: str, subject: Subject) -> Path:
        return self.folder / part / f"{file_name(subject)}.npz"


_BY_CONDITION = ("vectors", "rows", "size_classes", "kinds")


def first_samples(samples: Samples, count: int) -> Samples:
    """The first so many samples, under every condition that they are there under."""
    chosen = {name: rows < count for name, rows in samples.rows.items()}
    parts: dict[str, Any] = {
        part: {name: array[chosen[name]] for name, array in getattr(samples, part).items()}
        for part in _BY_CONDITION
    }
    return replace(samples, subjects=samples.subjects[:count], absent={}, **parts)


def _samples_as_arrays(samples: Samples) -> dict[str, NDArray[Any]]:
    return {
        "subjects": np.array(samples.subjects, np.str_),
        "kind_names": np.array(samples.kind_names, np.str_),
        "absent": np.array(json.dumps(samples.absent)),
    } | {
        f"{part}{_BETWEEN}{condition}": array
        for part in _BY_CONDITION
        for condition, array in getattr(samples, part).items()
    }


def _samples_of(arrays: Mapping[str, NDArray[Any]]) -> Samples:
    parts: dict[str, Any] = {part: {} for part in _BY_CONDITION}
    for name, array in arrays.items():
        part, between, condition = name.partition(_BETWEEN)
        if between:
            parts[part][condition] = array
    return Samples(
        subjects=tuple(str(name) for name in arrays["subjects"]),
        kind_names=tuple(str(name) for name in arrays["kind_names"]),
        absent=json.loads(str(arrays["absent"])),
        **parts,
    )


def file_name(subject: Subject) -> str:
    """A name for the subject's file that changes with its version, without an ending."""
    plain = "".join(letter if letter.isalnum() else "-" for letter in subject.title)
    version = hashlib.sha256(f"{subject.title} {subject.version}".encode()).hexdigest()[:12]
    return f"{plain}-{version}"


def _write(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}.npz")
    np.savez_compressed(draft, allow_pickle=False, **arrays)
    draft.replace(path)


def _read(path: Path) -> dict[str, NDArray[Any]]:
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}
