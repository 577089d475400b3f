"""A registry with a history: models of every status, photographs of two sources."""

from typing import Any, TypeVar

from fingerprint_db.registry import Registry
from tests.fingerprint_db.photograph_parts import part
from tests.fingerprint_db.samples import SPACE, model

WHO: dict[str, Any] = {"by": "ada", "reason": "test"}
Kept = TypeVar("Kept", bound=Registry)


def lived_in(registry: Kept) -> Kept:
    """Fills `registry`."""
    for seed, name in enumerate(("a", "b", "c", "d")):
        registry.register(model(name, seed=10 * seed), **WHO)
    registry.promote(SPACE, "a", **WHO)
    registry.promote(SPACE, "b", **WHO)
    registry.retire(SPACE, "b", by="eve", reason="no longer seen")
    registry.retire(SPACE, "c", **WHO)
    registry.restore(SPACE, "c", **WHO)
    registry.store_calibration(SPACE, [part("shop", 5)], seen=0, **WHO)
    registry.store_calibration(SPACE, [part("news", 3)], seen=1, by="eve", reason="more")
    return registry
