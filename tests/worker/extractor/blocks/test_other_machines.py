"""A processor without wide registers gives the same numbers."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.worker.extractor.blocks.regions import REGIONS
from worker.extractor.blocks.picture_features import accumulate, finish

NAMES = ("photo", "odd sides", "smallest", "flat", "grey")
PROGRAM = """
import sys
import numpy as np
from tests.worker.extractor.blocks.regions import REGIONS
from worker.extractor.blocks.picture_features import accumulate, finish
for name in sys.argv[2:]:
    features = finish(accumulate(REGIONS[name]))
    np.save(f"{sys.argv[1]}/{name}.npy", np.concatenate(list(features.values())))
"""


def test_a_processor_without_wide_registers_gives_the_same_numbers(tmp_path: Path) -> None:
    """Compiled anew for the plainest processor of this architecture, some twenty seconds."""
    environment = {
        **os.environ,
        "NUMBA_CPU_NAME": "generic",
        "NUMBA_CPU_FEATURES": "",
        "NUMBA_CACHE_DIR": str(tmp_path / "cache"),
    }
    command = [sys.executable, "-c", PROGRAM, str(tmp_path), *NAMES]
    subprocess.run(command, env=environment, check=True, timeout=240)
    for name in NAMES:
        here = np.concatenate(list(finish(accumulate(REGIONS[name])).values()))
        np.testing.assert_allclose(np.load(tmp_path / f"{name}.npy"), here, rtol=0, atol=1e-4)
