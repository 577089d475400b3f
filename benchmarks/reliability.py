"""Write `docs/reliability.md` from the results of `make scenarios FULL=1`.

`python -m benchmarks.reliability`; a test compares the page with what this would write.
"""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "reliability"
PAGE = ROOT / "docs" / "reliability.md"

GOALS = {
    "G1": "10,000 events, 3 workers, 50 times SIGKILL: none lost, doubled or reordered; p95 of the"
    " time until a successor is ready ≤ 5 s",
    "G2": "the broker killed and ended 5 times each under load; the worker goes on within 30 s",
    "G3": "20 times SIGSTOP past the session, woken inside a transaction: fenced and rebuilt",
    "G4": "30 joins and leaves in 3 minutes; throughput ≥ 50 %",
    "G4b": "an illegal generation, then the next transaction: foreign offsets never move",
    "G5": "EndTxn cut or delayed 200 times: no torn transaction",
    "G6": "Redis restarted 5 times, emptied: no clean verdict from a bad registry",
    "G6-blackhole": "Redis silent for a minute: noticed in 5 s; what is too old decides nothing",
    "G6-failover": "another Redis takes over: followed, unless it lacks what was seen",
    "G7": "the link down 5, 30 and 120 s, 10 times in all",
    "G8": "5 % poison: every one a dead letter, byte for byte, once",
    "G8b": "nothing but poison: the breaker halts",
    "G9": "redriven twice: the same verdict and alert ids",
    "G10": "SIGTERM under load 20 times: exit code 0 within 20 s",
    "G11": "100,000 events waiting and a slow extractor: memory within 100 MiB",
    "G12": "45 minutes at half load: memory grows by less than 1 MiB a minute",
}


def load() -> dict[str, dict[str, Any]]:
    """The kept results, by goal."""
    files = sorted(RESULTS.glob("*.json")) if RESULTS.is_dir() else []
    return {path.stem: json.loads(path.read_text()) for path in files}


def page(results: dict[str, dict[str, Any]]) -> str:
    """The page as Markdown."""
    rows = [
        "| goal | wanted | run | seed | found | date, commit |",
        "|---|---|---|---|---|---|",
    ]
    for goal, wanted in GOALS.items():
        kept = results.get(goal)
        if kept is None:
            rows.append(f"| {goal} | {wanted} | not run at its size yet | | | |")
            continue
        facts = ", ".join(
            f"{name.replace('_', ' ')} {value}"
            for name, value in kept["facts"].items()
            if not isinstance(value, list)
        )
        rows.append(
            f"| {goal} | {wanted} | {kept['scenario']} | {kept['seed']} | {facts} |"
            f" {kept['date']}, {kept['commit']} |"
        )
    commands = [f"{command(results[goal])}  # {goal}" for goal in GOALS if goal in results]
    return "\n".join(
        [*_OPENING, *rows, "", "The commands:", "", "```sh", *commands, "```", "", *_CLOSING, ""]
    )


def command(kept: dict[str, Any]) -> str:
    """What runs the scenario of a result again, at its size."""
    if kept["goal"] == "G12":
        return "make soak"
    return f"make scenarios FULL=1 ARGS='-k {kept['test'].split('::')[1]}'"


_OPENING = [
    "# Exactly once, and how it is proven",
    "",
    "The promise: from the offset of an image event to its verdict, alert, fingerprint record or"
    " dead letter, exactly once, as a `read_committed` reader sees it.",
    "",
    "`make scenarios` runs real workers against real Apache Kafka and real Redis, kills, stops and"
    " starves them, and asks an oracle that knows every event that was put in"
    " (`tests/scenarios/oracle.py`).",
    "It finds each event in exactly one verdict or dead letter, alerts and flagged verdicts in the"
    " same transactions, the order of every key kept, the committed offsets at the end of the"
    " input, and no transaction left open (goal G13, after every scenario).",
    "`test_oracle_can_fail.py` and `test_goal_generations.py` beside it take one safeguard out of"
    " the worker, the check of every future and the rebuild after an abort, and the oracle reports"
    " the loss each time.",
    "",
    "`make scenarios FULL=1` runs the sizes below and writes `benchmarks/results/reliability/`;"
    " `REPLAY=SEED` another schedule of faults.",
    "This page is made of those files by `python -m benchmarks.reliability`.",
    "",
]

_CLOSING = [
    "## What this does not show",
    "",
    "- A broker killed by `kill -9` keeps its page cache: this is recovery, not the loss of power.",
    "- One broker, replication 1, on the loopback device; three brokers were not run.",
    "- A single broker that is killed between its acknowledgement of a commit and the markers of it"
    " may lose that commit: a defect of Apache Kafka 4.4.0, shown in"
    " [upstream/](upstream/README.md). Goal G2 kills it inside transactions, not there.",
    "- The scenarios' judge takes a millisecond and knows only dark and bright images; everything"
    " from the consumer to the commit is the worker's own.",
]


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(load()))
    print(PAGE.relative_to(ROOT))


if __name__ == "__main__":
    main()
