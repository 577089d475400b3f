"""What the extraction of a 512x512 picture costs, and each of its parts, in one run.

Caveats: one machine, one thread, one made picture (smooth shapes and noise), as a PNG and as a
JPEG. Rounds of all parts follow one another, so that what else the machine does falls on all alike;
the least and the median of each part's processor time are given. The decoding is no part of it.
Floors are what does only the least of a part, in the same rounds (benchmarks/floors.py).
The blocks are read of the first region alone: the whole picture, up to 512x512. Read the ratios.

    OMP_NUM_THREADS=1 python -m benchmarks.blocks [--rounds 40] [--side 512] [--output FILE]
        [--bundle FOLDER]
    python -m benchmarks.blocks_page    writes docs/extractor-floor.md of the newest of those files
"""

import argparse
import io
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from benchmarks.floors import floors
from fingerprint_db.conditions import readings_of
from worker.decoder.decode import decode
from worker.extractor.blocks.picture_features import BLOCKS, accumulate, finish
from worker.extractor.blocks.planes import to_planes
from worker.extractor.bundle import Bundle, load_bundle
from worker.extractor.earlier_jpeg import find_earlier
from worker.extractor.extract import BlockExtractor
from worker.extractor.fingerprint_map import block_statistics
from worker.extractor.nuisance import nuisance
from worker.extractor.products import Products, stay_on_this_thread
from worker.settings.cores import usable_cores


def picture(side: int, seed: int = 0) -> NDArray[np.uint8]:
    """uint8 (side, side, 3): smooth shapes of several sizes and a little noise."""
    numbers = np.random.default_rng(seed)
    levels = np.full((side, side, 3), 128.0)
    for cells in (4, 16, 64):
        coarse = numbers.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
        smooth = Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)
        levels += (np.asarray(smooth) - 128.0) / 3
    levels += numbers.normal(0, 2, levels.shape)
    return levels.clip(0, 255).astype(np.uint8)


def parts(side: int, bundle: Bundle) -> dict[str, Callable[[], object]]:
    """What is timed, by name; the first is the measure of the others."""
    extractor = BlockExtractor(bundle)
    stay_on_this_thread()  # as the worker
    drawn = Image.fromarray(picture(side))
    jpeg, png = (decode(encoded(drawn, kind), extractor.limits) for kind in ("JPEG", "PNG"))
    (region, *_) = png.regions
    planes = to_planes(region)
    products = Products(bundle)
    lossless = readings_of("lossless")
    rows = {
        codec: bundle.maps[codec].standard(
            block_statistics(png.regions, bundle.maps[codec].blocks)[None]
        )
        for codec in ("jpeg90", *lossless)
    }
    both = np.concatenate([rows[codec] for codec in lossless])
    sums = accumulate(planes, bundle.maps["jpeg90"].blocks)
    return {
        "extract_jpeg": lambda: extractor.extract([jpeg]),
        "extract_png": lambda: extractor.extract([png]),
        "planes": lambda: to_planes(region),
        **{name: partial(accumulate, planes, [name]) for name in BLOCKS},
        "finish_jpeg": lambda: finish(sums),
        "products_jpeg": lambda: products.project(["jpeg90"], rows["jpeg90"]),
        "products_png": lambda: products.project(lossless, both),
        "nuisance": lambda: nuisance([planes], jpeg.facts),
        "earlier_jpeg": lambda: find_earlier([planes]),
        **{f"floor:{name}": part for name, part in floors(planes, bundle).items()},
    }


def encoded(image: Image.Image, kind: str) -> bytes:
    """The bytes of a PNG, or of a JPEG of quality 90."""
    file = io.BytesIO()
    image.save(file, kind, **({"quality": 90} if kind == "JPEG" else {}))
    return file.getvalue()


def main() -> None:
    """Print the results as JSON; with --output also into a file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--bundle", type=Path, help="instead of the default one")
    options = parser.parse_args()
    load = round(os.getloadavg()[0], 1)
    torch.set_num_threads(1)
    timed = parts(options.side, load_bundle(options.bundle))
    for part in timed.values():
        part()  # compiled, and caches filled
    times: dict[str, list[float]] = {name: [] for name in timed}
    for _ in range(options.rounds):
        for name, part in timed.items():
            began = time.process_time()
            part()
            times[name].append((time.process_time() - began) * 1000)
    document = {
        "command": f"python -m benchmarks.blocks --rounds {options.rounds} --side {options.side}",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, {usable_cores()} cores, torch {torch.__version__}",
        "load_before": load,
        "rounds": options.rounds,
        "side": options.side,
        "parts": {
            name: {"least_ms": round(min(own), 3), "median_ms": round(statistics.median(own), 3)}
            for name, own in times.items()
        },
    }
    text = json.dumps(document, separators=(",", ":")) + "\n"
    sys.stdout.write(text)
    if options.output is not None:
        options.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
