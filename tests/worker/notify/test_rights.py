"""Notify does all of its work with exactly the rights of its two roles."""

import threading
from pathlib import Path

from tests.worker.broker.secured import PASSWORD, SecuredKafka
from tests.worker.notify.alerting import record
from tests.worker.notify.receiving import Answer, receiving
from tests.worker.notify.test_run import plan_for, publish
from worker.broker.rights import role
from worker.broker.topic_creation import create_topics
from worker.broker.topics import Topics
from worker.notify.redrive import Redriven, redrive
from worker.notify.run import run
from worker.settings.settings import Settings

TOPICS = Topics("told.")


def test_notify_tells_and_redrives_with_the_least_rights(
    secured_broker: SecuredKafka, tmp_path: Path
) -> None:
    create_topics(secured_broker.open_brokers, TOPICS, partitions=1)
    for name in ("notify", "notify-redrive"):
        secured_broker.allow("notify", role(name, TOPICS.prefix, notify_group="told").rights)
    settings = Settings.model_validate(
        {
            "kafka": {
                "brokers": secured_broker.brokers,
                "prefix": TOPICS.prefix,
                "security": "SASL_PLAINTEXT",
                "sasl_mechanism": "PLAIN",
                "sasl_username": "notify",
                "sasl_password": PASSWORD,
            },
            "notify": {"group": "told"},
        }
    )
    publish(secured_broker.open_brokers, TOPICS.alerts, [record(), record()])
    again: list[Redriven] = []
    with receiving(Answer(400)) as pager:
        told = plan_for(tmp_path, pager=pager.url)
        run(settings, told, stop=threading.Event(), once=True)
        assert len(pager.requests) == 2
        redrive(settings, told, dry_run=False, tell=again.append)
        assert pager.requests[2].webhook_id == pager.requests[0].webhook_id
    assert [one.again for one in again] == [None]
