"""Files to verdicts by the worker of whatever tree is on the path: what `against` starts in each.

For each line on standard input, the name of a folder, all its files are decoded, in a sandboxed
child, and judged in batches; the answer is a line of JSON with the processor seconds of this
process by stage. Modules are named as they are today, then as they were at an earlier commit.
"""

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any, Final

from threadpoolctl import ThreadpoolController

BATCH: Final = 16


def found(name: str, *modules: str) -> Any:
    """What the first of the modules that this tree has calls so."""
    for module in modules:
        try:
            return getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError):
            continue
    raise ImportError(f"none of {modules} has {name}")


class Timed:
    """An extractor, and the processor seconds that its calls took."""

    def __init__(self, extractor: Any) -> None:
        self._extractor = extractor
        self.took_s = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._extractor, name)

    def extract(self, images: Any) -> Any:
        """As the extractor."""
        began = time.process_time()
        try:
            return self._extractor.extract(images)
        finally:
            self.took_s += time.process_time() - began


def _extractor(bundle: Any) -> Any:
    module = importlib.import_module("worker.extractor.extract")
    if hasattr(module, "BlockExtractor"):
        ThreadpoolController().limit(limits=1, user_api="blas")  # as the worker has it
        return module.BlockExtractor(bundle)
    importlib.import_module("torch").set_num_threads(1)
    return module.TorchExtractor(bundle, "cpu")


def main() -> None:
    """Say when it is ready, then answer every line."""
    bundles = importlib.import_module("worker.extractor.bundle")
    bundle = bundles.load_bundle()
    extractor = Timed(_extractor(bundle))
    extractor.self_test()
    registry = found("MemoryRegistry", "fingerprint_db.memory_registry")()
    export = (bundle.path / bundles.ZOO_EXPORT).read_bytes()
    found("import_", "fingerprint_db.transfer")(registry, export, by="bench", reason="the zoo")
    view_of = found("RegistryView", "worker.registry.view", "worker.judged")
    view = view_of(registry.snapshot(extractor.space), 0.0)
    policy = found("load_policy", "worker.judge.policy", "worker.policy")()
    clock = importlib.import_module("datetime")
    pipeline = found("Pipeline", "worker.judge.pipeline", "worker.pipeline")(
        extractor, bundle, policy, lambda: clock.datetime.now(clock.UTC)
    )
    image_event = found("ImageEvent", "worker.events.image_event", "worker.events")
    origin = found("Origin", "worker.events.cloudevents", "worker.cloudevents")
    pools = found("DecoderPool", "worker.decoder.pool", "worker.sandbox")
    with pools(extractor.limits, 1) as pool:
        print("ready", flush=True)
        for line in sys.stdin:
            files = [path.read_bytes() for path in sorted(Path(line.strip()).iterdir())]
            began, extractor.took_s, named = time.process_time(), 0.0, 0
            for first in range(0, len(files), BATCH):
                events = [
                    image_event(origin("bench", 0, at), None, str(at), "/", None, None, None, data)
                    for at, data in enumerate(files[first : first + BATCH], first)
                ]
                items = [(event, pool.decode(event.data)) for event in events]
                for judged in pipeline.judge(items, view):
                    judged.verdict.model_dump_json()
                    named += judged.verdict.outcome != "undetermined"
            answer = {
                "judging_s": time.process_time() - began,
                "extract_s": extractor.took_s,
                "determined": named,
            }
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
