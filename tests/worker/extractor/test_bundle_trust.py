"""A bundle is judged with only where somebody vouches for it."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from fingerprint_db.signing.bundle_signature import DOCUMENT, SIGNATURES, sign_bundle
from fingerprint_db.signing.keys import SigningKey
from worker.errors import StopError
from worker.extractor.bundle_trust import BUILT_IN, trusted_bundle, vouched_digest
from worker.extractor.document import default_bundle_path
from worker.settings.trust import TrustSettings

OURS, THEIRS = SigningKey.create(), SigningKey.create()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What is looked at of a bundle that did not come with the program."""
    (tmp_path / DOCUMENT).write_text('{"made": "elsewhere"}')
    return tmp_path


def refusal(folder: Path, *, required: bool = True) -> str:
    with pytest.raises(StopError) as refused:
        vouched_digest(folder, [OURS.public], required=required)
    assert refused.value.exit_code == 2
    return str(refused.value)


def test_the_bundle_that_comes_with_the_program_is_vouched_for_by_the_program() -> None:
    raw = (default_bundle_path() / DOCUMENT).read_bytes()
    assert hashlib.sha256(raw).hexdigest() == BUILT_IN, "write its new digest into bundle_trust.py"
    assert not (default_bundle_path() / SIGNATURES).exists()
    assert vouched_digest(default_bundle_path(), [], required=True) == BUILT_IN


def test_a_bundle_of_one_of_our_keys_is_taken(folder: Path) -> None:
    sign_bundle(folder, THEIRS)
    sign_bundle(folder, OURS)
    digest = hashlib.sha256((folder / DOCUMENT).read_bytes()).hexdigest()
    assert vouched_digest(folder, [OURS.public], required=True) == digest


def test_an_unsigned_bundle_is_refused_with_keys_and_remedy_or_warned_of(folder: Path) -> None:
    said = refusal(folder)
    assert f"it is not signed, expected one of the keys {OURS.public.key_id}" in said
    assert "`latentprint trust sign`" in said
    assert "trust.require_signatures=false" in said
    assert vouched_digest(folder, [], required=False) is None


def test_a_bundle_of_another_key_is_refused_with_both_ids(folder: Path) -> None:
    sign_bundle(folder, THEIRS)
    said = refusal(folder)
    assert f"signed by {THEIRS.public.key_id}, expected one of" in said
    assert OURS.public.key_id in said


def test_a_bundle_that_was_changed_after_it_was_signed_is_refused_anywhere(folder: Path) -> None:
    sign_bundle(folder, OURS)
    (folder / DOCUMENT).write_text('{"made": "otherwise"}')
    for required in (True, False):
        said = refusal(folder, required=required)
        assert f"changed after key {OURS.public.key_id} signed it" in said


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": "minisign"}', '{"signatures": 1}'])
def test_a_damaged_file_of_signatures_vouches_for_nothing(folder: Path, text: str) -> None:
    (folder / SIGNATURES).write_text(text)
    assert "holds no signatures" in refusal(folder)


def test_a_key_signs_once_and_several_may(folder: Path) -> None:
    sign_bundle(folder, OURS)
    assert len(sign_bundle(folder, OURS)) == 1
    assert len(sign_bundle(folder, THEIRS)) == 2
    stored = json.loads((folder / SIGNATURES).read_text())
    assert [one["key_id"] for one in stored["signatures"]] == [
        OURS.public.key_id,
        THEIRS.public.key_id,
    ]


@pytest.mark.parametrize(
    ("profile", "keys", "require", "refused"),
    [
        ("local", (), None, False),
        ("production", (), None, True),
        ("production", (), False, False),
        ("local", (OURS.public.text,), None, True),
        ("local", (), True, True),
    ],
)
def test_settings_say_whether_a_signature_is_asked_for(
    tmp_path: Path, profile: str, keys: tuple[str, ...], require: bool | None, refused: bool
) -> None:
    """A copy with other white space is another bundle, whole and signed by nobody."""
    copy = tmp_path / "bundle"
    shutil.copytree(default_bundle_path(), copy)
    document = json.loads((copy / DOCUMENT).read_text())
    (copy / DOCUMENT).write_text(json.dumps(document))
    local = profile == "local"
    trust = TrustSettings(bundle_keys=keys, require_signatures=require)
    if refused:
        with pytest.raises(StopError, match="it is not signed"):
            trusted_bundle(copy, trust, local=local)
    else:
        assert trusted_bundle(copy, trust, local=local).digest != BUILT_IN
    sign_bundle(copy, OURS)
    ours = TrustSettings(bundle_keys=(OURS.public.text,), require_signatures=require)
    assert trusted_bundle(copy, ours, local=local).path == copy
