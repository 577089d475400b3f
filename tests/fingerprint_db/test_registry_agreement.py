"""Random operations: memory, Redis 6.2, Valkey 9 and a plain model agree after every step."""

from collections.abc import Callable
from typing import Any, ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from fingerprint_db.entry_encoding import content_digest
from fingerprint_db.errors import (
    IdTaken,
    NameTaken,
    RegistryError,
    UnknownModel,
    WrongStatus,
)
from fingerprint_db.memory_registry import MemoryRegistry
from fingerprint_db.model_fingerprint import ModelFingerprint, Status
from fingerprint_db.redis_store.registry import RedisRegistry
from fingerprint_db.registry import Change, Registry
from fingerprint_db.snapshot import Snapshot
from fingerprint_db.transfer import export
from tests.fingerprint_db.conftest import Database
from tests.fingerprint_db.samples import OTHER_SPACE, SPACE, TickingClock, model

SPACES = st.sampled_from([SPACE, OTHER_SPACE])
IDS = st.sampled_from(["a", "b", "c"])
NAMES = st.sampled_from(["ProGAN", "SNGAN"])
STATUSES: st.SearchStrategy[Status] = st.sampled_from(["shadow", "live", "retired"])


class PlainModel:
    """The rules, written down as slowly and obviously as possible."""

    def __init__(self) -> None:
        self.models: list[dict[str, Any]] = []  # in order of registration
        self.changes: list[tuple[str, int, str, str, str]] = []  # space, revision, action, id, st.

    def find(self, space: str, model_id: str) -> dict[str, Any] | None:
        for entry in self.models:
            if entry["space"] == space and entry["id"] == model_id:
                return entry
        return None

    def name_is_taken(self, space: str, name: str) -> bool:
        return any(
            e["space"] == space and e["name"] == name and e["status"] != "retired"
            for e in self.models
        )

    def note(self, space: str, action: str, entry: dict[str, Any]) -> str:
        revision = 1 + sum(change[0] == space for change in self.changes)
        self.changes.append((space, revision, action, entry["id"], entry["status"]))
        return f"{revision} {action} {entry['id']} {entry['status']}"

    def register(self, space: str, model_id: str, name: str, status: str) -> str:
        if status == "retired":
            return "WrongStatus"
        if self.find(space, model_id):
            return "IdTaken"
        if self.name_is_taken(space, name):
            return "NameTaken"
        entry = {"space": space, "id": model_id, "name": name, "status": status, "former": ""}
        self.models.append(entry)
        return self.note(space, "register", entry)

    def move(self, verb: str, space: str, model_id: str) -> str:
        entry = self.find(space, model_id)
        if entry is None:
            return "UnknownModel"
        status = entry["status"]
        if verb == "promote" and status == "shadow":
            entry["status"] = "live"
        elif verb == "retire" and status != "retired":
            entry["former"], entry["status"] = status, "retired"
        elif verb == "restore" and status == "retired":
            if self.name_is_taken(space, entry["name"]):
                return "NameTaken"
            entry["status"] = entry["former"]
        else:
            return "WrongStatus"
        return self.note(space, verb, entry)


class RegistriesAgree(RuleBasedStateMachine):
    """Every rule is done to all registries; outcome and state must be the plain model's."""

    databases: ClassVar[tuple[Database, ...]]

    def __init__(self) -> None:
        super().__init__()
        for database in self.databases:
            database.client.flushdb()
        stored = [RedisRegistry(d.url, clock=TickingClock()) for d in self.databases]
        self.stored = stored
        self.registries: list[Registry] = [
            MemoryRegistry(clock=TickingClock(), login="default"),
            *stored,
        ]
        self.plain = PlainModel()
        self.held: dict[str, Snapshot] = {
            space: Snapshot.empty(space) for space in (SPACE, OTHER_SPACE)
        }

    def do(self, act: Callable[[Registry], Change], expected: str) -> None:
        outcomes: list[Change | type[RegistryError]] = []
        for registry in self.registries:
            try:
                outcomes.append(act(registry))
            except (IdTaken, NameTaken, UnknownModel, WrongStatus) as error:
                outcomes.append(type(error))
        first = outcomes[0]
        assert all(outcome == first for outcome in outcomes), outcomes
        if isinstance(first, Change):
            seen = f"{first.revision} {first.action} {first.model_id} {first.status}"
        else:
            seen = first.__name__
        assert seen == expected

    @rule(space=SPACES, model_id=IDS, name=NAMES, status=STATUSES, seed=st.integers(0, 99))
    def register(self, space: str, model_id: str, name: str, status: Status, seed: int) -> None:
        given = model(model_id, name=name, status=status, space=space, seed=seed)
        self.do(
            lambda registry: registry.register(given, by="ada", reason="seen"),
            self.plain.register(space, model_id, name, status),
        )

    @rule(space=SPACES, model_id=IDS, verb=st.sampled_from(["promote", "retire", "restore"]))
    def move(self, space: str, model_id: str, verb: str) -> None:
        self.do(
            lambda registry: getattr(registry, verb)(space, model_id, by="eve", reason="why"),
            self.plain.move(verb, space, model_id),
        )

    @rule(space=SPACES)
    def follow(self, space: str) -> None:
        held = self.held[space]
        followed = [
            registry.follow(space, held.revision, block_s=0.0, root=held.root)
            for registry in self.registries
        ]
        assert all(changes == followed[0] for changes in followed)
        expected = [change[1] for change in self.plain.changes if change[0] == space]
        assert [change.revision for change in followed[0]] == expected[held.revision :]
        self.held[space] = self.registries[-1].snapshot(space)

    @rule(space=SPACES)
    def look_into_history(self, space: str) -> None:
        histories = [registry.history(space) for registry in self.registries]
        assert all(history == histories[0] for history in histories)
        assert [(space, c.revision, c.action, c.model_id, c.status) for c in histories[0]] == [
            change for change in self.plain.changes if change[0] == space
        ]

    @rule(space=SPACES)
    def export(self, space: str) -> None:
        exports = {export(registry, space) for registry in self.registries}
        assert len(exports) == 1

    @invariant()
    def models_agree(self) -> None:
        for space in (SPACE, OTHER_SPACE):
            listed = [seen(registry.list(space)) for registry in self.registries]
            snapshots = [registry.snapshot(space) for registry in self.registries]
            active = [seen(snapshot.models) for snapshot in snapshots]
            roots = {(snapshot.revision, snapshot.root) for snapshot in snapshots}
            expected = [(e["id"], e["status"]) for e in self.plain.models if e["space"] == space]
            assert all(models == listed[0] for models in listed)
            assert all(models == active[0] for models in active)
            assert len(roots) == 1
            assert [entry[:2] for entry in listed[0]] == expected
            assert [entry[:2] for entry in active[0]] == [e for e in expected if e[1] != "retired"]

    def teardown(self) -> None:
        for registry in self.stored:
            registry.close()
        for database in self.databases:
            assert database.undeclared() == []


def seen(models: tuple[ModelFingerprint, ...]) -> list[tuple[str, str, str]]:
    """Id, status and content digest of each model."""
    return [(entry.model_id, entry.status, content_digest(entry)) for entry in models]


def test_memory_redis_and_valkey_agree_on_random_operations(
    redis_62_database: Database, valkey_9_database: Database
) -> None:
    class HereTheyAgree(RegistriesAgree):
        databases = (redis_62_database, valkey_9_database)

    run_state_machine_as_test(
        HereTheyAgree,
        settings=settings(
            max_examples=20,
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert redis_62_database.client.ping()
