"""The commands around the stream: `submit`, `watch`, `agreement`, `topics create`."""

import json
import logging
import os
import select
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from fingerprint_db.names import printable
from worker.broker.acls import acl_commands, strimzi_acls
from worker.broker.clients import connection
from worker.broker.rights import role, roles
from worker.broker.topic_creation import TopicReport, create_topics
from worker.broker.topics import DEFAULT_PARTITIONS, Topics
from worker.commands.options import Brokers, Config, Json, Prefix, moment_of
from worker.errors import StopError
from worker.outside.submit import DEFAULT_SOURCE, Summary, submit
from worker.outside.watch import watch
from worker.outside.watch_lines import line
from worker.outside.watched import Watched
from worker.settings.settings import Settings
from worker.settings_sources import load_settings

_PLAIN_PROGRESS_S = 10.0
"""Without a terminal, a line now and then shows that the command is alive."""


class RightsForm(StrEnum):
    """How rights are printed."""

    TABLE = "table"
    KAFKA_ACLS = "kafka-acls"
    STRIMZI = "strimzi"


def contribute(app: typer.Typer) -> None:
    """Add the commands of this module to `app`."""
    app.command("submit")(submit_command)
    app.command("watch")(watch_command)
    app.command("agreement")(agreement_command)
    topics_app = typer.Typer(help="Look after the topics.", no_args_is_help=True)
    topics_app.command("create")(topics_create_command)
    topics_app.command("rights")(topics_rights_command)

    @topics_app.callback()
    def topics() -> None:
        """Look after the topics."""

    app.add_typer(topics_app, name="topics")


def submit_command(
    paths: Annotated[list[Path], typer.Argument(help="Image files, or folders of them.")],
    rate: Annotated[
        float | None, typer.Option("--rate", min=0.001, help="Images a second; default: no limit.")
    ] = None,
    source: Annotated[
        str, typer.Option("--source", help="CloudEvents source of the events, a URI reference.")
    ] = DEFAULT_SOURCE,
    by_reference: Annotated[
        bool,
        typer.Option(
            "--by-reference",
            help="Send addresses of files below references.allowed_roots instead of their bytes.",
        ),
    ] = False,
    brokers: Brokers = None,
    prefix: Prefix = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Send images as events: .jpg, .jpeg, .png and .webp, bytes as on disk.

    With --by-reference workers fetch the files themselves, where they list the same folder. The
    subject of each event, and its key, is the path relative to the folder given. Exit codes:
    0 all sent, 1 some files failed, 2 wrong use, 3 Kafka or the topic out of reach, 130
    interrupted.
    """
    if not source.strip():
        raise StopError(
            "--source is empty; CloudEvents expects a URI reference, such as /uploads/eu",
            exit_code=2,
        )
    settings = settings_of(brokers, prefix, config)
    roots = settings.references.roots() if by_reference else ()
    if by_reference and not roots:
        raise StopError(
            "--by-reference needs LATENTPRINT_REFERENCES__ALLOWED_ROOTS, the folders whose files"
            " workers may fetch; it is empty here",
            exit_code=2,
        )
    with _submit_progress(quiet=as_json) as progress:
        summary = submit(
            paths,
            brokers=settings.kafka.brokers,
            topic=Topics(settings.kafka.prefix).images,
            source=source,
            rate=rate,
            max_image_bytes=settings.decode.max_image_bytes,
            client=client_of(settings),
            progress=progress,
            roots=roots,
        )
    if as_json:
        typer.echo(json.dumps(summary.document()))
    else:
        _print_summary(summary)
    raise typer.Exit(summary.exit_code())


def watch_command(
    from_start: Annotated[
        bool, typer.Option("--from-start", help="Begin with the oldest record kept.")
    ] = False,
    until_idle: Annotated[
        float | None,
        typer.Option("--until-idle", min=0.0, help="End after so many seconds without a record."),
    ] = None,
    alerts: Annotated[
        bool, typer.Option("--alerts", help="Alerts instead of verdicts and dead letters.")
    ] = False,
    count: Annotated[
        int | None, typer.Option("--count", min=1, help="End after so many records.")
    ] = None,
    brokers: Brokers = None,
    prefix: Prefix = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Follow verdicts and dead letters, live, one line each.

    Exit codes: 0 ended as asked, 2 wrong use, 3 Kafka or a topic out of reach, 130 interrupted.
    """
    settings = settings_of(brokers, prefix, config)
    shown = 0

    def ready(partitions: int) -> None:
        start = "from the oldest record" if from_start else "from now on"
        print(f"watching {partitions} partitions {start}", file=sys.stderr, flush=True)

    records = watch(
        settings.kafka.brokers,
        Topics(settings.kafka.prefix),
        alerts=alerts,
        from_start=from_start,
        until_idle_s=until_idle,
        max_image_bytes=settings.decode.max_image_bytes,
        client=client_of(settings),
        ready=ready,
        still_wanted=_stdout_is_read,
    )
    try:
        for watched in records:
            _print_record(watched, as_json)
            shown += 1
            if shown == count:
                break
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except BrokenPipeError:
        # The reader has what it wanted (`| head`). What Python still holds goes nowhere, silently.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    finally:
        records.close()


def agreement_command(
    since: Annotated[
        str, typer.Option("--since", help="Verdicts since then: 12h, 7d or an ISO time.")
    ] = "24h",
    examples: Annotated[
        int, typer.Option("--examples", min=0, help="Of each kind of disagreement.")
    ] = 10,
    brokers: Brokers = None,
    prefix: Prefix = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Compare what workers in shadow say with what the workers that count say.

    Exit codes: 0 compared, 2 wrong use, 3 Kafka or a topic out of reach.
    """
    from worker.outside.agreement import read_agreement

    settings = settings_of(brokers, prefix, config)
    agreement = read_agreement(
        settings.kafka.brokers,
        settings.kafka.prefix,
        client_of(settings),
        since_ms=round(moment_of(since).timestamp() * 1000),
        most_examples=examples,
    )
    if as_json:
        typer.echo(json.dumps(agreement.document()))
        return
    for text in agreement.lines():
        typer.echo(printable(text))


def topics_create_command(
    partitions: Annotated[
        int | None,
        typer.Option(
            "--partitions",
            min=1,
            help=f"Of images, verdicts and fingerprints; {DEFAULT_PARTITIONS} where they are made.",
        ),
    ] = None,
    replication: Annotated[
        int | None,
        typer.Option("--replication", min=1, help="Copies of each; default: the cluster's own."),
    ] = None,
    alter: Annotated[
        bool,
        typer.Option(
            "--alter", help="Give those that exist the planned settings, and partitions they lack."
        ),
    ] = False,
    shadow: Annotated[
        bool, typer.Option("--shadow", help="The outputs of workers in shadow, too.")
    ] = False,
    brokers: Brokers = None,
    prefix: Prefix = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Create the eight topics; those that exist are compared, and left alone without --alter.

    Exit codes: 0 all exist now, 1 the cluster refused, 2 wrong use or no right, 3 Kafka
    out of reach.
    """
    settings = settings_of(brokers, prefix, config)
    reports = create_topics(
        settings.kafka.brokers,
        Topics(settings.kafka.prefix, shadow),
        partitions=partitions,
        replication=replication,
        max_image_bytes=settings.decode.max_image_bytes,
        alter=alter,
        client=client_of(settings),
    )
    if as_json:
        typer.echo(json.dumps({"topics": [_report_document(report) for report in reports]}))
        return
    for report in reports:
        state = "created" if report.created else "exists"
        typer.echo(f"{state:<8} {report.name}  {report.partitions} partitions")
        for change in report.altered:
            typer.echo(f"         altered: {change}")
        for difference in report.differences:
            typer.echo(f"         differs, left as it is: {difference}", err=True)
        if report.alter is not None:
            typer.echo(f"         to have it as planned: {report.alter}", err=True)


def topics_rights_command(
    of: Annotated[str | None, typer.Option("--for", help="One role; default: all.")] = None,
    form: Annotated[
        RightsForm, typer.Option("--as", help="kafka-acls: commands; strimzi: YAML of a KafkaUser.")
    ] = RightsForm.TABLE,
    user: Annotated[
        str, typer.Option("--user", help="Whom the commands give the rights; default: the role.")
    ] = "",
    brokers: Brokers = None,
    prefix: Prefix = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Print what each role needs on Kafka, and no more. Kafka is not asked.

    Exit codes: 0 printed, 2 wrong use.
    """
    settings = settings_of(brokers, prefix, config)
    kafka = settings.kafka
    names = (kafka.prefix, kafka.group, settings.notify.group)
    try:
        chosen = roles(*names) if of is None else (role(of, *names),)
    except KeyError as error:
        raise StopError(f"--for: {error.args[0]}", exit_code=2) from None
    if as_json:
        typer.echo(json.dumps({"rights": [asdict(one) for one in chosen]}))
        return
    for one in chosen:
        typer.echo(f"# {one.name}: {one.does}")
        if form is RightsForm.STRIMZI:
            typer.echo(strimzi_acls(one.rights), nl=False)
        elif form is RightsForm.KAFKA_ACLS:
            principal = f"User:{user or one.name}"
            for command in acl_commands(kafka.brokers, principal, one.rights):
                typer.echo(command)
        else:
            for right in one.rights:
                typer.echo(f"  {right.text()}")


def settings_of(brokers: str | None, prefix: str | None, config: Path | None) -> Settings:
    """The settings of a command that talks to Kafka alone."""
    # Every failure of the client is reported by the command, in words that say what to do.
    logging.getLogger("kafka").addHandler(logging.NullHandler())
    return load_settings(
        environment=os.environ,
        flags={"kafka.brokers": brokers, "kafka.prefix": prefix},
        config_file=config,
    )


def client_of(settings: Settings) -> dict[str, Any]:
    """TLS and SASL: everything about the connection except the addresses."""
    shared = connection(settings.kafka)
    shared.pop("bootstrap_servers")
    return shared


@contextmanager
def _submit_progress(*, quiet: bool) -> Iterator[Callable[[Summary], None]]:
    """A live line on a terminal, a plain one now and then elsewhere, nothing with `quiet`."""
    console = Console(stderr=True)
    if quiet:
        yield lambda summary: None
    elif console.is_terminal:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(20))
        with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as bar:
            task = bar.add_task("submitting", total=None)
            yield lambda summary: bar.update(task, description=_counts(summary))
    else:
        next_line = time.monotonic() + _PLAIN_PROGRESS_S

        def plain(summary: Summary) -> None:
            nonlocal next_line
            if time.monotonic() >= next_line:
                next_line += _PLAIN_PROGRESS_S
                typer.echo(_counts(summary), err=True)

        yield plain


def _counts(summary: Summary) -> str:
    return (
        f"{summary.submitted} images submitted ({summary.bytes / 1e6:.1f} MB),"
        f" {summary.skipped} skipped, {summary.failed_count} failed"
    )


def _print_summary(summary: Summary) -> None:
    for failure in summary.failed:
        typer.echo(f"failed: {printable(failure.path)}: {printable(failure.reason)}", err=True)
    if summary.failed_count > len(summary.failed):
        typer.echo(f"and {summary.failed_count - len(summary.failed)} more failures", err=True)
    if summary.error is not None:
        typer.echo(summary.error, err=True)
    if summary.interrupted:
        typer.echo("interrupted; what is counted as submitted has arrived", err=True)
    typer.echo(f"{_counts(summary)} to {summary.topic} in {summary.seconds:.1f} s")


def _print_record(watched: Watched, as_json: bool) -> None:
    text = json.dumps(watched.document, ensure_ascii=False) if as_json else line(watched)
    typer.echo(text)
    sys.stdout.flush()


def _stdout_is_read() -> bool:
    """False once the program that read our output is gone, even before the next record."""
    poll = select.poll()
    try:
        poll.register(sys.stdout.fileno(), select.POLLERR)
    except (OSError, ValueError):
        return True  # no file behind it, as under a test runner
    return not any(event & select.POLLERR for _, event in poll.poll(0))


def _report_document(report: TopicReport) -> dict[str, object]:
    return {
        "name": report.name,
        "created": report.created,
        "partitions": report.partitions,
        "differences": list(report.differences),
        "alter": report.alter,
        "altered": list(report.altered),
    }
