"""How much is drawn: a choice of cost, for about 25 minutes on two cores.

A network takes a second for a picture of 512 pixels, and a sample is registered under every
condition, so that few networks stand for their family. Figures are of the pictures drawn; their
intervals say what the counts allow.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from training.generators.roles import Kind

ARRIVALS = (
    *("clean", "jpeg95", "jpeg90", "jpeg85", "jpeg75", "jpeg60"),
    *("jpeg85_then_75", "jpeg75_cut_then_85", "jpeg75_as_png", "half", "webp80", "screenshot"),
)
"""How files arrive (training/histories/conditions.py), in the order of the tables."""

MAIN = ("clean", "jpeg90", "jpeg75", "half", "jpeg85_then_75")
"""Those that goals are stated for."""

SIDES = (64, 128, 256, 512, 1024)
_LARGEST = 1024  # of this only photographs are shown
_FEW_LARGE = ("clean", "jpeg90", "jpeg75")


@dataclass(frozen=True, slots=True)
class Plan:
    """Counts of pictures.

    `samples` register a generator; `many_samples` are drawn of those that cost little, for the
    curve over samples. `tested` are pictures of a generator and side, `cuts` views of a photograph
    and side, `of_a_kind` pictures of each kind. `members` of each family, by kind of generator.
    """

    sides: tuple[int, ...] = SIDES
    arrivals: tuple[str, ...] = ARRIVALS
    kind_arrivals: tuple[str, ...] = ("clean", "jpeg85")
    samples: int = 50
    many_samples: int = 200
    tested: int = 40
    cuts: int = 2
    of_a_kind: int = 48
    most_of_a_source: int = 60
    members: Mapping[Kind, int] = field(
        default_factory=lambda: {"simulated": 2, "network": 3, "gan": 4, "trained": 4}
    )

    def arrivals_at(self, side: int) -> tuple[str, ...]:
        """Under which arrivals pictures of a side are shown."""
        allowed = _FEW_LARGE if side >= _LARGEST else ARRIVALS
        return tuple(name for name in self.arrivals if name in allowed)

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def quick(plan: Plan) -> Plan:
    """The same in small: for a first look and for tests."""
    return replace(
        plan,
        samples=12,
        many_samples=12,
        tested=4,
        cuts=1,
        of_a_kind=3,
        most_of_a_source=3,
        members=dict.fromkeys(plan.members, 1),
    )


SHOTS = (10, 20, 50, 100, 200)
"""Samples that the curve is measured at."""

LARGEST_SIDE: Mapping[str, int] = {
    "rdn_div2k_x2": 128,
    "rdn_div2k_x4": 128,
    "rdn_psnr_small_x2": 128,
}
"""Of networks that take ten times as long as the others."""

SIMULATED_SIDES = (128, 256)
MANY_SAMPLES_AT: Mapping[Kind, int] = {"gan": 64, "trained": 64, "simulated": 128}
"""Side at which `many_samples` are drawn of a kind of generator."""
