"""What it would buy and cost to read more of a picture than the first stage of regions.

Cost: decoding, block statistics and the whole extraction of 0.25 to 4 megapixels of one made
picture, as a JPEG and as a PNG, on one thread; rounds of all sizes follow one another, so that what
else the machine does falls on all alike. The gain is benchmarks/more_pixels_gain.py.

    OMP_NUM_THREADS=1 python -m benchmarks.more_pixels [--rounds 20] [--drawn FOLDER]

writes a dated file into benchmarks/results/ and docs/more-pixels.md. Pictures once drawn are kept
in FOLDER and read again.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from benchmarks import more_pixels_page as page
from benchmarks.blocks import encoded, picture
from benchmarks.more_pixels_gain import gain, limits_of, statistics_of
from training.paper.studies.measured import commit
from worker.decoder.decode import decode
from worker.extractor.arrival import file_codec
from worker.extractor.bundle import Bundle, load_bundle
from worker.extractor.extract import BlockExtractor
from worker.extractor.products import stay_on_this_thread
from worker.settings.cores import usable_cores

COST: dict[str, int] = {"0.25": 1 << 18, "0.5": 1 << 19, "1": 1 << 20, "2": 1 << 21, "4": 1 << 22}
COST_SIDE = 2304  # above four megapixels, so that all of these are read in tiles


def cost(bundle: Bundle, rounds: int) -> dict[str, Any]:
    """Least processor time in ms of each part and number of megapixels, by the file's kind."""
    drawn = Image.fromarray(picture(COST_SIDE))
    extractor = BlockExtractor(bundle)
    stay_on_this_thread()  # as the worker
    found = {}
    for kind in ("JPEG", "PNG"):
        file = encoded(drawn, kind)
        times: dict[str, dict[str, list[float]]] = {name: {} for name in COST}
        for turn in range(rounds + 1):
            for name, pixels in COST.items():
                began = time.process_time()
                image = decode(file, limits_of(pixels))
                decoded = time.process_time()
                statistics_of(image, bundle.maps[file_codec(image.facts)].blocks)
                read = time.process_time()
                extractor.extract([image])
                ended = time.process_time()
                if not turn:  # the first fills caches
                    continue
                for part, spent in (
                    ("decode_ms", decoded - began),
                    ("statistics_ms", read - decoded),
                    ("extract_ms", ended - read),
                ):
                    times[name].setdefault(part, []).append(1000 * spent)
        found[kind] = {
            name: {part: round(min(own), 1) for part, own in parts.items()}
            for name, parts in times.items()
        }
    return found


def main() -> None:
    """Write the results and the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=20)
    kept = Path(tempfile.gettempdir()) / "latentprint-more-pixels"
    parser.add_argument("--drawn", type=Path, default=kept, help="where drawn pictures are kept")
    options = parser.parse_args()
    options.drawn.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    bundle, now = load_bundle(), datetime.now(UTC)
    document = {
        "command": f"OMP_NUM_THREADS=1 python -m benchmarks.more_pixels --rounds {options.rounds}",
        "date": now.isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, {usable_cores()} cores, torch {torch.__version__}",
        "commit": commit(),
        "bundle": bundle.digest[:12],
        "load_before": round(os.getloadavg()[0], 1),
        "cost": cost(bundle, options.rounds),
        "gain": gain(options.drawn),
    }
    path = page.RESULTS / f"more-pixels-{now:%Y-%m-%d}.json"
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    page.main()


if __name__ == "__main__":
    main()
