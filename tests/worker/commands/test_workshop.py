"""One workshop for `run`, `scan` and `register`: the same settings give the same judgement."""

import json
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from threadpoolctl import ThreadpoolController, threadpool_info

from tests.worker.commands.local_program import run_local
from tests.worker.extractor.tiny_bundle import TinyBundle, real_png
from worker.commands import workshop
from worker.commands.workshop import decision_policy, decode_limits
from worker.decoder.decode import DecodeLimits
from worker.decoder.regions import RegionReading
from worker.errors import RetryError, StopError
from worker.extractor.bundle import load_bundle
from worker.extractor.extract import BlockExtractor
from worker.judge.policy import load_policy
from worker.settings.images import DecisionSettings, DecodeSettings
from worker.settings.settings import Settings


def test_the_age_in_the_settings_is_the_policys() -> None:
    own = load_policy()
    assert decision_policy(DecisionSettings()) == own
    changed = decision_policy(DecisionSettings(max_registry_age_s=7.5))
    assert changed == own.model_copy(update={"maximum_registry_age_s": 7.5})


def test_the_limits_of_the_settings_hold_for_what_the_bundle_reads() -> None:
    settings = DecodeSettings(max_image_bytes=2048, max_pixels=99_999, memory_mib=64, cpu_s=0.5)
    reading = RegionReading(1 << 16, 1 << 18)
    assert decode_limits(settings, DecodeLimits(reading)) == DecodeLimits(
        reading,
        max_image_bytes=2048,
        max_pixels=99_999,
        memory_bytes=64 * 1024 * 1024,
        cpu_s=0.5,
    )


class Made(BlockExtractor):
    """The CPU's, whose device may fail."""

    fault: RetryError | None = None

    def self_test(self) -> None:
        if self.fault is not None:
            raise self.fault


def test_it_is_said_what_computes_and_products_stay_on_one_thread(
    tiny_bundle: TinyBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workshop, "open_extractor", lambda bundle, device, slot: Made(bundle))
    bundle = load_bundle(tiny_bundle.path)
    with ThreadpoolController().limit(limits=2, user_api="blas"), capture_logs() as logs:
        made = workshop._proven_extractor(bundle, Settings())
        threads = {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}
    assert [(one["event"], one["where"]) for one in logs] == [("extractor", made.where)]
    assert threads == {1}


def test_a_device_that_fails_at_the_start_ends_the_process_for_another_try(
    tiny_bundle: TinyBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workshop, "open_extractor", lambda bundle, device, slot: Made(bundle))
    monkeypatch.setattr(Made, "fault", RetryError("cuda:0 failed, no image is to blame"))
    with pytest.raises(StopError, match=r"cuda:0 failed, .*LATENTPRINT_EXTRACT__DEVICE") as caught:
        workshop._proven_extractor(load_bundle(tiny_bundle.path), Settings())
    assert caught.value.exit_code == 75


def test_scan_judges_by_the_policy_that_run_has_with_the_same_settings(
    tiny_bundle: TinyBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.png").write_bytes(real_png(1))
    monkeypatch.setenv("LATENTPRINT_DECISION__MAX_REGISTRY_AGE_S", "7.5")
    result = run_local(tiny_bundle, "scan", str(tmp_path), "--json")
    assert result.exit_code == 0, result.output
    verdict = json.loads(result.stdout)
    assert (
        verdict["policy_digest"] == decision_policy(DecisionSettings(max_registry_age_s=7.5)).digest
    )
