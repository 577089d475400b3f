"""What the generators trained without a critic weigh, how far they were trained, what one costs.

A picture's time is processor time on one thread, the least of three series of 16 pictures of 64
pixels, for what is given photographs of the demo as for what draws from noise.

    OMP_NUM_THREADS=1 python -m benchmarks.trained_generators
"""

import time

import torch
from PIL import Image

from training.demo.files import photo_paths
from training.generators.trained import trained_generators
from training.likelihood.models import SIDE, load, models
from training.zoo.checkpoint import facts_of
from worker.enrol.recompress import Picture, from_pil

SERIES = 16


def photographs() -> list[Picture]:
    """The demo's, uint8 (3,H,W)."""
    return [from_pil(Image.open(path).convert("RGB")) for path in photo_paths()]


def main() -> None:
    """Print a table, a line for each model whose weights are there."""
    torch.set_num_threads(1)
    given, by_name = photographs(), {model.name: model for model in models()}
    print("| name | role | weights | file, KB | pictures | steps | minutes | ms a picture |")
    print("|---|---|---|---|---|---|---|---|")
    for generator in trained_generators():
        model = by_name[generator.name]
        weights = sum(parameter.numel() for parameter in load(model).parameters())
        facts, least_s = facts_of(model.weights), float("inf")
        for seed in range(3):
            began = time.process_time()
            generator.make(SERIES, SIDE, seed, given)
            least_s = min(least_s, (time.process_time() - began) / SERIES)
        print(
            f"| {generator.name} | {generator.role} | {weights:,}"
            f" | {model.weights.stat().st_size / 1000:.0f} | {facts['photographs']}"
            f" | {facts['iteration']:,} | {float(str(facts['elapsed_s'])) / 60:.1f}"
            f" | {1000 * least_s:.0f} |"
        )


if __name__ == "__main__":
    main()
