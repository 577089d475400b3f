"""Goal G19: a bundle that somebody tampered with is refused, and nothing of it is ever run."""

import hashlib
import json
import random
import shutil
import struct
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from fingerprint_db.signing.bundle_signature import SIGNATURES, sign_bundle
from fingerprint_db.signing.keys import SigningKey
from tests.scenarios.report import Report
from tests.scenarios.sizes import FULL, SEED, size
from worker.errors import StopError
from worker.extractor.bundle import BACKGROUND, DOCUMENT, GOLDEN, MAP, load_bundle
from worker.extractor.bundle_trust import trusted_bundle
from worker.extractor.document import default_bundle_path
from worker.extractor.extract import BlockExtractor
from worker.settings.trust import TrustSettings

OURS, THEIRS = SigningKey.create(), SigningKey.create()
ARRAYS = (MAP, BACKGROUND, GOLDEN)

_heard: list[str] = []
_listening = False


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if _listening and event in ("pickle.find_class", "os.system", "subprocess.Popen"):
        _heard.append(event)


sys.addaudithook(_hear)  # for good: there is no way to take one away


@contextmanager
def listening() -> Iterator[list[str]]:
    """What pickles look up, and what is started, meanwhile."""
    global _listening
    _heard.clear()
    _listening = True
    try:
        yield _heard
    finally:
        _listening = False


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A copy of the bundle that comes with the program, signed by us."""
    folder = tmp_path / "bundle"
    shutil.copytree(default_bundle_path(), folder)
    document = json.loads((folder / DOCUMENT).read_text())
    (folder / DOCUMENT).write_text(json.dumps(document))  # no longer the one that is built in
    sign_bundle(folder, OURS)
    return folder


def test_no_tampered_bundle_is_loaded_and_no_pickle_runs(
    bundle: Path, tmp_path: Path, report: Report
) -> None:
    # What is compiled comes from a cache of numba's own, which is a pickle: once, before we listen.
    assert _refusal(bundle) is None, "untouched and signed by us, it is taken"
    marker, whole = tmp_path / "ran", {path: path.read_bytes() for path in bundle.iterdir()}
    rng = random.Random(SEED)
    attacks = _attacks(marker)
    if not FULL:  # each kind on one of the three files of arrays, and some that are on none
        attacks = dict(list(attacks.items())[:: len(ARRAYS) + 1])
    refused: dict[str, int] = {}
    with listening() as heard:
        for kind, attack in {**attacks, **_by_chance(size(5, 500))}.items():
            attack(bundle, rng)
            assert _refusal(bundle) is not None, kind
            name = kind.partition(" #")[0]
            refused[name] = refused.get(name, 0) + 1
            for path, data in whole.items():
                if not path.is_file() or path.read_bytes() != data:
                    path.write_bytes(data)
        assert heard == []
        sys.audit("pickle.find_class", "os", "system")
        assert heard == ["pickle.find_class"], "the hook hears what it is there for"
    assert _refusal(bundle) is None, "and so it is again"
    assert not marker.exists()
    report.keep(
        "G19",
        "a bundle tampered with: pickles in every place, headers, offsets, numbers, digests, keys",
        {
            "refused": sum(refused.values()),
            "by hand": len(attacks),
            "flipped bits": sum(refused.values()) - len(attacks),
            "pickle opcodes run": 0,
        },
    )


def _refusal(folder: Path) -> str | None:
    """Why a worker would not start with it."""
    trust = TrustSettings(bundle_keys=(OURS.public.text,))
    try:
        found = trusted_bundle(folder, trust, local=True)
        BlockExtractor(found).self_test()
    except StopError as error:
        return str(error)
    return None


Attack = Callable[[Path, random.Random], None]
Change = Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]


def _attacks(marker: Path) -> dict[str, Attack]:
    code = b"cposix\nsystem\n(S'touch %s'\ntR." % bytes(marker)  # a pickle of protocol 0
    attacks: dict[str, Attack] = {
        "another key": _sign_as_they,
        "no signature": lambda f, _: f.joinpath(SIGNATURES).unlink(),
        "signatures that are a pickle": lambda f, _: _put(f / SIGNATURES, code),
        "a document that is a pickle": lambda f, _: _signed(f, DOCUMENT, code),
        "a document of other digests": lambda f, _: _put(
            f / DOCUMENT, f.joinpath(DOCUMENT).read_bytes().replace(b"a", b"b", 1)
        ),
    }
    for name in ARRAYS:
        files: dict[str, bytes] = {
            "a pickle": code,
            "a .pt of old": b"\x80\x02" + code,
            "a .pt": _zip({"archive/data.pkl": code, "archive/version": b"3\n"}, marker),
            "a .pt2": _zip({"archive/models/model.json": b"{}", "data.pkl": code}, marker),
            "nothing": b"",
            "half a length": b"\x10\x00",
            "a header of 2^63": struct.pack("<Q", 2**63) + b"{}",
            "a header past the end": struct.pack("<Q", 10**9) + b"{}",
            "a header that is no JSON": _tensors(b"{"),
            "a header nested deeply": _tensors(b"[" * 100_000),
            "offsets that overlap": _tensors(
                {"a": _entry("F32", [2], 0, 8), "b": _entry("F32", [2], 4, 12)}, b"\0" * 12
            ),
            "offsets past the end": _tensors({"a": _entry("F32", [2], 0, 8)}, b"\0" * 4),
            "offsets backwards": _tensors({"a": _entry("F32", [2], 8, 0)}, b"\0" * 8),
            "negative offsets": _tensors({"a": _entry("F32", [2], -8, 0)}, b"\0" * 8),
            "a shape of 2^62": _tensors({"a": _entry("F32", [2**62, 8], 0, 8)}, b"\0" * 8),
            "a number type that is none": _tensors({"a": _entry("EVIL", [2], 0, 8)}, b"\0" * 8),
            "other arrays": _tensors({"a": _entry("F32", [2], 0, 8)}, b"\0" * 8),
        }
        for kind, data in files.items():
            attacks[f"{kind} for {name}, digests rewritten and signed by us"] = _replacing(
                name, data
            )
        attacks[f"a pickle for {name}"] = lambda f, _, name=name: _put(f / name, code)  # type: ignore[misc]
        attacks[f"{name} missing"] = lambda f, _, name=name: (f / name).unlink()  # type: ignore[misc]
        for kind, change in _CHANGES.items():
            attacks[f"{kind} in {name}, digests rewritten and signed by us"] = _changing(
                name, change
            )
    return attacks


def _by_chance(count: int) -> dict[str, Attack]:
    """A flipped bit anywhere, in a file of arrays or in the document; nobody signs it anew."""

    def flip(folder: Path, rng: random.Random) -> None:
        file = folder / rng.choice((*ARRAYS, DOCUMENT))
        data = bytearray(file.read_bytes())
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        file.write_bytes(data)

    return {f"a flipped bit #{number}": flip for number in range(count)}


def _not_a_number(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if not np.issubdtype(array.dtype, np.floating):
        return array
    changed = array.copy()
    changed.flat[len(changed.flat) // 2] = np.nan
    return changed


_CHANGES: dict[str, Change] = {
    "NaN": _not_a_number,
    "another number type": lambda array: array.astype(np.float64),
    "another shape": lambda array: array.reshape(1, *array.shape),
}


def _changing(name: str, change: Change) -> Attack:
    def attack(folder: Path, _: random.Random) -> None:
        arrays = load_file(folder / name)
        changed = {key: np.ascontiguousarray(change(one)) for key, one in arrays.items()}
        save_file(changed, folder / name)
        _signed(folder, name, (folder / name).read_bytes())

    return attack


def _replacing(name: str, data: bytes) -> Attack:
    return lambda folder, _: _signed(folder, name, data)


def _sign_as_they(folder: Path, _: random.Random) -> None:
    (folder / SIGNATURES).unlink()
    sign_bundle(folder, THEIRS)


def _signed(folder: Path, name: str, data: bytes) -> None:
    """As somebody would who holds our key."""
    _put(folder / name, data)
    if name != DOCUMENT:
        document = json.loads((folder / DOCUMENT).read_text())
        document["files"][name] = hashlib.sha256(data).hexdigest()
        _put(folder / DOCUMENT, json.dumps(document).encode())
    sign_bundle(folder, OURS)


def _put(file: Path, data: bytes) -> None:
    file.write_bytes(data)


def _entry(dtype: str, shape: list[int], begin: int, end: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def _tensors(header: bytes | dict[str, Any], data: bytes = b"") -> bytes:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(raw)) + raw + data


def _zip(members: dict[str, bytes], marker: Path) -> bytes:
    file = marker.with_suffix(".zip")
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.read_bytes()


def test_the_loader_itself_refuses_what_is_not_verified(bundle: Path) -> None:
    _put(bundle / MAP, b"")
    with pytest.raises(StopError, match="was changed"):
        load_bundle(bundle)
