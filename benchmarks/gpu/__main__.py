"""The worker on a card: decode, extract and match alone, and end to end, in one run.

Caveats: synthetic JPEGs of quality 90 (smooth shapes and noise), of one size. Without a card the
device's path is computed by torch's CPU device, which is no measure of one: then only the counts of
operations, bytes and waits say something, and the smoke of it all.

    python -m benchmarks.gpu --device cuda --images 4000 --slots 4
    python -m benchmarks.gpu --device cpu --images 8 --batch 4 --count 32 128   (a smoke, minutes)

A real Kafka and Redis are started for the last part; `--no-stream` leaves it out.
Writes benchmarks/results/gpu-DATE.json and docs/operations/gpu.md.
"""

import argparse
import json
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from benchmarks.blocks import encoded, picture
from benchmarks.gpu import histograms, page, stages
from benchmarks.gpu.counting import count
from benchmarks.pipeline import end_to_end
from training.paper.studies.measured import commit
from worker.decoder.decode import DecodeLimits
from worker.decoder.decode import decode as decode_here
from worker.extractor.bundle import load_bundle
from worker.extractor.on_device.extractor import DeviceExtractor
from worker.extractor.products import stay_on_this_thread
from worker.settings.cores import decoders_for, usable_cores


def main() -> None:
    """Measure, write the results, and the page of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--device", default="cuda", help="cuda, cuda:K, or cpu for a smoke")
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--batch", type=int, nargs="+", default=[32, 128])
    parser.add_argument("--count", type=int, nargs="*", default=[32, 128])
    parser.add_argument("--slots", type=int, default=4)
    parser.add_argument("--decoders", type=int, help="children in all; else by the cores")
    parser.add_argument("--rounds", type=int, default=10, help="of what is timed on a processor")
    parser.add_argument("--no-stream", action="store_true", help="without Kafka and Redis")
    parser.add_argument("--output", type=Path, help="JSON alone, without the page")
    options = parser.parse_args()
    if options.device != "cpu" and not torch.cuda.is_available():
        parser.error(
            f"--device is {options.device}, and torch finds no card; on a machine without one"
            " --device cpu counts what a batch is"
        )
    now = datetime.now(UTC)
    document = {
        "command": f"python -m benchmarks.gpu {' '.join(sys.argv[1:])}".rstrip(),
        "date": now.isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, {usable_cores()} cores, torch {torch.__version__}",
        "commit": commit(),
        "load_before": round(os.getloadavg()[0], 1),
        **measure(options),
    }
    text = json.dumps(document, indent=1) + "\n"
    sys.stdout.write(text)
    path = options.output or page.RESULTS / f"gpu-{now:%Y-%m-%d}.json"
    path.write_text(text, encoding="utf-8")
    if options.output is None:
        page.main()


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """All parts, in the order of the page."""
    stay_on_this_thread()  # as the worker
    bundle = load_bundle()
    drawn = Image.fromarray(picture(options.side))
    limits = DecodeLimits(bundle.reading)
    jpeg, png = (decode_here(encoded(drawn, kind), limits) for kind in ("JPEG", "PNG"))
    on_cpu = DeviceExtractor(bundle, torch.device("cpu"))
    found: dict[str, Any] = {
        "side": options.side,
        "counts": {
            kind: [count(on_cpu, [image] * images) for images in options.count]
            for kind, image in (("jpeg", jpeg), ("lossless", png))
        },
        "processor_ms": stages.on_the_processor(bundle, jpeg, png, options.rounds),
    }
    device = torch.device(options.device)
    extractor = DeviceExtractor(bundle, device)
    extractor.self_test()
    found["device"] = extractor.where
    some, places = (16, 65_536) if device.type == "cuda" else (1, 4096)
    found["histograms_us"] = {
        "pictures": some,
        "places": places,
        **histograms.timed(device, some, places, options.rounds),
    }
    children = options.decoders or decoders_for(usable_cores(), options.slots) * options.slots
    files = stages.drawn(options.images, options.side)
    images, found["decode"] = stages.decode(files, limits, children)
    found["extract"] = [stages.extract(extractor, images, batch) for batch in options.batch]
    found["graphs"] = {"kept": extractor.launcher.graphs, "refused": extractor.launcher.refused}
    found["match_per_s"] = stages.match(bundle, extractor, images[: max(options.batch)])
    if not options.no_stream:
        settings = {
            "EXTRACT__DEVICE": options.device,
            "EXTRACT__BATCH_MAX_IMAGES": str(max(options.batch)),
            "DECODE__PROCESSES": str(max(1, children // options.slots)),
        }
        found["end_to_end"] = {
            "slots": options.slots,
            **{name.lower(): value for name, value in settings.items()},
            "per_s": end_to_end(files, slots=options.slots, settings=settings),
        }
    return found


if __name__ == "__main__":
    main()
