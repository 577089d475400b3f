"""`latentprint registry calibrate`: a tenant's own photographs set the levels of verdicts.

Contributed to the registry's commands from here, since photographs have to be decoded and
fingerprinted, which the registry's own package cannot.
"""

import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fingerprint_db.calibration import MOST_OF_A_PART, Calibration, PhotographPart
from fingerprint_db.commands.opening import reported
from fingerprint_db.commands.registry import registry_app
from fingerprint_db.errors import WrongSettings
from fingerprint_db.model_fingerprint import ModelFingerprint
from fingerprint_db.names import author_of, check_name, printable
from fingerprint_db.registry import Registry
from worker.commands.options import Brokers, By, Config, Json, Prefix, Reason, Redis, moment_of
from worker.errors import StopError
from worker.registry.start import open_registry
from worker.settings.group import MEBIBYTE
from worker.settings.settings import Settings
from worker.settings_sources import load_settings
from worker.telemetry import configure_logging

if TYPE_CHECKING:  # the compiled loops load only when a command runs
    from worker.extractor.bundle import Bundle
    from worker.judge.policy import Policy

_MOST_OF_A_STREAM = 20_000
_CONTAMINATION = 0.01


def contribute(_app: typer.Typer) -> None:
    """Add `calibrate` to the commands of `registry`, which its own package adds; once."""
    if all(command.name != "calibrate" for command in registry_app.registered_commands):
        registry_app.command("calibrate")(calibrate_command)


def calibrate_command(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="[FOLDER]", help="Your photographs; none: show what is stored."),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option("--source", help="Whose photographs; default: the folder's name, or stream."),
    ] = None,
    from_stream: Annotated[
        bool, typer.Option("--from-stream", help="Read the topic of fingerprints instead.")
    ] = False,
    since: Annotated[
        str | None,
        typer.Option("--since", help="Of the stream: 12h, 7d, or an ISO time; default: all."),
    ] = None,
    contamination: Annotated[
        float,
        typer.Option(
            "--contamination",
            min=0.0,
            max=0.5,
            help="Of the stream: the share that may be synthetic; the highest scores are trimmed.",
        ),
    ] = _CONTAMINATION,
    most: Annotated[
        int, typer.Option("--most", min=1, help="Of the stream: photographs taken at most.")
    ] = _MOST_OF_A_STREAM,
    forget: Annotated[
        str | None, typer.Option("--forget", help="Drop all photographs of this source instead.")
    ] = None,
    by: By = "",
    reason: Reason = "registry calibrate",
    brokers: Brokers = None,
    prefix: Prefix = None,
    redis: Redis = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Hold images against your own photographs: levels fit what you receive, at lower rates.

    Takes photographs alone, tens of thousands of files, and goes on where it stopped: what is
    stored already is known by its pixels. A fifth is held back, and the rates are measured on it.
    Workers use new photographs at once. Exit codes: 0 done, 2 wrong use, 3 Redis or Kafka out of
    reach, 4 somebody else calibrated meanwhile.
    """
    with reported(as_json):
        _check_usage(folder, from_stream, since, forget)
        author = author_of(by)
        settings = load_settings(
            environment=os.environ,
            flags={"redis.url": redis, "kafka.brokers": brokers, "kafka.prefix": prefix},
            config_file=config,
        )
        configure_logging(settings.logging)
        with open_registry(settings.redis, settings.trust.signing_key()) as registry:
            store = _Store(registry, author, reason, quiet=as_json)
            if folder is not None:
                name = check_name(source or folder.resolve().name, "source")
                bundle, policy, left_out = _from_folder(folder, name, settings, store)
            else:
                bundle, policy = _opened(settings)
                store.begin(bundle.digest)
                left_out = Counter[str]()
                if from_stream:
                    name = check_name(source or "stream", "source")
                    span = (since, contamination, most)
                    left_out = _from_stream(bundle, name, settings, store, *span)
                elif forget is not None:
                    store.forget(forget)
            models = registry.snapshot(bundle.digest).models
            _print(store.held, left_out, bundle, policy, models, as_json)


class _Store:
    """Stores parts one after another, each decided on what was stored before."""

    def __init__(self, registry: Registry, by: str, reason: str, *, quiet: bool) -> None:
        self._registry, self._by, self._reason, self._quiet = registry, by, reason, quiet
        self.held = Calibration.empty("")

    def begin(self, space: str) -> Calibration:
        """Read what is stored."""
        self.held = self._registry.calibration(space)
        return self.held

    def add(self, parts: Sequence[PhotographPart]) -> None:
        """Store parts, and say so; CalibrationMoved where somebody else stored meanwhile."""
        if not parts:
            return
        self.held = self._registry.store_calibration(
            self.held.space, parts, seen=self.held.revision, by=self._by, reason=self._reason
        )
        if not self._quiet:
            print(f"{self.held.photographs} photographs are stored", file=sys.stderr)

    def models(self) -> tuple[ModelFingerprint, ...]:
        """What is registered now."""
        return self._registry.snapshot(self.held.space).models

    def forget(self, source: str) -> None:
        """Drop a source that is there; WrongSettings where it is not."""
        sources = sorted({part.source for part in self.held.parts.values()})
        if source not in sources:
            raise WrongSettings(
                f"no photographs of {source!r} are stored, but of: {', '.join(sources) or 'nobody'}"
            )
        self.held = self._registry.store_calibration(
            self.held.space,
            forget=source,
            seen=self.held.revision,
            by=self._by,
            reason=self._reason,
        )


def _from_folder(
    folder: Path, source: str, settings: Settings, store: _Store
) -> "tuple[Bundle, Policy, Counter[str]]":
    from worker.calibrate.files import Seen, photographs_of
    from worker.calibrate.rows import PhotographRow, parts_of
    from worker.commands.workshop import open_workshop

    seen = Seen()
    with open_workshop(settings, check_policy=False) as workshop:
        known = store.begin(workshop.bundle.digest).identities()
        rows: list[PhotographRow] = []
        for photograph in photographs_of(
            folder,
            workshop.decoder.decode,
            workshop.extractor,
            known,
            seen,
            least_quality=workshop.policy.minimum_jpeg_quality,
            batch=settings.extract.batch_max_images,
            workers=settings.decode.children,
        ):
            rows += photograph
            if len(rows) >= MOST_OF_A_PART:
                store.add(list(parts_of(rows, source, "files")))
                rows = []
        store.add(list(parts_of(rows, source, "files")))
        return workshop.bundle, workshop.policy, seen.left_out


def _from_stream(
    bundle: "Bundle",
    source: str,
    settings: Settings,
    store: _Store,
    since: str | None,
    contamination: float,
    most: int,
) -> Counter[str]:
    from worker.broker.admin import admin, require_topics
    from worker.broker.read_back import read_back
    from worker.broker.refusals import Who
    from worker.broker.topics import Topics
    from worker.calibrate.rows import parts_of
    from worker.calibrate.stream import rows_of, trimmed
    from worker.commands.stream import client_of

    addresses, topic = settings.kafka.brokers, Topics(settings.kafka.prefix).fingerprints
    client = client_of(settings)
    with admin(addresses, client=client) as connection:
        partitions = require_topics(connection, [topic], Who.by(addresses, client), "READ")
    begin = None if since is None else round(moment_of(since).timestamp() * 1000)
    records = read_back(
        addresses,
        topic,
        partitions[topic],
        client,
        max_message_bytes=MEBIBYTE,
        since_ms=begin,
    )
    left_out: Counter[str] = Counter()
    values = (record.value for record in records)
    rows = rows_of(values, bundle.digest, store.held.identities(), most, left_out)
    kept = trimmed(rows, contamination, bundle.background, store.models())
    left_out["trimmed, since it may be synthetic"] = len(rows) - len(kept)
    flat = [row for photograph in kept for row in photograph]
    store.add(list(parts_of(flat, source, "stream", contamination)))
    return left_out


def _opened(settings: Settings) -> "tuple[Bundle, Policy]":
    """Without decoders, for what needs no pictures."""
    from worker.commands.workshop import decision_policy
    from worker.extractor.bundle_trust import trusted_bundle

    return trusted_bundle(
        settings.extract.bundle, settings.trust, local=settings.is_local
    ), decision_policy(settings.decision)


def _check_usage(
    folder: Path | None, from_stream: bool, since: str | None, forget: str | None
) -> None:
    given = [
        name
        for name, there in (
            ("FOLDER", folder is not None),
            ("--from-stream", from_stream),
            ("--forget", forget is not None),
        )
        if there
    ]
    if len(given) > 1:
        raise StopError(f"{' and '.join(given)} were given; give one of them", exit_code=2)
    if folder is not None and not folder.is_dir():
        raise StopError(f"{folder} is no folder; give a folder of photographs", exit_code=2)
    if since is not None and not from_stream:
        raise StopError("--since is of a stream; give --from-stream as well", exit_code=2)
    if since is not None:
        moment_of(since)


def _print(
    held: Calibration,
    left_out: Counter[str],
    bundle: "Bundle",
    policy: "Policy",
    models: Sequence[ModelFingerprint],
    as_json: bool,
) -> None:
    from fingerprint_db.matching.certified import Alphas, certified
    from worker.calibrate.report import calibration_document, calibration_text

    alphas = Alphas(
        policy.alpha_name, policy.alpha_unknown, policy.alpha_source, policy.alpha_alike
    )
    found = certified(bundle.background, models, held, alphas)
    left_out = +left_out
    if as_json:
        document = calibration_document(held, found, alphas)
        print(json.dumps({**document, "left_out": dict(left_out)}))
        return
    if left_out:
        why = ", ".join(f"{count} {reason}" for reason, count in left_out.most_common())
        print(printable(f"left out {left_out.total()}: {why}"), file=sys.stderr)
    for line in calibration_text(held, found, alphas):
        print(printable(line))
