"""Whether the stream still resembles the photographs that calibrate: a conformal test martingale.

Of photographs like those of the calibration p-values are uniform. A gambler bets that they are
smaller: a p-value p multiplies the capital of each of some bets by 1 + e (1/2 - p), which gains
nothing on average where p is uniform or larger (Vovk, Nouretdinov and Gammerman, "Testing
exchangeability on-line", 2003; Vovk et al., "Retrain or not retrain: conformal test martingales for
change-point detection", 2021). The mean over the bets reaches 1/r with probability r at most,
however long one looks (Ville 1939).

Three things that a service needs are added:

- p-values that rest on n photographs are uniform only as far as those n are like all photographs.
  They are raised by what n leaves open (Massart 1990), as Bates, Candes, Lei, Romano and Sesia do
  ("Testing for outliers with conformal p-values", 2023), or a long stream would raise the alarm on
  any calibration.
- A gambler who bet for long on nothing has no capital left when something comes. So a new one
  begins every WINDOW p-values, and the j-th has r / (j (j + 1)) of the rate: all together r.
- Only what was taken for photographs counts, or a wave of synthetic images would be called drift.
  At most `alphas` of photographs are not taken for such, and by no more does that lower p-values.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

RATE = 0.001
"""Probability of an alarm, ever, while nothing has changed; half of it is for an unlucky
calibration."""

WINDOW = 10_000
_BETS = (0.25, 0.5, 1.0, 1.9)
_LEVELS = 64
"""Codecs and sizes, times two tests, about: so many levels must be as good as is taken for granted
of each."""


@dataclass(frozen=True, slots=True)
class DriftAlarm:
    """After how many p-values it was raised, and the capital's logarithm to base 10."""

    p_values: int
    log10_capital: float


class Drift:
    """One test's p-values, in the order in which they come."""

    def __init__(self, alphas: float, *, rate: float = RATE) -> None:
        """`alphas` is the share of photographs that both tests may take for something else."""
        self._kept = 1.0 - min(alphas, 0.5)
        self._rate = rate
        self._capitals = [0.0] * len(_BETS)  # natural logarithms
        self._seen = 0
        self.alarm: DriftAlarm | None = None

    def add(self, p_value: float, photographs: int) -> DriftAlarm | None:
        """Take one p-value that rests on so many photographs; the alarm when it is first raised."""
        if self.alarm is not None or photographs < 1:
            return None
        raised = (p_value + _left_open(photographs, self._rate / 2)) / self._kept
        if self._seen % WINDOW == 0:
            self._capitals = [0.0] * len(_BETS)
        self._seen += 1
        gain = 0.5 - min(1.0, raised)
        self._capitals = [
            capital + math.log1p(bet * gain)
            for capital, bet in zip(self._capitals, _BETS, strict=True)
        ]
        most = max(self._capitals)
        mean = sum(math.exp(one - most) for one in self._capitals) / len(_BETS)
        capital = most + math.log(mean)
        gambler = (self._seen - 1) // WINDOW + 1
        if capital < math.log(gambler * (gambler + 1) * 2 / self._rate):
            return None
        self.alarm = DriftAlarm(self._seen, capital / math.log(10))
        return self.alarm


def _left_open(photographs: int, rate: float) -> float:
    """By how much the share of photographs that score as high may exceed that of so many."""
    return math.sqrt(math.log(_LEVELS / rate) / (2 * photographs))


class DriftWatch:
    """Both tests' p-values of what was taken for photographs; tells of each alarm once."""

    def __init__(self, alphas: float, told: Callable[[str, DriftAlarm], None]) -> None:
        """`alphas` is the sum of the tests' levels; `told` is called with the test's name."""
        self._alphas, self._told = alphas, told
        self.reset()

    def reset(self) -> None:
        """Begin anew: other models or photographs give other p-values."""
        self._tests = {
            name: Drift(self._alphas, rate=RATE / 2) for name in ("name_test", "real_test")
        }

    def add(self, test: str, p_value: float, photographs: int) -> None:
        """Take the p-value of `name_test` or `real_test` of one image; as `Drift.add`."""
        alarm = self._tests[test].add(p_value, photographs)
        if alarm is not None:
            self._told(test, alarm)
