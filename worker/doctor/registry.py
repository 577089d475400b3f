"""Redis and the registry in it: reached, its rights, its memory, and whether the content holds."""

import time
from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

from fingerprint_db.errors import RegistryError
from fingerprint_db.redis_store.posture import RedisPosture, look
from fingerprint_db.redis_store.registry import RedisRegistry
from fingerprint_db.redis_store.rights import ALL_KEYS
from fingerprint_db.signing.keys import PublicKey
from fingerprint_db.snapshot import Snapshot
from fingerprint_db.space_contents import contradiction
from worker.doctor.findings import Finding, Standing
from worker.doctor.traffic import MOST_SKEW_S
from worker.registry.floor import highest
from worker.registry.start import emptiness, open_registry
from worker.registry.trusted import distrust
from worker.settings.redis import RedisSettings
from worker.settings.settings import Settings

NEARLY_FULL = 0.9
"""Share of maxmemory from which the next registrations may be refused."""


def examine_redis(
    settings: Settings,
    space: str | None,
    held: list[Snapshot],
    clock: Callable[[], float] = time.time,
) -> Iterator[Finding]:
    """Redis first, then the registry of this space; the snapshot is put into `held`."""
    try:
        posture = look(settings.redis.address(), space or "0" * 64, clock=clock)
        yield _reached(settings.redis, posture)
        yield from _rights(settings.redis, posture)
        yield _clock(posture)
        yield from _memory(posture)
        if space is None:
            text = "without a bundle it is not known which of the registry's spaces counts"
            yield Finding("registry", "unchecked", text)
        elif not posture.denied:
            with open_registry(settings.redis) as registry:
                yield from _registry(registry, space, settings.trust.of_registry(), held)
    except RegistryError as error:
        standing: Standing = "away" if error.exit_code == 3 else "wrong"
        yield Finding("redis", standing, str(error))


def examine_floor(space: str, metadata: list[str], held: list[Snapshot]) -> Iterator[Finding]:
    """Whether the registry is below what the group has judged with, which a worker refuses."""
    floor = highest(space, metadata)
    if floor is None or not held:
        return
    refusal = floor.refuses(held[0])
    if refusal is None:
        text = f"not below revision {floor.revision}, which the group has judged with"
        yield Finding("registry", "good", text)
    else:
        yield Finding("registry", "wrong", refusal)


def _reached(settings: RedisSettings, posture: RedisPosture) -> Finding:
    info = posture.info or {}
    version = f", Redis {info['redis_version']}" if "redis_version" in info else ""
    user = f" as {posture.user}" if posture.user else ""
    role = " (a replica: register at its primary)" if info.get("role") == "slave" else ""
    return Finding("redis", "good", f"{settings.address().shown} answers{user}{version}{role}")


def _rights(settings: RedisSettings, posture: RedisPosture) -> Iterator[Finding]:
    in_address = urlsplit(settings.url.get_secret_value()).username
    user = posture.user or settings.username or in_address or "default"
    if posture.denied:
        commands = [name for one in posture.denied for name in one.split(" and ")]
        given = " ".join(f"+{name.lower()}" for name in commands)
        yield Finding(
            "redis",
            "wrong",
            f"user {user} may not run {', '.join(posture.denied)} on {ALL_KEYS}, which a worker"
            f" reads with; give it with ACL SETUSER {user} {given} '~{ALL_KEYS}'"
            " (`latentprint registry rights` prints all that a role needs)",
        )
    unseen = [
        what for what, value in (("INFO", posture.info), ("TIME", posture.ahead_s)) if value is None
    ]
    if unseen:
        asked = " and ".join(unseen)
        text = f"user {user} may not ask {asked}: see yourself that maxmemory-policy is noeviction"
        yield Finding("redis", "unchecked", text)


def _clock(posture: RedisPosture) -> Finding:
    if posture.ahead_s is None:
        return Finding("clock", "unchecked", "Redis may not be asked for its time by this user")
    if abs(posture.ahead_s) > MOST_SKEW_S:
        side = "behind" if posture.ahead_s > 0 else "ahead of"
        return Finding(
            "clock",
            "wrong",
            f"this machine's clock is {abs(posture.ahead_s):.0f} s {side} Redis's; verdicts would"
            " carry a wrong time, and certificates count as not valid: set both by a time server",
        )
    return Finding("clock", "good", f"within {abs(posture.ahead_s):.1f} s of Redis's")


def _memory(posture: RedisPosture) -> Iterator[Finding]:
    info = posture.info
    if info is None:
        return
    policy, most = str(info.get("maxmemory_policy", "")), int(info.get("maxmemory", 0))
    used = int(info.get("used_memory", 0))
    if policy.startswith("allkeys"):
        standing: Standing = "wrong" if most else "note"
        when = f"at {most >> 20} MiB" if most else "once maxmemory is set"
        yield Finding(
            "redis",
            standing,
            f"maxmemory-policy is {policy}: {when} Redis deletes any key, the registry's too, which"
            " a worker then refuses as damaged; CONFIG SET maxmemory-policy noeviction, and in"
            " redis.conf",
        )
    elif most and used > NEARLY_FULL * most:
        text = f"{used >> 20} of {most >> 20} MiB are used: raise maxmemory, or nothing more can be"
        yield Finding("redis", "wrong", f"{text} registered")
    if info.get("role") == "slave" and info.get("master_link_status") != "up":
        text = (
            "this replica has lost its primary: bring it back, or give the address of the new one"
        )
        yield Finding("redis", "wrong", text)
    if info.get("rdb_last_bgsave_status") == "err" or info.get("aof_last_write_status") == "err":
        text = "Redis cannot write to its disk: mend it, or a restart loses the registry"
        yield Finding("redis", "wrong", text)
    elif not info.get("aof_enabled"):
        text = (
            "appendonly is off: a crash may take back the newest registrations; set appendonly yes,"
            " and keep an export (`latentprint registry export`)"
        )
        yield Finding("redis", "note", text)


def _registry(
    registry: RedisRegistry, space: str, keys: Collection[PublicKey], held: list[Snapshot]
) -> Iterator[Finding]:
    contents = registry.contents(space)
    lack = emptiness(registry, space, contents.revision)
    if lack is not None:
        yield Finding("registry", "wrong", lack)
        return
    problem = contradiction(contents)
    if problem is not None:
        yield Finding(
            "registry",
            "wrong",
            f"it contradicts itself: {problem}; restore the space from an export with `latentprint"
            " registry import FILE`, after emptying it",
        )
        return
    snapshot = registry.snapshot(space)
    held.append(snapshot)
    if unvouched := distrust(registry, snapshot, registry.calibration(space), keys):
        yield Finding("registry", "wrong", unvouched)
        return
    last = contents.history[-1]
    yield Finding(
        "registry",
        "good",
        f"{len(snapshot.models)} models at revision {snapshot.revision}, root {snapshot.root[:12]},"
        f" last changed {_day(last.at)} by {last.by}; every digest and root holds"
        + (", all signed by keys that you trust" if keys else ""),
    )


def _day(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M")


def space_of(bundle: Path) -> str | None:
    """The fingerprint space of a bundle's folder, without loading it; None where it has none."""
    try:
        return sha256((bundle / "bundle.json").read_bytes()).hexdigest()
    except OSError:
        return None
