"""Faults as operators meet them, each seeded in real services; what doctor must say of each."""

import ctypes
import json
import resource
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass

from kafka import OffsetAndMetadata, TopicPartition

from fingerprint_db.redis_store.keys import READER_COMMANDS, SpaceKeys
from fingerprint_db.signing.keys import SigningKey
from tests.topic_names import impose
from tests.worker.doctor.bench import SPACE, Bench
from worker.broker.rights import role
from worker.doctor.findings import Standing
from worker.extractor.document import default_bundle_path
from worker.registry.floor import Floor, encode_floor

_LINUX32 = 8
"""A personality under which the kernel calls this another machine, for which no filter of system
calls is known: what a sandbox without seccomp looks like."""


@dataclass(frozen=True)
class Fault:
    """`seed` makes it and gives the variables to run with; `said` are parts of one finding's text:
    what is wrong, and what to do."""

    parts: tuple[str, ...]
    seed: Callable[[Bench], dict[str, str]]
    said: tuple[str, ...]
    standing: Standing = "wrong"
    clock_off_s: float = 0.0


def _prefix(prefix: str) -> dict[str, str]:
    return {"LATENTPRINT_KAFKA__PREFIX": prefix}


def _topic_with(bench: Bench, **configs: str) -> dict[str, str]:
    topics = bench.own_topics()
    with bench.admin() as admin:
        changed = {name.replace("_", "."): value for name, value in configs.items()}
        impose(admin, topics.images, changed)
    return _prefix(topics.prefix)


def _without_right(kind: str, name: str, *operations: str) -> Callable[[Bench], dict[str, str]]:
    def seed(bench: Bench) -> dict[str, str]:
        topics = bench.own_topics()
        group = topics.prefix.strip(".")
        bench.kafka.allow("worker", role("worker", topics.prefix, group).rights)
        named = name.format(prefix=topics.prefix, group=group)
        bench.kafka.take("worker", kind, named, *operations, prefixed=kind == "TRANSACTIONAL_ID")
        return bench.named() | _prefix(topics.prefix) | {"LATENTPRINT_KAFKA__GROUP": group}

    return seed


def _tls(door: str, authority: str = "authority") -> Callable[[Bench], dict[str, str]]:
    def seed(bench: Bench) -> dict[str, str]:
        return bench.named() | {
            "LATENTPRINT_KAFKA__BROKERS": getattr(bench.kafka, f"{door}_brokers"),
            "LATENTPRINT_KAFKA__SECURITY": "SASL_SSL",
            "LATENTPRINT_KAFKA__SASL_MECHANISM": "SCRAM-SHA-512",
            "LATENTPRINT_KAFKA__TLS_CA_FILE": str(getattr(bench.kafka.certificates, authority)),
        }

    return seed


def _soon_ending_redis(bench: Bench) -> dict[str, str]:
    port, authority = bench.behind_tls(bench.redis.port, days=5)
    return {
        "LATENTPRINT_REDIS__URL": f"rediss://127.0.0.1:{port}/0",
        "LATENTPRINT_REDIS__TLS_CA_FILE": str(authority),
    }


def _open_transaction(bench: Bench) -> dict[str, str]:
    topics = bench.own_topics()
    producer = bench.producer(
        transactional_id="doctor-7", transaction_timeout_ms=60_000, enable_idempotence=True
    )
    producer.init_transactions()
    producer.begin_transaction()
    bench.undo.callback(producer.abort_transaction)
    producer.send(topics.verdicts, b"a verdict").get(timeout=10)
    return _prefix(topics.prefix) | {
        "LATENTPRINT_KAFKA__COMMIT_DEADLINE_S": "0.5",
        "LATENTPRINT_KAFKA__REQUEST_TIMEOUT_S": "0.2",
    }


def _lost_records(bench: Bench) -> dict[str, str]:
    topics = bench.own_topics()
    place = TopicPartition(topics.images, 0)
    producer = bench.producer()
    for _ in range(3):
        producer.send(topics.images, b"an image").get(timeout=10)
    group = topics.prefix.strip(".")
    with bench.admin() as admin:
        admin.alter_group_offsets(group, {place: OffsetAndMetadata(0, "", -1)})
        admin.delete_records({place: 2})
    return _prefix(topics.prefix) | {"LATENTPRINT_KAFKA__GROUP": group}


def _rolled_back_registry(bench: Bench) -> dict[str, str]:
    topics = bench.own_topics()
    group = topics.prefix.strip(".")
    seen = encode_floor(SPACE, Floor(0, 99, "ab" * 16))
    with bench.admin() as admin:
        place = TopicPartition(topics.images, 0)
        admin.alter_group_offsets(group, {place: OffsetAndMetadata(0, seen, -1)})
    return _prefix(topics.prefix) | {"LATENTPRINT_KAFKA__GROUP": group}


def _record_from_the_future(bench: Bench) -> dict[str, str]:
    topics = bench.own_topics()
    in_an_hour_ms = int(time.time() + 3600) * 1000
    bench.producer().send(topics.images, b"x", timestamp_ms=in_an_hour_ms).get(timeout=10)
    return _prefix(topics.prefix)


def _redis_user(bench: Bench, *commands: str) -> dict[str, str]:
    bench.client().execute_command(
        "ACL", "SETUSER", "judge", "reset", "on", ">secret", "~latentprint:*", "-@all", *commands
    )
    return {"LATENTPRINT_REDIS__USERNAME": "judge", "LATENTPRINT_REDIS__PASSWORD": "secret"}


def _without_xread(bench: Bench) -> dict[str, str]:
    return _redis_user(bench, *(f"+{name}" for name in READER_COMMANDS if name != "XREAD"))


def _wrong_redis_password(bench: Bench) -> dict[str, str]:
    return _redis_user(bench, "+@read") | {"LATENTPRINT_REDIS__PASSWORD": "wrong"}


def _redis_that_deletes(bench: Bench) -> dict[str, str]:
    client = bench.client()
    client.config_set("maxmemory", 256 * 1024 * 1024)
    client.config_set("maxmemory-policy", "allkeys-lru")
    bench.undo.callback(client.config_set, "maxmemory-policy", "noeviction")
    bench.undo.callback(client.config_set, "maxmemory", 0)
    return {}


def _damaged_registry(bench: Bench) -> dict[str, str]:
    keys = SpaceKeys(SPACE)
    client, damaged = bench.client(), bench.client(2)
    for key in (keys.history, keys.index, keys.changes, "latentprint:spaces"):
        client.copy(key, key, destination_db=2, replace=True)
    (entry,) = client.keys(keys.entry("*"))
    data = bytearray(client.get(entry))
    data[len(data) // 2] ^= 1
    damaged.set(entry, bytes(data))
    return {"LATENTPRINT_REDIS__URL": bench.redis.url[:-1] + "2"}


def _tampered_bundle(bench: Bench) -> dict[str, str]:
    bundle = bench.folder / "tampered"
    shutil.copytree(default_bundle_path(), bundle, dirs_exist_ok=True)
    weights = bundle / "map.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    return {"LATENTPRINT_EXTRACT__BUNDLE": str(bundle)}


def _unsigned_bundle(bench: Bench) -> dict[str, str]:
    bundle = bench.folder / "unsigned"
    shutil.copytree(default_bundle_path(), bundle, dirs_exist_ok=True)
    document = json.loads((bundle / "bundle.json").read_text())
    document["provenance"]["of"] = "somebody"
    (bundle / "bundle.json").write_text(json.dumps(document))
    return {"LATENTPRINT_EXTRACT__BUNDLE": str(bundle)}


def _unsigned_bundle_in_production(bench: Bench) -> dict[str, str]:
    return {**_unsigned_bundle(bench), "LATENTPRINT_TRUST__REQUIRE_SIGNATURES": "true"}


def _nobodys_entry(bench: Bench) -> dict[str, str]:
    return {"LATENTPRINT_TRUST__REGISTRY_KEYS": SigningKey.create().public.text}


def _no_seccomp(bench: Bench) -> dict[str, str]:
    libc = ctypes.CDLL(None)
    before = libc.personality(0xFFFFFFFF)
    libc.personality(_LINUX32)
    bench.undo.callback(libc.personality, before)
    return {}


def _few_files(bench: Bench) -> dict[str, str]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    bench.undo.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
    return {}


def _policy_that_decides_nothing(bench: Bench) -> dict[str, str]:
    policy = bench.folder / "policy.toml"
    own = default_bundle_path().parents[1] / "judge" / "policy.toml"
    policy.write_text(own.read_text().replace("alpha_name = 0.01", "alpha_name = 1e-9"))
    return {"LATENTPRINT_DECISION__POLICY": str(policy)}


def _brokers(address: Callable[[Bench], str]) -> Callable[[Bench], dict[str, str]]:
    return lambda bench: {"LATENTPRINT_KAFKA__BROKERS": address(bench)}


def _url(address: Callable[[Bench], str]) -> Callable[[Bench], dict[str, str]]:
    return lambda bench: {"LATENTPRINT_REDIS__URL": address(bench)}


KAFKA, REDIS, JUDGING, MACHINE = ("kafka",), ("redis",), ("judging",), ("machine",)

FAULTS = {
    "topics are missing": Fault(
        KAFKA,
        lambda bench: _prefix("nobody."),
        ("topics are missing: nobody.images", "`latentprint topics create`"),
    ),
    "a topic takes too small records": Fault(
        KAFKA,
        lambda bench: _topic_with(bench, max_message_bytes="1048576"),
        ("takes records of 1048576 bytes", "raise max.message.bytes"),
    ),
    "the input is compacted": Fault(
        KAFKA,
        lambda bench: _topic_with(bench, cleanup_policy="compact"),
        ("cleanup.policy=compact", "--add-config cleanup.policy=delete"),
    ),
    "the input may be compressed": Fault(
        KAFKA,
        lambda bench: _topic_with(bench, compression_type="producer"),
        ("compression.type=producer", "--add-config compression.type=uncompressed"),
        standing="note",
    ),
    "one copy of each record, in production": Fault(
        KAFKA,
        lambda bench: {"LATENTPRINT_PROFILE": "production"},
        ("fewer than 3 replicas", "profile=local"),
    ),
    "a transaction may take longer than the broker allows": Fault(
        KAFKA,
        lambda bench: {"LATENTPRINT_KAFKA__TRANSACTION_TIMEOUT_S": "1000"},
        ("kafka.transaction_timeout_s is 1000", "lower the setting"),
    ),
    "a right on a topic is missing": Fault(
        KAFKA,
        _without_right("TOPIC", "{prefix}images", "READ"),
        ("User:worker lacks READ on topic `doctor-", "kafka-acls.sh", "--operation Read"),
    ),
    "a right on the group is missing": Fault(
        KAFKA,
        _without_right("GROUP", "{group}", "READ"),
        ("User:worker lacks READ on group `doctor-", "--group 'doctor-"),
    ),
    "a right on transactional ids is missing": Fault(
        KAFKA,
        _without_right("TRANSACTIONAL_ID", "{group}-", "WRITE", "DESCRIBE"),
        ("User:worker lacks WRITE and DESCRIBE on transactional id", "--transactional-id 'doctor-"),
    ),
    "a wrong password for Kafka": Fault(
        KAFKA, lambda bench: bench.named(password="wrong"), ("password", "kafka.sasl_password")
    ),
    "Kafka's certificate is of another authority": Fault(
        KAFKA,
        _tls("tls", "stranger"),
        ("not signed by the authority", "kafka.tls_ca_file"),
    ),
    "Kafka's certificate has expired": Fault(
        KAFKA, _tls("expired"), ("certificate is not valid now", "renew it, or check the clock")
    ),
    "nothing listens where Kafka should": Fault(
        KAFKA,
        _brokers(lambda bench: "127.0.0.1:1"),
        ("nothing listens there", "--brokers HOST:PORT"),
        standing="away",
    ),
    "brokers send clients on to nowhere": Fault(
        KAFKA,
        _brokers(lambda bench: bench.kafka.misled_brokers),
        ("sends clients on to 127.0.0.1:1", "set advertised.listeners"),
    ),
    "Kafka is a black hole": Fault(
        KAFKA,
        _brokers(lambda bench: f"127.0.0.1:{bench.silent_port()}"),
        ("nothing answered in time", "--brokers HOST:PORT"),
        standing="away",
    ),
    "Redis's port given for Kafka's": Fault(
        KAFKA,
        _brokers(lambda bench: f"127.0.0.1:{bench.redis.port}"),
        ("is a Redis and no Kafka", "give Kafka's host and port in kafka.brokers"),
    ),
    "a transaction stays open": Fault(
        KAFKA,
        _open_transaction,
        ("transactional id doctor-7 is open", "kafka-transactions.sh", "verdicts/0"),
    ),
    "records were deleted unjudged": Fault(
        KAFKA,
        _lost_records,
        ("the group is at 0, but the log holds 2 to 3", "docs/operations.md"),
    ),
    "a producer's clock is ahead": Fault(
        KAFKA, _record_from_the_future, ("s in the future", "set them by a time server")
    ),
    "a wrong password for Redis": Fault(
        REDIS, _wrong_redis_password, ("refuses", "redis.username and redis.password")
    ),
    "a right on Redis is missing": Fault(
        REDIS, _without_xread, ("may not run XREAD on", "ACL SETUSER judge +xread")
    ),
    "Redis may delete the registry": Fault(
        REDIS, _redis_that_deletes, ("maxmemory-policy is allkeys-lru", "noeviction")
    ),
    "nothing is registered for this bundle": Fault(
        REDIS,
        _url(lambda bench: bench.redis.url[:-1] + "1"),
        ("holds no model for this bundle", "`latentprint registry import`"),
    ),
    "the registry is damaged": Fault(
        REDIS,
        _damaged_registry,
        ("damage at latentprint:registry", "restore the space from an export"),
    ),
    "an entry that nobody signed": Fault(
        REDIS, _nobodys_entry, ("it is not signed", "`latentprint registry endorse")
    ),
    "the registry was rolled back": Fault(
        ("kafka", "redis"),
        _rolled_back_registry,
        ("committed with revision 99", "`latentprint registry import`"),
    ),
    "this machine's clock is off": Fault(
        REDIS, lambda bench: {}, ("clock is 90 s ahead of Redis's", "time server"), clock_off_s=90
    ),
    "Kafka's port given for Redis's": Fault(
        REDIS,
        _url(lambda bench: f"redis://{bench.kafka.open_brokers}"),
        ("it is a Kafka broker", "Give Redis's host and port"),
    ),
    "Redis is a black hole": Fault(
        REDIS,
        _url(lambda bench: f"redis://127.0.0.1:{bench.silent_port()}"),
        ("cannot be reached", "check that it runs"),
        standing="away",
    ),
    "Kafka's certificate ends tomorrow": Fault(
        ("certificates",), _tls("tls"), ("the certificate of Kafka at", "days; renew it")
    ),
    "Redis's certificate ends in five days": Fault(
        ("certificates",), _soon_ending_redis, ("the certificate of Redis", "days; renew it")
    ),
    "compiled loops cannot be kept": Fault(
        MACHINE,
        lambda bench: {"NUMBA_CACHE_DIR": str(bench.folder / "kafka/server.properties/x")},
        ("cannot be written by this user", "set it to a folder that this user can write"),
    ),
    "few files may be open": Fault(
        MACHINE, _few_files, ("only 256 files may be open", "ulimit -n")
    ),
    "one bit of the bundle is wrong": Fault(
        JUDGING, _tampered_bundle, ("the bundle is damaged or was changed", "restore it")
    ),
    "a policy with which nothing could be decided": Fault(
        JUDGING,
        _policy_that_decides_nothing,
        ("no image could ever be decided", "raise alpha_name"),
    ),
    "a bundle that nobody signed": Fault(
        JUDGING,
        _unsigned_bundle_in_production,
        ("unsigned (digest", "`latentprint trust sign`"),
    ),
    "a bundle that nobody signed, where that passes": Fault(
        JUDGING,
        _unsigned_bundle,
        ("nobody whom you trust vouches for it", "`latentprint trust sign`"),
        standing="note",
    ),
    "the sandbox has a hole": Fault(
        JUDGING, _no_seccomp, ("the decoder sandbox lacks seccomp", "where seccomp is allowed")
    ),
}
