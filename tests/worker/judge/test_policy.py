"""The policy file: read whole, refused with every mistake, named by a digest of its content."""

from pathlib import Path

import pytest

from worker.errors import StopError
from worker.judge.policy import Policy, load_policy, undecidable

TEXT = """
alpha_name = 0.02
alpha_unknown = 0.01
alpha_source = 0.2
minimum_jpeg_quality = 40
maximum_registry_age_s = 30.0
candidates_shown = 5
flag = ["attributed"]
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "policy.toml"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(path: Path) -> str:
    with pytest.raises(StopError) as caught:
        load_policy(path)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_the_packages_own_policy_is_the_default() -> None:
    policy = load_policy()
    assert (policy.alpha_name, policy.alpha_unknown, policy.alpha_source) == (0.01, 0.005, 0.1)
    assert policy.flag == ("attributed", "unknown_generator")


def test_a_file_is_read_as_it_stands(tmp_path: Path) -> None:
    assert load_policy(written(tmp_path, TEXT)) == Policy(
        alpha_name=0.02,
        alpha_unknown=0.01,
        alpha_source=0.2,
        minimum_jpeg_quality=40,
        maximum_registry_age_s=30.0,
        candidates_shown=5,
        flag=("attributed",),
    )


def test_the_digest_names_the_content_and_not_the_writing(tmp_path: Path) -> None:
    policy = load_policy(written(tmp_path, TEXT))
    lines = sorted(TEXT.split("\n"), reverse=True)
    rewritten = load_policy(written(tmp_path, "# other order\n" + "\n".join(lines)))
    assert rewritten.digest == policy.digest
    assert len(policy.digest) == 64
    changes: list[dict[str, object]] = [
        {"alpha_name": 0.021},
        {"alpha_unknown": 0.011},
        {"alpha_source": 0.21},
        {"minimum_jpeg_quality": 41},
        {"maximum_registry_age_s": 31.0},
        {"candidates_shown": 6},
        {"flag": ("attributed", "undetermined")},
    ]
    others = {policy.model_copy(update=change).digest for change in changes}
    assert len(others | {policy.digest}) == 8


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("alpha_name = 0.02", "", "alpha_name"),
        ("alpha_name = 0.02", "alpha_name = 0", "alpha_name"),
        ("alpha_name = 0.02", "alpha_name = 1", "alpha_name"),
        ("alpha_name = 0.02", "alpha_name = nan", "alpha_name"),
        ("alpha_unknown = 0.01", "", "alpha_unknown"),
        ("alpha_unknown = 0.01", "alpha_unknown = 0", "alpha_unknown"),
        ("alpha_unknown = 0.01", "alpha_unknown = 1", "alpha_unknown"),
        ("alpha_source = 0.2", "", "alpha_source"),
        ("alpha_source = 0.2", "alpha_source = 0", "alpha_source"),
        ("alpha_source = 0.2", "alpha_source = 1.1", "alpha_source"),
        ("minimum_jpeg_quality = 40", "minimum_jpeg_quality = 101", "minimum_jpeg_quality"),
        ("maximum_registry_age_s = 30.0", "maximum_registry_age_s = 0", "maximum_registry_age_s"),
        ("maximum_registry_age_s = 30.0", "maximum_registry_age_s = nan", "maximum_registry_age_s"),
        ("maximum_registry_age_s = 30.0", "maximum_registry_age_s = inf", "maximum_registry_age_s"),
        ("candidates_shown = 5", "candidates_shown = 0", "candidates_shown"),
        ('flag = ["attributed"]', 'flag = ["no_evidence"]', "flag"),
        ("alpha_name = 0.02", "alpha_name = 0.02\nminimum_margin = 2.0", "minimum_margin"),
        ("alpha_name = 0.02", "alpha_name = ", "line 2"),
    ],
)
def test_a_mistake_is_refused_with_file_and_place(
    old: str, new: str, named: str, tmp_path: Path
) -> None:
    path = written(tmp_path, TEXT.replace(old, new))
    message = refusal(path)
    assert message.startswith(f"policy file {path} is wrong: ")
    assert named in message


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    message = refusal(written(tmp_path, TEXT.replace("0.02", "7").replace("40", "0")))
    assert "alpha_name" in message
    assert "minimum_jpeg_quality" in message


def test_mistakes_are_plain_sentences_with_what_was_meant(tmp_path: Path) -> None:
    text = TEXT.replace("alpha_name", "alfa_name").replace("= 40", "= 0")
    path = written(tmp_path, text)
    assert refusal(path) == (
        f"policy file {path} is wrong: alpha_name is missing; minimum_jpeg_quality: expected"
        " at least 1; alfa_name is not known, did you mean alpha_name?"
    )


def test_a_missing_file_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "none.toml"
    assert refusal(path) == (
        f"policy file {path} cannot be read: No such file or directory; set"
        " LATENTPRINT_DECISION__POLICY to a TOML file like worker/judge/policy.toml"
    )


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_bytes(b"alpha_name = \xff\xfe")
    assert refusal(path).startswith(f"policy file {path} is wrong: ")


def test_a_level_that_no_size_reaches_is_refused_and_some_sizes_are_named() -> None:
    """The least p-value of n photographs is 1 / (n + 1), in however many spaces a file is read."""
    policy = load_policy().model_copy(update={"alpha_name": 0.005})
    counts = {"lossless/384_up": 199, "jpeg75/under_96": 198, "webp80/under_96": 0}
    assert undecidable(policy, counts) == ("jpeg75/under_96", "webp80/under_96")
    assert undecidable(policy, {"lossless/384_up": 199, "jpeg75/384_up": 199}) == ()
    with pytest.raises(
        StopError, match=r"more than 198 real photographs.*alpha_name 0\.00503 or more"
    ) as caught:
        undecidable(policy, {"lossless/384_up": 150, "jpeg75/384_up": 198})
    assert caught.value.exit_code == 2
