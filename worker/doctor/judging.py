"""What judges: sandbox, policy, bundle and device, in a process of its own.

A process, because it takes seconds to load while the services are asked beside it, and because a
library that is broken may end the process that loads it. It is given its settings on stdin, which
hold no secret, and writes a finding a line; `python -m worker.doctor.judging` is that process.
"""

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import structlog

from worker.doctor.findings import Finding, Standing
from worker.errors import LatentprintError, StopError
from worker.extractor.document import default_bundle_path
from worker.settings.images import DecisionSettings, DecodeSettings
from worker.settings.settings import Settings

STEPS = ("policy", "sandbox", "bundle", "search", "self-test")
"""In this order; one that is not told was not reached."""


_GIVEN = {"profile", "trust", "decode", "extract", "decision"}
"""Groups of settings, none of which holds a secret."""


def examine_judging(
    settings: Settings, running: list[subprocess.Popen[bytes]]
) -> Iterator[Finding]:
    """Each step as it is done. The process is put into `running`, for whoever ends it too early."""
    process = subprocess.Popen(
        [sys.executable, "-m", __spec__.name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    running.append(process)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    said: list[bytes] = []
    errors = process.stderr
    reader = threading.Thread(target=lambda: said.extend(errors), daemon=True)
    reader.start()
    profile = "local" if settings.is_local else "production"  # which takes the brokers to tell
    given = settings.model_copy(update={"profile": profile})
    process.stdin.write(given.model_dump_json(include=_GIVEN).encode())
    process.stdin.close()
    for line in process.stdout:
        yield Finding(**json.loads(line))
    code = process.wait()
    reader.join(1.0)
    if code != 0:
        last = (
            b"".join(said).decode(errors="replace").strip().splitlines() or ["it said nothing"]
        )[-1]
        yield Finding(
            "judging",
            "wrong",
            f"the process that loads what judges ended with {code}: {last}; a worker would end so"
            " too. Install latentprint anew, or report this",
        )


def main() -> None:
    """The process: settings on stdin, a finding a line on stdout."""
    settings = Settings.model_validate_json(sys.stdin.read())
    logging.disable(logging.WARNING)  # what it would say of the posture is a finding
    # Unless told otherwise structlog writes to stdout, which is for findings alone.
    structlog.configure(
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
    )
    policy = _told("policy", lambda: _policy(settings.decision))
    _told("sandbox", lambda: _sandbox(settings.decode))
    bundle = _told("bundle", lambda: _bundle(settings))
    if bundle is not None and policy is not None:
        _told("policy", lambda: _decidable(policy, bundle))
    _told("search", _search)
    if bundle is not None:
        _told("self-test", lambda: _self_test(bundle, settings))


def _told(check: str, step: Callable[[], tuple[Any, Finding | None]]) -> Any:
    """Do one step and print its finding; its value, None where it failed."""
    try:
        value, finding = step()
    except LatentprintError as error:
        standing: Standing = "wrong" if isinstance(error, StopError) else "away"
        value, finding = None, Finding(check, standing, str(error))
    except (ImportError, OSError, RuntimeError) as error:
        remedy = "install latentprint's requirements anew, all by one command"
        value, finding = None, Finding(check, "wrong", f"{type(error).__name__}: {error}; {remedy}")
    if finding is not None:
        print(json.dumps(asdict(finding)), flush=True)
    return value


def _policy(settings: DecisionSettings) -> tuple[Any, Finding]:
    from worker.judge.policy import load_policy

    policy = load_policy(settings.policy)
    if not policy.flag:
        text = "flag=[] in the policy: no alert will be raised; name outcomes there"
        return policy, Finding("policy", "note", text)
    return policy, Finding("policy", "good", f"digest {policy.digest[:12]}")


def _sandbox(settings: DecodeSettings) -> tuple[None, Finding]:
    from worker.decoder.decode import DecodeLimits
    from worker.decoder.pool import DecoderPool
    from worker.decoder.posture import check_posture
    from worker.settings.group import MEBIBYTE

    limits = DecodeLimits(memory_bytes=settings.memory_mib * MEBIBYTE, cpu_s=settings.cpu_s)
    with DecoderPool(limits, 1) as pool:
        posture = pool.posture()
    try:
        check_posture(posture, "required")
    except StopError as error:
        standing: Standing = "wrong" if settings.sandbox == "required" else "note"
        return None, Finding("sandbox", standing, str(error))
    if settings.sandbox == "warn":
        text = "every measure holds, but decode.sandbox=warn would let a hole pass: set required"
        return None, Finding("sandbox", "note", text)
    walls = "with Landlock" if posture.get("landlock") else "without Landlock, the second wall"
    return None, Finding("sandbox", "good", f"{sum(posture.values())} measures hold, {walls}")


def _bundle(settings: Settings) -> tuple[Any, Finding]:
    from worker.extractor.bundle_trust import trusted_bundle, vouched_digest

    bundle = trusted_bundle(settings.extract.bundle, settings.trust, local=settings.is_local)
    where = "the one inside" if bundle.path == default_bundle_path() else str(bundle.path)
    if vouched_digest(bundle.path, settings.trust.of_bundle(), required=False) is None:
        return bundle, Finding(
            "bundle",
            "note",
            f"{bundle.digest[:12]}, {where}; every digest holds, but nobody whom you trust vouches"
            " for it, and production refuses it: have it signed with `latentprint trust sign`, and"
            " name the key in trust.bundle_keys",
        )
    return bundle, Finding("bundle", "good", f"{bundle.digest[:12]}, {where}; every digest holds")


def _decidable(policy: Any, bundle: Any) -> tuple[None, Finding | None]:
    from worker.judge.photographs import photograph_counts
    from worker.judge.policy import undecidable

    small = undecidable(policy, photograph_counts(bundle.background))
    if not small:
        return None, None
    return None, Finding(
        "policy",
        "note",
        f"at alpha_name={policy.alpha_name:g} images of {', '.join(small)} are undetermined, for"
        " want of photographs; raise it, or calibrate on your own (those in Redis are not counted"
        " here)",
    )


def _search() -> tuple[None, Finding]:
    """Which way registered models are searched here."""
    from fingerprint_db.matching.rows.byte_products import has_instruction

    if has_instruction():
        text = "registered models are searched by AVX-512 VNNI"
        return None, Finding("search", "good", text)
    return None, Finding(
        "search",
        "note",
        "registered models are searched by plain loops, for want of AVX-512 VNNI (or NUMBA_CPU_NAME"
        " and NUMBA_CPU_FEATURES hide it): the same verdicts, slower where models are many; see"
        " docs/operations/registry-size.md",
    )


def _self_test(bundle: Any, settings: Settings) -> tuple[None, Finding]:
    from worker.extractor.on_device.choice import open_extractor

    extractor = open_extractor(bundle, settings.extract.device, settings.kafka.slot)
    extractor.self_test()
    return None, Finding(
        "self-test", "good", f"golden fingerprints are the bundle's; {extractor.where}"
    )


if __name__ == "__main__":
    main()
