"""The worker's commands; heavy imports wait until a command runs."""

import typer

from worker.commands import (
    calibrate,
    dlq,
    doctor,
    health,
    leave,
    local_files,
    notify,
    pool,
    run,
    stream,
)


def contribute(app: typer.Typer) -> None:
    """Add `run` and the commands around it to the program."""
    run.contribute(app)
    health.contribute(app)
    leave.contribute(app)
    doctor.contribute(app)
    stream.contribute(app)
    dlq.contribute(app)
    notify.contribute(app)
    local_files.contribute(app)
    pool.contribute(app)
    calibrate.contribute()
