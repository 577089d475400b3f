"""What a scenario measured, as JSON beside the benchmarks; `docs/reliability.md` is made of it."""

import json
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.scenarios.oracle import Found
from tests.scenarios.sizes import FULL, SEED

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "benchmarks" / "results" / "reliability"


@dataclass(frozen=True)
class Result:
    """One goal of the reliability page: what was done, and what came out."""

    goal: str
    scenario: str
    seed: int
    full: bool
    facts: dict[str, Any]
    test: str
    date: str
    commit: str
    machine: str


class Report:
    """Writes one file a goal; small runs leave no file, so that they never hide a full one."""

    def __init__(self, test: str, folder: Path = FOLDER, full: bool = FULL) -> None:
        self._test = test
        self._folder = folder
        self._full = full

    def keep(self, goal: str, scenario: str, facts: Mapping[str, Any]) -> Result:
        """Note what a scenario found; called once its oracle has passed."""
        result = Result(
            goal=goal,
            scenario=scenario,
            seed=SEED,
            full=self._full,
            facts=dict(facts),
            test=self._test,
            date=datetime.now(UTC).date().isoformat(),
            commit=_commit(),
            machine=f"{platform.machine()}, Python {platform.python_version()}",
        )
        if self._full:
            self._folder.mkdir(parents=True, exist_ok=True)
            path = self._folder / f"{goal}.json"
            path.write_text(json.dumps(asdict(result), indent=1) + "\n")
        return result


def outcome_facts(found: Found) -> dict[str, int]:
    """The counts of a run that the oracle passed: it found nothing lost, doubled or reordered."""
    return {
        "verdicts": len(found.verdicts),
        "dead_letters": len(found.letters),
        "alerts": len(found.alerts),
        "lost": 0,
        "duplicated": 0,
        "reordered": 0,
        "hanging_transactions": 0,
    }


def percentile(values: list[float], share: float) -> float:
    """The smallest value that `share` of the values do not exceed."""
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 2)


def _commit() -> str:
    done = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "unknown"
