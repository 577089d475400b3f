"""What readiness looks at: a gap that must not be is one, and one that is allowed is told."""

from fingerprint_db.memory_registry import MemoryRegistry
from worker.decoder.confinement import OPTIONAL
from worker.metrics import Figures
from worker.registry.follower import RegistryFollower
from worker.seen.looks import count_kill, registry_look, sandbox_look, show_registry, show_sandbox

SPACE = "a" * 64
WHOLE = {"seccomp": True, "memory": True, **dict.fromkeys(OPTIONAL, False)}


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_measure_that_does_not_hold_counts_unless_it_is_allowed_or_only_backs_another() -> None:
    assert sandbox_look(lambda: WHOLE, "required")() == (True, "every measure holds")
    gap = WHOLE | {"seccomp": False}
    assert sandbox_look(lambda: gap, "required")() == (False, "lacks seccomp")
    assert sandbox_look(lambda: gap, "warn")() == (True, "lacks seccomp; that is allowed")
    assert not sandbox_look(dict, "required")()[0], "no decoder has reported"


def test_the_figures_of_the_sandbox_say_what_is_demanded_and_what_is_there() -> None:
    figures = Figures()
    show_sandbox(figures, lambda: WHOLE | {"memory": False}, "required")
    told = figures.read()
    assert (told["sandbox_required"], told["sandbox_complete"]) == (1, 0)


def test_a_child_that_was_taken_over_is_counted_as_such_and_others_by_their_cause() -> None:
    figures = Figures()
    for cause in ("memory", "forbidden_call", "crash"):
        count_kill(figures, cause)
    told = figures.read()
    assert (told["sandbox_kills"], told["sandbox_refused_calls"]) == (3, 1)


def test_a_registry_that_is_too_old_is_not_judged_with() -> None:
    clock, registry = Clock(), MemoryRegistry()
    follower = RegistryFollower(registry, SPACE, clock=clock)
    look = registry_look(follower, 60.0, required=True)
    assert look() == (False, "was never loaded")
    assert registry_look(follower, 60.0, required=False)()[0], "judging blind was chosen"
    follower.load()
    clock.now += 59.0
    assert look() == (True, "revision 0, current 59.0 s ago")
    clock.now += 2.0
    assert look() == (False, "revision 0, current 61.0 s ago, above 60 s")


def test_the_figures_of_the_registry_come_from_what_is_held() -> None:
    clock, figures = Clock(), Figures()
    follower = RegistryFollower(MemoryRegistry(), SPACE, clock=clock)
    show_registry(figures, follower, 60.0)
    assert figures.read()["registry_age_seconds"] == 1e9, "never loaded is infinitely old"
    follower.load()
    clock.now += 5.0
    show_registry(figures, follower, 60.0)
    told = figures.read()
    assert (told["registry_age_seconds"], told["registry_age_limit_seconds"]) == (5, 60)
    assert (told["registry_trouble"], told["registry_models"]) == (0, 0)
