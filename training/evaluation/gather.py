"""Draw and fingerprint what is missing; several processes may be at it at once.

What another process is drawing is left to it in a first round, and waited for in a second.
"""

import multiprocessing
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields
from itertools import islice
from pathlib import Path

import numpy as np

from training.data.lock import locked, locked_when_free
from training.data.manifest import Manifest
from training.evaluation.judge import Judge, Seen
from training.evaluation.kept import Kept
from training.evaluation.made import made_subjects
from training.evaluation.photographs import real_subjects
from training.evaluation.plan import Plan
from training.evaluation.subjects import Shown, Subject
from worker.errors import StopError

Say = Callable[[str], None]
_BATCH = 32


def subjects(manifest: Manifest, plan: Plan) -> list[Subject]:
    """All that is judged, generators first: they take longest."""
    return [*made_subjects(manifest, plan), *real_subjects(manifest, plan)]


def gather(listed: Sequence[Subject], judge: Judge, kept: Kept, say: Say) -> None:
    """See every subject that is not kept yet."""
    for wait in (False, True):
        for number, subject in enumerate(listed, 1):
            if kept.is_there(subject):
                continue
            lock = kept.lock(subject)
            with locked_when_free(lock) if wait else locked(lock) as held:
                if held and not kept.is_there(subject):
                    say(f"{number} of {len(listed)}: {subject.title}")
                    samples = None
                    if subject.samples is not None:
                        samples = judge.samples(subject.samples())
                    kept.keep(subject, _seen(subject.draw(), judge), samples)


def gather_in_processes(
    bundle: Path | None, manifest: Manifest, plan: Plan, kept: Kept, processes: int, say: Say
) -> None:
    """`gather` by the worker's own judge, in so many processes of which this is one."""
    from training.evaluation.worker_judge import open_judge

    # A fork would inherit torch's and numba's threads, which do not survive it.
    context = multiprocessing.get_context("spawn")
    others = [
        context.Process(target=_gather_alone, args=(bundle, manifest, plan, kept))
        for _ in range(processes - 1)
    ]
    for one in others:
        one.start()
    try:
        gather(subjects(manifest, plan), open_judge(bundle), kept, say)
    except BaseException:
        for one in others:
            one.terminate()
        raise
    finally:
        for one in others:
            one.join()
    if any(one.exitcode for one in others):
        raise StopError(
            "a process that drew pictures ended with an error, shown above; run the same command"
            " again: it goes on where it stopped"
        )


def _gather_alone(bundle: Path | None, manifest: Manifest, plan: Plan, kept: Kept) -> None:
    from training.evaluation.worker_judge import open_judge

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    gather(subjects(manifest, plan), open_judge(bundle), kept, say)


def _seen(shown: Iterable[Shown], judge: Judge) -> Seen:
    """In batches, so that the files of a subject are never all in memory."""
    parts = [judge.see(batch) for batch in _batches(shown)]
    return together(parts or [judge.see([])])


def _batches(shown: Iterable[Shown]) -> Iterator[Sequence[Shown]]:
    left = iter(shown)
    while batch := list(islice(left, _BATCH)):
        yield batch


def together(parts: Sequence[Seen]) -> Seen:
    """Several as one, in their order."""
    # Of no files the vectors have no size, and say nothing.
    full = [part for part in parts if len(part)] or list(parts[:1])
    names = [one.name for one in fields(Seen)]
    return Seen(**{name: np.concatenate([getattr(p, name) for p in full]) for name in names})
