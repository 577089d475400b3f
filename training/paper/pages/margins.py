"""How sure it is that one method is better than another: errors by kind, and what chance allows."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from training.paper.pages.tables import percent
from training.paper.studies.measured import Measured

_TWO_SIDED_95 = 1.96


def errors(measured: Measured, *, moment: str | None = None) -> tuple[int, int]:
    """Wrong answers on real and on made images."""
    confusion = _confusion(measured.result[moment] if moment else measured.result)
    wrong = confusion.sum(1) - confusion.diagonal()
    return int(wrong[0]), int(wrong[1:].sum())


def called_real(measured: Measured, moment: str) -> float:
    """The share of made images that are given to the real class, of a study of attacks."""
    made = _confusion(measured.result[moment])[1:]
    return float(made[:, 0].sum() / made.sum())


def made_alone(measured: Measured) -> float:
    """The mean accuracy over the generators, without the real class."""
    return generators_alone(measured.result)


def generators_alone(result: dict[str, Any]) -> float:
    """The same of a part of a result that has a `confusion`."""
    confusion = _confusion(result)
    return float((confusion.diagonal() / confusion.sum(1))[1:].mean())


def beyond_chance(ours: Sequence[Measured], theirs: Measured) -> bool:
    """Whether the mean accuracy of `ours` differs from that of `theirs` by more than chance.

    At 95 %, as of two independent samples of test images. They are the same images in truth, so
    that some differences are surer than this says, and none is less sure.
    """
    mean = float(np.mean([one.result["accuracy"] for one in ours]))
    variance = float(np.mean([_variance(one) for one in ours])) + _variance(theirs)
    return bool(abs(mean - theirs.result["accuracy"]) > _TWO_SIDED_95 * math.sqrt(variance))


def margin(name: str, networks: Sequence[Measured], label: str, best: Measured) -> str:
    """A sentence: the network and the best baseline `label` of a set-up, and what differs."""
    ours = [errors(one) for one in networks]
    real, made = errors(best)
    counts = _confusion(best.result).sum(1)
    each = " / ".join(percent(one.result["accuracy"]) for one in networks)
    verdict = "beyond" if beyond_chance(networks, best) else "within"
    return (
        f"- {name.capitalize()}: training seeds {each} %, {label}"
        f" {percent(best.result['accuracy'])} %; the difference is {verdict} what chance allows."
        f" Wrong of {counts[0]:,} real pictures: {' / '.join(str(one[0]) for one in ours)}, and"
        f" {real} by {label}; of {counts[1:].sum():,} made ones:"
        f" {' / '.join(str(one[1]) for one in ours)}, and {made} by {label}."
    )


def _confusion(result: dict[str, Any]) -> "np.ndarray[Any, np.dtype[np.int64]]":
    """Counts [true][answered], real first."""
    return np.asarray(result["confusion"], np.int64)


def _variance(measured: Measured) -> float:
    """Of the accuracy, which is the mean over the sources of their own."""
    confusion = _confusion(measured.result)
    counts = confusion.sum(1)
    # One of each kind more, so that a source without any error is not taken for certain.
    shares = (confusion.diagonal() + 1) / (counts + 2)
    return float((shares * (1 - shares) / counts).sum() / len(counts) ** 2)
