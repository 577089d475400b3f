"""`latentprint doctor`: looks at everything that a worker needs, and says what to mend."""

import json
import logging
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from fingerprint_db.names import printable
from worker.commands.options import Brokers, Config, Json, Prefix, Redis
from worker.errors import StopError
from worker.settings.settings import Settings
from worker.settings_sources import Given, load_with_sources

_SIGNS = {"good": "ok", "note": "note", "unchecked": "?", "wrong": "WRONG", "away": "AWAY"}


def contribute(app: typer.Typer) -> None:
    """Add `doctor` to `app`."""
    app.command("doctor")(doctor_command)


def doctor_command(
    role: Annotated[
        list[str] | None,
        typer.Option("--role", help="Whose rights to look at; repeat it. Default: worker."),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            help="Look at machine, certificates, kafka, redis or judging alone; repeat it.",
        ),
    ] = None,
    within: Annotated[
        float, typer.Option("--within", min=1.0, max=600.0, help="Seconds that it may take.")
    ] = 8.5,
    brokers: Brokers = None,
    redis: Redis = None,
    prefix: Prefix = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Look at Kafka, Redis, registry, bundle, sandbox and this machine; say what to mend.

    Changes nothing: no topic is made, no group joined, no record written. Exit codes: 0 all well,
    2 something to mend, or wrong settings, 3 nothing wrong but a service out of reach.
    """
    began = time.monotonic() - _age_s()
    # Why a connection fails is a finding.
    logging.getLogger("kafka").addHandler(logging.NullHandler())
    settings, given = load_with_sources(
        environment=os.environ,
        flags={"kafka.brokers": brokers, "kafka.prefix": prefix, "redis.url": redis},
        config_file=config,
    )
    from worker.broker.rights import roles as known_roles
    from worker.doctor.examination import PARTS, examine
    from worker.doctor.findings import exit_code, faults

    roles = _known("--role", role or ["worker"], [one.name for one in known_roles()])
    parts = _known("--only", only, PARTS) if only else None
    if not as_json:
        _print_settings(settings, given)
    loading_s = time.monotonic() - began
    findings = []
    for finding in examine(settings, roles, parts, began=began, within_s=within):
        findings.append(finding)
        if not as_json:
            text = printable(finding.text)  # which may repeat names that others gave
            typer.echo(f"{_SIGNS[finding.standing]:<6} {finding.check:<14} {text}")
            sys.stdout.flush()
    wrong = faults(findings)
    seconds = time.monotonic() - began
    if as_json:
        document = {
            "version": _version(),
            "settings": [asdict(one) for one in _shown(settings, given)],
            "findings": [asdict(one) for one in findings],
            "faults": len(wrong),
            "seconds": round(seconds, 2),
            "loading_seconds": round(loading_s, 2),
        }
        typer.echo(json.dumps(document, ensure_ascii=False))
    elif wrong:
        typer.echo(f"\n{len(wrong)} to mend, found in {seconds:.1f} s:")
        for number, one in enumerate(wrong, start=1):
            typer.echo(f"{number:>3}. {one.check}: {printable(one.text)}")
    else:
        untold = sum(one.standing == "unchecked" for one in findings)
        rest = f"; {untold} could not be looked at (?)" if untold else ""
        typer.echo(f"\nnothing to mend{rest}; looked at in {seconds:.1f} s")
    raise typer.Exit(exit_code(findings))


def _age_s() -> float:
    """How long this process has run, mostly to load the program; 0 where that is not told."""
    try:
        stat = Path("/proc/self/stat").read_text(encoding="ascii")
        started = int(stat.rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
        return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - started)
    except (OSError, ValueError, IndexError, AttributeError):
        return 0.0


def _known(option: str, given: Sequence[str], known: Sequence[str]) -> list[str]:
    for name in given:
        if name not in known:
            raise StopError(
                f"{option} {name}: there is none; expected {', '.join(known)}", exit_code=2
            )
    return list(dict.fromkeys(given))


def _print_settings(settings: Settings, given: Sequence[Given]) -> None:
    typer.echo(f"latentprint {_version()}, Python {sys.version.split()[0]}")
    for one in _shown(settings, given):
        typer.echo(f"       {one.name} = {one.shown} ({one.source})")
    typer.echo("       every other setting is the default\n")
    sys.stdout.flush()


def _shown(settings: Settings, given: Sequence[Given]) -> list[Given]:
    """What is given, the addresses in any case; that of Redis without its password."""
    names = {one.name: one for one in given}
    address = settings.redis.address().shown
    for name, shown in (("kafka.brokers", settings.kafka.brokers), ("redis.url", address)):
        names[name] = Given(name, shown, names[name].source if name in names else "default")
    return sorted(names.values(), key=lambda one: one.name)


def _version() -> str:
    from importlib.metadata import version

    return version("latentprint")
