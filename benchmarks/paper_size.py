"""How many hours of one GPU the paper's size takes: arithmetic counted, a rate assumed.

Counts the floating-point operations of one iteration of each generator's training at 128x128 and
of one step of the attribution network (torch's counter, forward, backward and penalties, a batch of
two scaled to the paper's 32; ProGAN full-grown, which is its dearest stage), and multiplies by the
iterations of size `paper`. The hours follow from a rate that a GPU would sustain, an assumption:
nobody has run this size. Measure one iteration on your GPU and scale the table by it.

    python -m benchmarks.paper_size [--tflops 60] [--output FILE]
"""

import argparse
import json
import platform
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from training.paper.networks.attribution_network import AttributionNetwork
from training.paper.studies.lab import EFFORT
from training.paper.studies.measured import commit
from training.zoo.sets import SEEDS, SEEDS_OF, ZooModel, zoo_set
from training.zoo.sizes import SIDES
from training.zoo.step import Training
from worker.settings.cores import usable_cores

BATCH = 2
_SIDE = SIDES["paper"]


class Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts within `with`; torch's own counter fails at the second gradients of penalties."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total: float = 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        count = flop_registry.get(func._overloadpacket)
        if count is not None:
            self.total += count(*args, **(kwargs or {}), out_val=found)
        return found


def operations_of_iteration(model: ZooModel) -> float:
    """Floating-point operations of an iteration of a generator's training, at its own batch."""
    recipe = model.recipe()
    images = np.zeros((4, 3, _SIDE, _SIDE), np.uint8)
    grown = None if recipe.grow is None else (lambda iteration, side: 5.0)  # 128 pixels
    training = Training(replace(recipe, batch_size=BATCH, grow=grown), images, 0, bfloat16=False)
    with Operations() as counted:
        training.step()
    return float(counted.total * recipe.batch_size / BATCH)


def operations_of_step(sources: int) -> float:
    """Floating-point operations of a step of the attribution network, 32 images."""
    network = AttributionNetwork(_SIDE, sources)
    images, labels = torch.zeros(BATCH, 3, _SIDE, _SIDE), torch.zeros(BATCH, dtype=torch.long)
    with Operations() as counted:
        functional.cross_entropy(network(images), labels).backward()  # type: ignore[no-untyped-call]
    return float(counted.total * 32 / BATCH)


def measure() -> list[dict[str, object]]:
    """A line for each generator of the five sources, for the ten seeds, and for the network."""
    lines: list[dict[str, object]] = []
    for model in zoo_set("five", "paper", "faces"):
        tera = operations_of_iteration(model) / 1e12
        lines.append({"what": model.name, "tera": tera, "times": model.iterations, "copies": 1})
        if model.architecture == SEEDS_OF["paper"]:
            seeds = {"what": f"{len(SEEDS)} seeds of {model.architecture}", "copies": len(SEEDS)}
            lines.append({**lines[-1], **seeds})
    effort = EFFORT["paper"]
    lines.append(
        {
            "what": "attribution network, a training seed",
            "tera": operations_of_step(5) / 1e12,
            "times": effort.attribution_steps["five"],
            "copies": 1,
        }
    )
    return lines


def hours(line: dict[str, object], tflops: float) -> float:
    """Of one GPU that sustains `tflops` million million operations a second."""
    tera, times, copies = (float(str(line[key])) for key in ("tera", "times", "copies"))
    return tera * times * copies / tflops / 3600


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--tflops", type=float, default=60.0, help="sustained, assumed")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    lines = measure()
    for line in lines:
        line["hours"] = round(hours(line, options.tflops), 2)
        print(f"{line['what']:<40}{line['tera']:>8.2f} x {line['times']:>8}{line['hours']:>9} h")
    result = {
        "assumed_tflops": options.tflops,
        "lines": lines,
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit(),
        "machine": f"{platform.machine()}, {usable_cores()} cores, torch {torch.__version__}",
    }
    if options.output:
        options.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
