"""A start that has to wait says for what before it loads anything to judge with."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import psutil

from deploy.services.kafka import RunningKafka
from tests.topic_names import TopicNames

FIRST_WORD_S = 3.0
"""Of processor time, which other programs do not lengthen: what is waited for is known by then."""


def test_a_redis_out_of_reach_is_told_before_anything_to_judge_with_is_loaded(
    kafka: RunningKafka, topics: TopicNames
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and never listens
        address = "redis://{}:{}/0".format(*taken.getsockname())
        command = [sys.executable, "-m", "worker.program", "run", "--brokers", kafka.brokers]
        command += ["--prefix", topics.prefix, "--redis", address]
        with subprocess.Popen(command, stderr=subprocess.PIPE, env=_environment()) as worker:
            assert worker.stderr is not None
            try:
                told = [json.loads(worker.stderr.readline()) for _ in range(2)]
                used = psutil.Process(worker.pid).cpu_times()
                loaded = Path(f"/proc/{worker.pid}/maps").read_text()
            finally:
                worker.terminate()
                worker.stderr.read()
    assert [line["event"] for line in told] == ["starting", "registry_awaited"]
    assert told[1]["wait_s"] == 60
    assert f"{address} cannot be reached" in told[1]["reason"]
    assert used.user + used.system < FIRST_WORD_S
    assert "numpy" in loaded
    assert "llvmlite" not in loaded
    assert worker.returncode == 0


def _environment() -> dict[str, str]:
    """Without the settings of whoever runs the tests."""
    return {name: value for name, value in os.environ.items() if "LATENTPRINT" not in name}
