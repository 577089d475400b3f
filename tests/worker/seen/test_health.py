"""Live is the loop alone; ready is everything that must hold now, each with what was seen."""

from worker.metrics import Figures
from worker.seen.health import STANDSTILL_S, Health


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def missing(health: Health) -> list[str]:
    return [check.name for check in health.ready().checks if not check.holds]


def test_a_start_that_goes_on_is_alive_and_neither_started_nor_ready() -> None:
    health = Health(("bundle", "group"))
    assert health.live().holds
    assert not health.startup().holds
    assert missing(health) == ["bundle", "group"]
    assert "start still goes on" in health.ready().checks[0].seen


def test_a_loop_that_stands_still_for_a_minute_is_not_alive_whatever_else_holds() -> None:
    clock = Clock()
    health = Health(clock=clock)
    health.came_round()
    clock.now += STANDSTILL_S - 0.1
    assert health.live().holds
    clock.now += 0.2
    assert not health.live().holds
    assert health.ready().holds
    health.came_round()
    assert health.live().holds


def test_what_cannot_be_reached_makes_it_unready_and_never_dead() -> None:
    health = Health(("registry",))
    health.came_round()
    health.know("registry", lambda: (False, "revision 7, current 75.0 s ago, above 60 s"))
    assert health.live().holds
    assert missing(health) == ["registry"]
    health.know("registry", lambda: (True, "revision 7, current 0.2 s ago"))
    assert missing(health) == []


def test_a_check_that_raises_does_not_hold_and_says_so() -> None:
    def broken() -> tuple[bool, str]:
        raise KeyError("posture")

    health = Health()
    health.know("sandbox", broken)
    (check, _) = health.ready().checks
    assert (check.holds, check.name) == (False, "sandbox")
    assert "KeyError" in check.seen


def test_who_was_asked_to_end_is_alive_and_no_longer_ready() -> None:
    health = Health()
    health.came_round()
    health.started()
    assert health.ready().holds
    health.drains()
    assert missing(health) == ["stays"]
    assert health.live().holds
    assert health.startup().holds


def test_the_figures_say_the_same_as_the_page() -> None:
    clock = Clock()
    health, figures = Health(("group",), clock), Figures()
    health.came_round()
    health.know("group", lambda: (True, "2 partitions"))
    clock.now += 3.0
    health.show(figures)
    told = figures.read()
    assert (told["ready"], told["ready_check"], told["loop_age_seconds"]) == (1, 2, 3)
    health.drains()
    health.show(figures)
    assert (figures.read()["ready"], figures.read()["ready_check"]) == (0, 1)
