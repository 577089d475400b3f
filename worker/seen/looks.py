"""What readiness looks at in a worker: each look says whether it holds, and what was seen."""

from collections.abc import Callable, Mapping
from importlib import metadata
from typing import Literal

from worker.decoder.posture import gaps
from worker.metrics import Figures
from worker.registry.follower import RegistryFollower
from worker.seen.health import Look

NEVER_S = 1e9
"""What is told for an age where there was never anything; JSON has no infinity."""

CHECKS = ("bundle", "sandbox", "registry", "group")
"""What a worker must be to be ready, in the order in which it comes to be so."""


def bundle_look(digest: str) -> Look:
    """It was verified and proven at the start, or the worker would have ended."""
    return lambda: (True, f"{digest[:12]} is verified and computes what it must")


def sandbox_look(
    posture: Callable[[], Mapping[str, bool]], demanded: Literal["required", "warn"]
) -> Look:
    """Whether the decoders' children are confined as `decode.sandbox` demands."""

    def look() -> tuple[bool, str]:
        lacks = gaps(posture())
        if not lacks:
            return True, "every measure holds"
        seen = f"lacks {', '.join(lacks)}"
        return demanded == "warn", seen + ("; that is allowed" if demanded == "warn" else "")

    return look


def registry_look(follower: RegistryFollower, limit_s: float, *, required: bool) -> Look:
    """Whether what is held of the registry may be judged with."""

    def look() -> tuple[bool, str]:
        view = follower.view()
        trouble = f" ({follower.trouble})" if follower.trouble else ""
        if view.snapshot is None:
            return not required, f"was never loaded{trouble}"
        seen = f"revision {view.snapshot.revision}, current {view.age_s:.1f} s ago"
        if view.age_s > limit_s:
            return not required, f"{seen}, above {limit_s:g} s{trouble}"
        return True, seen + trouble

    return look


def show_registry(figures: Figures, follower: RegistryFollower, limit_s: float) -> None:
    """Set the figures of the registry."""
    view = follower.view()
    figures.set("registry_age_limit_seconds", limit_s)
    figures.set("registry_age_seconds", min(view.age_s, NEVER_S))
    figures.set("registry_trouble", follower.trouble is not None)
    counts = {"live": 0, "shadow": 0}
    if view.snapshot is not None:
        figures.set("registry_revision", view.snapshot.revision)
        for model in view.snapshot.models:
            counts[model.status] = counts.get(model.status, 0) + 1
    for status, count in counts.items():
        figures.set("registry_models", count, status=status)


def count_kill(figures: Figures, cause: str) -> None:
    """Count a decoder's child that ended over an image.

    The kernel ends one that makes a call of intruders, and does not say which call it was.
    """
    figures.add("sandbox_kills", cause=cause)
    if cause == "forbidden_call":
        figures.add("sandbox_refused_calls")


def show_build(figures: Figures, *, bundle: str, policy: str) -> None:
    """Set the figure that says what runs here; digests by their first digits, as in the log."""
    version = metadata.version("latentprint")
    figures.set("build_info", 1, version=version, bundle=bundle[:12], policy=policy[:12])


def show_sandbox(
    figures: Figures,
    posture: Callable[[], Mapping[str, bool]],
    demanded: Literal["required", "warn"],
) -> None:
    """Set the figures of the sandbox."""
    figures.set("sandbox_required", demanded == "required")
    figures.set("sandbox_complete", not gaps(posture()))
