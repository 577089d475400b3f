"""What `torchrun` starts twice in a test: one training, and what each process saw of it."""

import hashlib
import json
import sys
from pathlib import Path

import torch

from tests.training.paper.samples import SIDE, stripes
from training.paper.devices import joined, wait_for_all
from training.paper.networks.attribution_network import AttributionNetwork
from training.paper.networks.learn import LearnRecipe, learn


def main(folder: Path) -> None:
    """Train for four steps and write RANK.json."""
    torch.set_num_threads(1)
    reports = 0

    def report(step: int, steps: int, loss: float) -> None:
        nonlocal reports
        reports += 1

    with joined() as place:
        torch.manual_seed(place.rank)  # the first process's weights are handed to the others
        network = AttributionNetwork(SIDE, 3)
        recipe = LearnRecipe(steps=4, batch_size=4, bfloat16=False)
        learn(network, stripes(), recipe, folder / "saved.safetensors", report, place)
        wait_for_all(place)
        digest = hashlib.sha256()
        for value in network.state_dict().values():
            digest.update(value.contiguous().numpy().tobytes())
        seen = {"weights": digest.hexdigest(), "world": place.world, "reports": reports}
        (folder / f"{place.rank}.json").write_text(json.dumps(seen))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
