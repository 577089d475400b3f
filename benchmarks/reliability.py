"""Write `docs/reliability.md` from the results of `make scenarios FULL=1`.

`python -m benchmarks.reliability`; a test compares the page with what this would write.
"""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "reliability"
PAGE = ROOT / "docs" / "reliability.md"

GOALS: dict[str, tuple[str, str]] = {
    "G1": (
        "10,000 events, 12 partitions, 3 workers, 50 times `kill -9` (failpoints, random): none"
        " lost, none doubled, no reordering per key; resume p95 ≤ 5 s",
        "resumed means: the successor has its partitions",
    ),
    "G2": (
        "broker killed 5 times and ended 5 times under load: none lost or doubled, no human"
        " needed, resume ≤ 30 s",
        "a kill between an acknowledged commit and its markers, see below; three brokers are G2b",
    ),
    "G2b": (
        "three brokers, leader or coordinator killed 10 times: none lost or doubled",
        "the three share one machine, its clock and its disk",
    ),
    "G3": (
        "20 times SIGSTOP past the session, resumed inside a transaction: fenced, rebuilt ≤ 5 s,"
        " none lost or doubled",
        "",
    ),
    "G4": ("30 joins and leaves in 3 minutes: none lost or doubled, throughput ≥ 50 %", ""),
    "G4b": (
        "an illegal generation, then the next transaction: foreign offsets never move; fails with"
        " plain reuse of the producer",
        "",
    ),
    "G5": (
        "EndTxn delayed or cut 200 times: no torn transaction (alert without verdict), none lost"
        " or doubled",
        "a setting without the rebuild does not exist; the mutation of G4b shows what it would do",
    ),
    "G6": (
        "Redis: 5 restarts, `FLUSHALL`: no `no_evidence` from a bad registry; the last verified"
        " copy until its largest age; the same root after a restore",
        "",
    ),
    "G6-failover": ("Redis: failover: followed, unless what was seen is missing", ""),
    "G6-blackhole": ("Redis silent for 60 s: alarm ≤ 5 s; then nothing is decided", ""),
    "G7": (
        "link down 5/30/120 s, 10 times: none lost or doubled; no restart before 60 s",
        "unready ≤ 10 s: `/readyz` says so after three heartbeats without an answer, 9 s by"
        " default; not looked at in this run; one of the ten lasts 120 s",
    ),
    "G8": (
        "5 % poison: schema, truncated, bomb, decoder ended by a signal, model error: all"
        " dead-lettered once, byte for byte, with their reason",
        "404, timeout, SSRF: goal G17; the share of retries of a bisection",
    ),
    "G8b": (
        "100 % poison: the breaker halts consumption",
        "the alert is the log and the exit code",
    ),
    "G9": ("`latentprint dlq redrive` twice: the same verdict and alert ids", ""),
    "G10": (
        "SIGTERM under load 20 times: exit 0 ≤ 20 s, ≤ 1 aborted transaction each, none lost or"
        " doubled",
        "aborted transactions are counted as rebuilds in the log",
    ),
    "G11": ("100,000 waiting, slow extractor: memory ≤ +100 MiB, no eviction", ""),
    "G12": ("45 minutes at half load: growth < 1 MiB a minute; handles and threads flat", ""),
    "G15": (
        "Pillow's test images and 200,000 mutants: no worker dies; at most 2 s of processor time"
        " and 512 MiB each",
        "both limits are the sandbox's own: a file that needs more is refused, or its child ended",
    ),
    "G16": (
        "bombs are refused from the header within 5 ms and 5 MiB, or what is beside a small picture"
        " is cut away at that cost",
        "",
    ),
    "G19": (
        "malicious .pt and .pt2, bad safetensors headers, wrong digests and keys: all refused, no"
        " pickle opcode runs (audit hook)",
        "what is compiled is kept by numba in a cache that is a pickle; who may write there may"
        " run code ([operations](operations.md))",
    ),
    "G20": (
        "10,000 bytes flipped, values deleted, swapped and rolled back in entries, history, index"
        " and photographs: all found at load or at the next `registry verify --since`",
        "the stream of changes, which only wakes who follows",
    ),
    "G21": (
        "a marker in 10,000 accepted images: found nowhere in the worker's files, Redis, output"
        " topics, logs and traces; no core files",
        "a worker that dies: its limit of a byte for core files is looked at, no core made;"
        " memory that the machine swaps",
    ),
    "G22": (
        "each of 1,000 changes of the history edited, deleted and moved: all found",
        "the last of them is found by the checkpoint, or a signature; nothing follows it",
    ),
}
"""What the design asks, and what of it the run does not show."""


def load() -> dict[str, dict[str, Any]]:
    """The kept results, by goal."""
    files = sorted(RESULTS.glob("*.json")) if RESULTS.is_dir() else []
    return {path.stem: json.loads(path.read_text()) for path in files}


def page(results: dict[str, dict[str, Any]]) -> str:
    """The page as Markdown."""
    rows = [
        "| goal | wanted | run | seed | found | not shown | date, commit |",
        "|---|---|---|---|---|---|---|",
    ]
    for goal, (wanted, not_shown) in GOALS.items():
        kept = results.get(goal)
        if kept is None:
            rows.append(f"| {goal} | {wanted} | not run at its size yet | | | | |")
            continue
        facts = ", ".join(
            f"{name.replace('_', ' ')} {value}"
            for name, value in kept["facts"].items()
            if not isinstance(value, list)
        )
        rows.append(
            f"| {goal} | {wanted} | {kept['scenario']} | {kept['seed']} | {facts} |"
            f" {not_shown} | {kept['date']}, {kept['commit']} |"
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
    "It finds each event in exactly one verdict or dead letter, dead letters byte for byte, an"
    " alert for each flagged verdict and no other, a fingerprint record for each judged one, the"
    " order of every key kept, the committed offsets at the end of the input, and no transaction"
    " left open (goal G13: by the stable offsets and by the broker's list), wherever a scenario's"
    " workers live in the end.",
    "`test_oracle_can_fail.py` and `test_goal_generations.py` beside it take one safeguard out of"
    " the worker, the check of every future and the rebuild after an abort, and the oracle reports"
    " the loss each time.",
    "",
    "`make scenarios FULL=1` runs the sizes below and writes `benchmarks/results/reliability/`;"
    " `REPLAY=SEED` another schedule of faults.",
    "This page is made of those files by `python -m benchmarks.reliability`.",
    "Two goals run whole at every change and have tables of their own: hostile references, G17, in"
    " [operations/references.md](operations/references.md), and rights on Kafka and Redis, G18, in"
    " [operations/rights.md](operations/rights.md).",
    "",
]

_CLOSING = [
    "## What this does not show",
    "",
    "- A broker killed by `kill -9` keeps its page cache: this is recovery, not the loss of power.",
    "- All but G2b: one broker, replication 1, on the loopback device.",
    "- A single broker that is killed between its acknowledgement of a commit and the markers of it"
    " may lose that commit: a defect of Apache Kafka 4.4.0, shown in"
    " [upstream/](upstream/README.md). Goal G2 kills it inside transactions, not there.",
    "- The scenarios' judge takes a millisecond and knows only dark and bright images; everything"
    " from the consumer to the commit is the worker's own. But sessions last 6 s instead of 45,"
    " commits come every 50 ms or 40 events, and one child decodes, so that faults meet more"
    " transactions.",
]


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(load()))
    print(PAGE.relative_to(ROOT))


if __name__ == "__main__":
    main()
