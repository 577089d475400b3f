"""`scan` and `register` run in this process, on a tiny bundle, with one decoder child."""

import logging

import structlog
import typer
from typer.testing import CliRunner, Result

from tests.worker.extractor.tiny_bundle import TinyBundle
from worker.commands import local_files


def run_local(bundle: TinyBundle, *arguments: str) -> Result:
    """The command's exit code, stdout and stderr; logs stay as they were."""
    app = typer.Typer()
    local_files.contribute(app)
    environment = {
        "LATENTPRINT_STATE": "/nonexistent/services.json",
        "LATENTPRINT_EXTRACT__BUNDLE": str(bundle.path),
        "LATENTPRINT_EXTRACT__DEVICE": "cpu",
        "LATENTPRINT_DECODE__PROCESSES": "1",
    }
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        return CliRunner().invoke(app, list(arguments), env=environment)
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.reset_defaults()
