"""A processor without wide registers, and without an instruction for float16, tells the same."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from fingerprint_db.background import Floats
from fingerprint_db.matching.enrolled import Enrolled
from tests.fingerprint_db.matching.small_spaces import CONSTANTS, photographs, small_space
from tests.fingerprint_db.matching.test_closest import queries, registry, spread

PROGRAM = """
import sys
import numpy as np
from tests.fingerprint_db.matching.rows.test_other_machines import told
for name, values in told().items():
    np.save(f"{sys.argv[1]}/{name}.npy", values)
"""


def told() -> dict[str, Floats]:
    """What is found among 300 models, more than are scored without a search; their means are such
    as float16 holds."""
    known, models = small_space(), registry(spread, 300, 3, 0.1)
    assert {one.packed.means.dtype for one in models} == {np.dtype(np.float16)}
    enrolled = Enrolled.of(known, CONSTANTS, models, "jpeg75")
    vectors = np.concatenate([photographs(known, 40), queries(models, 7)])
    closest = enrolled.closest(vectors, 3)
    return {
        "models": np.concatenate([one.models for one in closest]).astype(np.float32),
        "likelihoods": np.concatenate([one.likelihoods for one in closest]).astype(np.float32),
        "distances": np.concatenate([one.distances for one in closest]),
        "highest": np.array([one.highest for one in closest], np.float32),
    }


def test_a_processor_without_wide_registers_tells_the_same(tmp_path: Path) -> None:
    """Compiled anew for the plainest processor of this architecture."""
    environment = {
        **os.environ,
        "NUMBA_CPU_NAME": "generic",
        "NUMBA_CPU_FEATURES": "",
        "NUMBA_CACHE_DIR": str(tmp_path / "cache"),
    }
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    subprocess.run(command, env=environment, check=True, timeout=240)
    here = told()
    assert np.isfinite(here["highest"]).any()
    for name, values in here.items():
        np.testing.assert_allclose(np.load(tmp_path / f"{name}.npy"), values, rtol=1e-6)
