"""Names in any script are taken, each with an id of its own; nothing unseen is in them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fingerprint_db.commands.listing import columns
from fingerprint_db.errors import WrongSettings
from fingerprint_db.model_fingerprint import _MODEL_ID
from fingerprint_db.names import author_of, check_name, model_id_of, printable, width


@pytest.mark.parametrize(
    ("name", "model_id"),
    [
        ("SNGAN at 64x64, seed 1", "sngan-at-64x64-seed-1"),
        ("stylegan2_ada.v1", "stylegan2_ada.v1"),
        ("gen[/x]", "gen-x"),
        ("Zoë", "zoe"),
        ("Größe", "grosse"),
        ("a-", "a"),
    ],
)
def test_a_name_in_latin_letters_gives_its_id(name: str, model_id: str) -> None:
    assert model_id_of(name) == model_id


@pytest.mark.parametrize(
    "name", ["生成器", "генератор", "مولد", "生成器 v2", "🎨", "---", "x" * 80]
)
def test_a_name_that_loses_letters_keeps_an_id_of_its_own(name: str) -> None:
    found = model_id_of(name)
    assert _MODEL_ID.fullmatch(found)
    assert found == model_id_of(name)
    assert found != model_id_of(name + "生")


def test_two_names_that_differ_where_letters_are_lost_have_two_ids() -> None:
    assert model_id_of("生成器 v2").startswith("v2-")
    assert model_id_of("生成器 v2") != model_id_of("模型 v2")
    assert model_id_of("x" * 80) != model_id_of("x" * 81)


def test_a_sign_made_of_letters_is_in_small_letters_too() -> None:
    assert model_id_of("\u33c6") == "c-kg"


@given(st.text(min_size=1))
def test_every_name_that_is_taken_gives_a_valid_id(name: str) -> None:
    try:
        taken = check_name(name)
    except WrongSettings:
        return
    assert _MODEL_ID.fullmatch(model_id_of(taken))
    assert check_name(taken) == taken


@pytest.mark.parametrize("name", ["a\x1b[31mb", "a\nb", "a\x00", "a\u202eb", "a\u2028b", "\udce9"])
def test_characters_that_nobody_sees_are_refused_and_shown(name: str) -> None:
    with pytest.raises(WrongSettings, match="control or") as caught:
        check_name(name)
    assert printable(str(caught.value)) == str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("name", ["", "  ", "x" * 201])
def test_an_empty_or_endless_name_is_refused(name: str) -> None:
    with pytest.raises(WrongSettings, match="expected 1 to 200"):
        check_name(name)


def test_one_name_written_in_two_ways_is_one_name() -> None:
    assert check_name(" Zoe\u0308 ") == "Zo\u00eb"


def test_columns_are_aligned_by_what_a_terminal_shows_and_hold_no_control_characters() -> None:
    first, second, third = columns(("a", "b"), [("生成", "x\x1b"), ("abcd", "y")]).splitlines()
    assert (first, second, third) == ("a     b", "生成  x\\x1b", "abcd  y")
    assert width("生成") == 4


def test_a_user_without_a_login_name_is_told_to_say_who_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nameless() -> str:
        raise OSError("no username set in the environment")

    monkeypatch.setattr("getpass.getuser", nameless)
    assert author_of("ops@example.org") == "ops@example.org"
    with pytest.raises(WrongSettings, match="--by") as caught:
        author_of("")
    assert caught.value.exit_code == 2
