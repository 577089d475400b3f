"""What a fresh child costs: decodes a second of the pool, by the images that each child decodes.

Caveats: one machine; the images are one 512 x 512 and one 128 x 128 JPEG, again and again, from one
sender. Processor time is of templates, children and the parent's threads together, so that it
tells more than the rate where other programs run.

    python -m benchmarks.decoder [--images 400] [--output FILE]
"""

import argparse
import io
import json
import os
import platform
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from PIL import Image

from worker.decoder.decode import DecodeLimits
from worker.decoder.pool import DecoderPool
from worker.settings.cores import usable_cores

PROCESSES = 2
SIDES = (512, 128)
IMAGES_PER_CHILD = (1, 2, 4, 8, 16, 64, 1_000_000)


def jpeg(side: int) -> bytes:
    """A JPEG of blurred noise, `side` x `side` pixels, quality 90."""
    noise = np.random.default_rng(0).integers(0, 256, (side // 8, side // 8, 3), dtype=np.uint8)
    file = io.BytesIO()
    picture = Image.fromarray(noise).resize((side, side), Image.Resampling.BICUBIC)
    picture.save(file, "JPEG", quality=90)
    return file.getvalue()


def measure(data: bytes, images: int, images_per_child: int) -> dict[str, float]:
    """Decode `data` so many times with two callers; rate, and processor time an image in ms.

    The processor time of the start of the pool is measured apart and taken off.
    """
    before = processor_s()
    with DecoderPool(DecodeLimits(), PROCESSES) as pool:
        pool.pids()
    start_s = processor_s() - before
    before = processor_s()
    with (
        DecoderPool(DecodeLimits(), PROCESSES, images_per_child=images_per_child) as pool,
        ThreadPoolExecutor(PROCESSES) as threads,
    ):
        pool.decode(data)
        began = time.perf_counter()
        for _ in threads.map(pool.decode, [data] * images):
            pass
        seconds = time.perf_counter() - began
    return {
        "decodes_per_s": round(images / seconds, 1),
        "processor_ms_per_image": round((processor_s() - before - start_s) / images * 1000, 2),
    }


def processor_s() -> float:
    """Processor time of this process and of all its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def main() -> None:
    """Print the results as JSON; with --output also into a file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    document = {
        "command": f"python -m benchmarks.decoder --images {options.images}",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, {usable_cores()} cores",
        "load_before": round(os.getloadavg()[0], 1),
        "processes": PROCESSES,
        "by_side_and_images_per_child": {
            str(side): {str(n): measure(jpeg(side), options.images, n) for n in IMAGES_PER_CHILD}
            for side in SIDES
        },
    }
    text = json.dumps(document, indent=1) + "\n"
    sys.stdout.write(text)
    if options.output is not None:
        options.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
