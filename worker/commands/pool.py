"""`latentprint pool`: verdicts of one account or folder, taken together."""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from fingerprint_db.background import SIZE_CLASSES
from fingerprint_db.calibration import Calibration
from fingerprint_db.conditions import CODECS
from fingerprint_db.matching.certified import Alphas
from fingerprint_db.matching.pooled import Bin, PoolCohort, image_statistic
from fingerprint_db.names import printable
from worker.commands.local_files import local_settings, registry_view
from worker.commands.options import Config, Json, Redis
from worker.errors import StopError

if TYPE_CHECKING:  # the compiled loops load only when a command runs
    from worker.judge.policy import Policy

_SIZES = [name for name, _ in SIZE_CLASSES]


def contribute(app: typer.Typer) -> None:
    """Add `pool`."""
    app.command("pool")(pool_command)


def pool_command(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="JSON lines of verdicts; default: standard input."),
    ] = None,
    by: Annotated[
        str,
        typer.Option(
            "--by", help="What one group has in common: folder, source, or a field of the lines."
        ),
    ] = "folder",
    alpha: Annotated[
        float,
        typer.Option(
            "--alpha", min=0.0001, max=0.5, help="Share of groups of real photographs flagged."
        ),
    ] = 0.01,
    redis: Redis = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Judge groups of images: what one image does not show, thirty of one account may.

    Reads what `scan --json` and `watch --json` print. A group is held against groups of real
    photographs of one source each, so that photographs of one camera do not add up to a suspicion.
    Exit codes: 0 done, 1 a line could not be read, 2 wrong use, 3 Redis out of reach.
    """
    settings = local_settings(redis, config)
    from worker.commands.workshop import decision_policy
    from worker.extractor.bundle_trust import trusted_bundle

    bundle, policy = (
        trusted_bundle(settings.extract.bundle, settings.trust, local=settings.is_local),
        decision_policy(settings.decision),
    )
    left_out: Counter[str] = Counter()
    groups = grouped(_lines(file), by, bundle.digest, left_out)
    view = registry_view(settings, bundle)
    cohort = PoolCohort.of(
        bundle.background,
        view.snapshot.models if view.snapshot else (),
        view.calibration or Calibration.empty(bundle.digest),
        Alphas(policy.alpha_name, policy.alpha_unknown, policy.alpha_source, policy.alpha_alike),
        {codec for group in groups for codec, _ in group.bins},
    )
    documents = [pooled(group, cohort, alpha, policy) for group in groups]
    for document in sorted(documents, key=lambda one: (one["p_value"], one["group"])):
        print(json.dumps(document) if as_json else _text(document))
    if left_out:
        why = ", ".join(f"{count} {reason}" for reason, count in left_out.most_common())
        print(printable(f"left out {left_out.total()} lines: {why}"), file=sys.stderr)
    raise typer.Exit(1 if left_out[_UNREADABLE] else 0)


_UNREADABLE = "no JSON object"


@dataclass(slots=True)
class Group:
    """The verdicts of one group: of each image its bin and p-values, and what was said of it."""

    name: str
    bins: list[Bin] = field(default_factory=list)
    name_p: list[float] = field(default_factory=list)
    real_p: list[float] = field(default_factory=list)
    flagged: int = 0
    models: Counter[str] = field(default_factory=Counter)


def grouped(lines: Iterable[str], by: str, space: str, left_out: Counter[str]) -> list[Group]:
    """The verdicts of this bundle by group, in the order in which the groups come."""
    groups: dict[str, Group] = {}
    for line in lines:
        if not line.strip():
            continue
        try:
            document = json.loads(line)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            left_out[_UNREADABLE] += 1
        elif "outcome" not in document or "real_test" not in document:
            left_out["no verdict"] += 1
        elif document.get("bundle_digest") != space:
            left_out["of another bundle"] += 1
        elif (name := _group_of(document, by)) is None:
            left_out[f"without {by}"] += 1
        elif (measured := _measured(document)) is None:
            left_out["undetermined before anything was measured"] += 1
        else:
            group = groups.setdefault(name, Group(name))
            at, name_p, real_p = measured
            group.bins.append(at)
            group.name_p.append(name_p)
            group.real_p.append(real_p)
            group.flagged += document.get("flagged") is True
            if document.get("model"):
                group.models[str(document["model"])] += 1
    return list(groups.values())


def pooled(group: Group, cohort: PoolCohort, alpha: float, policy: "Policy") -> dict[str, Any]:
    """The verdict on a group: synthetic, no_evidence, or undetermined for want of photographs."""
    level = cohort.level(group.bins, alpha)
    statistic = float(
        image_statistic(
            np.array(group.name_p, np.float32), np.array(group.real_p, np.float32)
        ).mean(dtype=np.float32)
    )
    standing = level.standing(statistic)
    if not level.reaches(alpha):
        outcome = "undetermined"
    else:
        passes = standing.passes(alpha, policy.alpha_source)
        outcome = "synthetic" if passes else "no_evidence"
    return {
        "record": "group",
        "group": group.name,
        "outcome": outcome,
        "images": len(group.bins),
        "flagged_images": group.flagged,
        "models": dict(group.models.most_common()),
        "statistic": round(statistic, 4),
        "p_value": standing.p_value,
        "alpha": alpha,
        "worst_source_share": standing.worst_share,
        "alpha_source": policy.alpha_source,
        "source_p_value": level.new_source.p_value(statistic),
        "calibration_groups": level.count,
        "calibration_sources": level.new_source.count,
    }


def _group_of(document: Mapping[str, Any], by: str) -> str | None:
    if by == "folder":
        subject = document.get("subject")
        return (subject.rpartition("/")[0] or ".") if isinstance(subject, str) else None
    value = document.get(by)
    return None if value is None or isinstance(value, dict | list) else str(value)


def _measured(document: Mapping[str, Any]) -> tuple[Bin, float, float] | None:
    """The image's codec and size, and its p-values by both tests."""
    try:
        name, real = document["name_test"], document["real_test"]
        codec, size = str(real["calibration_bin"]).split("/")
        known = next(one for one in CODECS if one == codec)
        at = known, _SIZES.index(size)
        name_p, real_p = float(name["p_value"]), float(real["p_value"])
    except (KeyError, TypeError, ValueError, StopIteration):
        return None
    return (at, name_p, real_p) if 0 < name_p <= 1 and 0 < real_p <= 1 else None


def _lines(file: Path | None) -> Iterator[str]:
    if file is None:
        yield from sys.stdin
        return
    try:
        with file.open(encoding="utf-8", errors="replace") as lines:
            yield from lines
    except OSError as error:
        raise StopError(f"{file} cannot be read: {error.strerror}", exit_code=2) from error


def _text(document: Mapping[str, Any]) -> str:
    models: Sequence[str] = [f"{name} {count}" for name, count in document["models"].items()]
    why = (
        f"{document['calibration_groups']} groups of {document['calibration_sources']} sources"
        if document["outcome"] == "undetermined"
        else f"p={document['p_value']:.4g}"
    )
    return printable(
        f"{document['outcome']:<14} {document['group']}  {document['images']} images,"
        f" {document['flagged_images']} flagged  {why}"
        + (f"  ({', '.join(models)})" if models else "")
    )
