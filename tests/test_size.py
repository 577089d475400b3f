"""What a checkout weighs: the files that git follows, without their history."""

import subprocess

from tests.imports import ROOT

MOST_BYTES = 90_000_000
"""A clone on a slow line is a matter of minutes; docs/decisions/0033-small-copies.md."""
LARGEST_BYTES = 10_100_000
"""The map of the extractor bundle; nothing else comes near."""


def sizes() -> dict[str, int]:
    """Bytes of every file that git follows."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    return {str(path.relative_to(ROOT)): path.stat().st_size for path in paths if path.exists()}


def test_the_tree_stays_below_90_megabytes() -> None:
    found = sizes()
    assert len(found) > 500, "these are not all files"
    assert sum(found.values()) < MOST_BYTES


def test_no_file_is_larger_than_the_bundles_map() -> None:
    larger = [name for name, size in sizes().items() if size > LARGEST_BYTES]
    assert not larger, "retrain by command, or keep a small copy"
