"""A slot leaves its group for good, so that its partitions move now and not after its session."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from kafka.admin import MemberToRemove
from kafka.errors import NoError, UnknownMemberIdError

from worker.broker.admin import admin, until_answered
from worker.broker.clients import connection, slot_name
from worker.broker.refusals import Who
from worker.errors import StopError
from worker.settings.kafka import KafkaSettings

REASON: Final = "scaled in"
"""What the broker's log says of it (Kafka 3.2 and newer)."""


def leave_group(kafka: KafkaSettings, slots: Sequence[int], *, timeout_s: float) -> list[int]:
    """Take these slots out of the group; returns those that were in it.

    The others get their partitions with the next heartbeat. A static member never leaves by
    itself (KIP-345), since a restart must move nothing. A process that still runs joins again.

    Raises StopError: 3 where no broker answers, 2 where the brokers refuse.
    """
    members = {slot_name(kafka.model_copy(update={"slot": slot})): slot for slot in slots}
    client = connection(kafka)
    client.pop("bootstrap_servers")
    with admin(kafka.brokers, client=client, who=Who.of(kafka), timeout_s=timeout_s) as asked:
        # One by one: the answer for one of several is not told apart from the others' by name.
        left = []
        for name, slot in members.items():
            member = MemberToRemove(group_instance_id=name, reason=REASON)
            ask = partial(asked.remove_group_members, kafka.group, [member])
            (answer,) = until_answered(ask, timeout_s).values()
            if answer is NoError:
                left.append(slot)
            elif answer is not UnknownMemberIdError:
                raise StopError(
                    f"group {kafka.group} did not let {name} go: {answer.__name__}", exit_code=3
                )
    return left
