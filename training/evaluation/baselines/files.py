"""The files of a subject on disk, while a run lasts: baselines read pixels, which nothing keeps.

A sample is re-encoded as the pictures that are asked about arrive, since the worker's enrolment
does that as well; a baseline is so told the arrival, which the worker has to find out.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from training.evaluation.kept import file_name
from training.evaluation.plan import Plan
from training.evaluation.subjects import Subject, arriving, number_of
from worker.enrol.recompress import open_sample

Part = Literal["shown", "sample"]


@dataclass(frozen=True, slots=True, eq=False)
class Files:
    """N files of one arrival: their bytes, and of which photograph or draw each is, (N,) int64."""

    data: Sequence[bytes]
    owners: NDArray[np.int64]


def draw(subject: Subject, plan: Plan, folder: Path) -> None:
    """Draw what a subject shows and, of a generator, its samples, and write them below `folder`."""
    found: dict[tuple[Part, str], list[tuple[bytes, int]]] = defaultdict(list)
    for one in subject.draw():
        found["shown", one.arrival].append((one.data, one.owner))
    for number, sample in enumerate(_samples(subject, plan.samples)):
        picture = open_sample(sample).picture
        seed = [number_of(f"sample {subject.title}"), number]
        for one in arriving(picture, plan.arrivals_at(subject.side), number, seed):
            found["sample", one.arrival].append((one.data, number))
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(_path(subject, folder), allow_pickle=False, **_arrays(found))


def files_of(subject: Subject, folder: Path, part: Part, arrival: str) -> Files:
    """The subject's files, or samples, that arrived in one way."""
    name = f"{part} {arrival}"
    with np.load(_path(subject, folder), allow_pickle=False) as arrays:
        if f"{name} ends" not in arrays:
            return Files((), np.empty(0, np.int64))
        data, ends = arrays[f"{name} bytes"].tobytes(), arrays[f"{name} ends"].tolist()
        cuts = zip([0, *ends[:-1]], ends, strict=True)
        return Files([data[start:end] for start, end in cuts], arrays[f"{name} owners"])


def _samples(subject: Subject, count: int) -> Iterator[bytes]:
    """The first so many that differ: the gate leaves copies out as well."""
    if subject.samples is not None:
        yield from islice(dict.fromkeys(subject.samples()), count)


def _path(subject: Subject, folder: Path) -> Path:
    return folder / f"{file_name(subject)}.npz"


def _arrays(found: dict[tuple[Part, str], list[tuple[bytes, int]]]) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {}
    for (part, arrival), files in found.items():
        name = f"{part} {arrival}"
        arrays[f"{name} bytes"] = np.frombuffer(b"".join(data for data, _ in files), np.uint8)
        arrays[f"{name} ends"] = np.cumsum([len(data) for data, _ in files], dtype=np.int64)
        arrays[f"{name} owners"] = np.array([owner for _, owner in files], np.int64)
    return arrays
