"""When a space was backed up, for Prometheus' textfile collector, which scrapes what jobs leave."""

import time
from collections.abc import Callable
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from fingerprint_db.transfer import Export

BACKUP_FIGURES = {
    "latentprint_registry_export_timestamp_seconds": "when the newest export was made, Unix time",
    "latentprint_registry_export_revision": "the registry's revision that it holds",
    "latentprint_registry_export_models": "how many models it holds, retired ones too",
    "latentprint_registry_export_size_bytes": "how large its file is",
}
"""By name: what each says; the label `space` is the bundle's digest, its first twelve digits."""


def write_backup_figures(
    file: Path, written: Export, size_bytes: int, now: Callable[[], float] = time.time
) -> None:
    """Replace `file` by what is to be said of an export; `now` gives Unix time in seconds."""
    registry = CollectorRegistry()
    contents = written.contents
    values = (now(), contents.revision, len(contents.rows), size_bytes)
    for (name, meaning), value in zip(BACKUP_FIGURES.items(), values, strict=True):
        gauge = Gauge(name, meaning, ["space"], registry=registry)
        gauge.labels(contents.space[:12]).set(value)
    write_to_textfile(str(file), registry)
