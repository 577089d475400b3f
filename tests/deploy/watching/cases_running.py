"""Cases: is anybody there, is it in time, does it know what it judges by."""

from tests.deploy.watching.case import NO_CHANGE, Fires, Silent, of

UP = 'up{job="latentprint", instance="a:9464"}'
OTHER_UP = 'up{job="latentprint", instance="b:9464"}'
EXPORTED = "latentprint_registry_export_timestamp_seconds"

RUNNING: list[Fires | Silent] = [
    Fires(
        "LatentprintNoWorker",
        "3m",
        {UP: "1 0x10", OTHER_UP: "1 0x10"},
        "None of the addresses that Prometheus scrapes for Latentprint has answered for a minute:"
        " nothing is judged.",
    ),
    Fires(
        "LatentprintNoWorker",
        "3m",
        {'up{job="something_else", instance="a:1"}': "1x10"},
        "None of the addresses that Prometheus scrapes for Latentprint has answered for a minute:"
        " nothing is judged.",
    ),
    Silent("LatentprintNoWorker", "3m", {UP: "0x10", OTHER_UP: "1x10"}, "one of two answers"),
    Fires(
        "LatentprintSlotDown",
        "4m",
        {UP: "1 0x10", OTHER_UP: "1x10"},
        "A slot at a:9464 has been missing for two minutes. The other slots have taken its"
        " partitions.",
        {"instance": "a:9464", "job": "latentprint"},
    ),
    Fires(
        "LatentprintSlotDown",
        "4m",
        {
            UP: "1x10",
            'latentprint_slots_wanted{instance="a:9464"}': "3x10",
            'latentprint_slots_up{instance="a:9464"}': "2x10",
        },
        "A slot at a:9464 has been missing for two minutes. The other slots have taken its"
        " partitions.",
        {"instance": "a:9464"},
    ),
    Silent("LatentprintSlotDown", "4m", {UP: "1 1 0 0 1 1"}, "it was restarted within a minute"),
    Fires(
        "LatentprintSlotRestarts",
        "15m",
        {'latentprint_slot_restarts_total{code="75"}': "0 0 1 1 2 2 3 3 4 4 5 5 5 5 5 5"},
        "5 processes ended with exit code 75 within 15 minutes and were started again.",
        {"code": "75"},
    ),
    Silent(
        "LatentprintSlotRestarts",
        "15m",
        {'latentprint_slot_restarts_total{code="75"}': "0 0 1x20"},
        "one restart is what a supervisor is for",
    ),
    Fires(
        "LatentprintNotReady",
        "6m",
        {of("ready_check", check="registry"): "0x10", of("ready_check", check="assigned"): "1x10"},
        "Slot 0 has answered for five minutes that it is not ready, because of registry.",
        {"slot": "0", "check": "registry"},
    ),
    Silent(
        "LatentprintNotReady",
        "10m",
        {of("ready_check", check="registry"): "0 0 0 1x10"},
        "it was ready after three minutes",
    ),
    Fires(
        "LatentprintLag",
        "11m",
        {
            of("lag_seconds", topic="images", partition="0"): "0+60x20",
            of("lag_seconds", topic="images", partition="1"): "0x20",
        },
        "The oldest event of images without a committed outcome is 11m 0s old.",
        {"topic": "images"},
    ),
    Silent(
        "LatentprintLag",
        "11m",
        {of("lag_seconds", topic="images", partition="0"): "0 90 180 270 360 450 0x20"},
        "a backlog that was worked off within the five minutes",
    ),
    Fires(
        "LatentprintNoCommits",
        "11m",
        {
            of("lag_records", topic="images", partition="0"): "40x20",
            of("events_committed_total"): NO_CHANGE,
        },
        "40 events wait, and no outcome was committed for five minutes.",
    ),
    Silent(
        "LatentprintNoCommits",
        "11m",
        {
            of("lag_records", topic="images", partition="0"): "40x20",
            of("events_committed_total"): "0+1x20",
        },
        "slow is not stuck: that is LatentprintLag",
    ),
    Silent(
        "LatentprintNoCommits",
        "11m",
        {
            of("lag_records", topic="images", partition="0"): "0x20",
            of("events_committed_total"): NO_CHANGE,
        },
        "nothing comes in",
    ),
    Fires(
        "LatentprintRebuilds",
        "10m",
        {of("rebuilds_total"): "0+1x20"},
        "Slot 0 built a new producer 10 times within ten minutes; each time the events in flight"
        " are judged again.",
        {"slot": "0"},
    ),
    Silent("LatentprintRebuilds", "10m", {of("rebuilds_total"): "0 1 2x20"}, "a broker restarted"),
    Fires(
        "LatentprintAbortedTransactions",
        "20m",
        {of("aborted_transactions_total"): "0+1x30", of("commit_seconds_count"): "0+9x30"},
        "10% of the transactions of slot 0 within 15 minutes were aborted.",
        {"slot": "0"},
    ),
    Silent(
        "LatentprintAbortedTransactions",
        "20m",
        {of("aborted_transactions_total"): "0+1x30", of("commit_seconds_count"): "0+500x30"},
        "one of five hundred",
    ),
    Fires(
        "LatentprintRecordsLost",
        "5m",
        {of("records_lost_total"): "0 0 0 50 50 50"},
        "50 events were deleted within the last hour without a verdict.",
    ),
    Silent("LatentprintRecordsLost", "5m", {of("records_lost_total"): NO_CHANGE}, "long ago"),
    Fires(
        "LatentprintRegistryStale",
        "3m",
        {
            of("registry_age_seconds"): "1 1 45 45",
            of("registry_age_limit_seconds"): "60x10",
        },
        "Slot 0 judges by a registry that was known current 45s ago.",
        {"slot": "0"},
    ),
    Silent(
        "LatentprintRegistryStale",
        "5m",
        {of("registry_age_seconds"): "45x10", of("registry_age_limit_seconds"): "600x10"},
        "the policy allows ten minutes",
    ),
    Fires(
        "LatentprintBlindVerdicts",
        "10m",
        {of("verdict_reasons_total", reason="registry_stale"): "0+120x20"},
        "2.0 events a second become undetermined with the reason registry_stale.",
        {"reason": "registry_stale"},
    ),
    Silent(
        "LatentprintBlindVerdicts",
        "10m",
        {
            of("verdict_reasons_total", reason="registry_stale"): NO_CHANGE,
            of("verdict_reasons_total", reason="real_test_not_passed"): "0+120x20",
        },
        "the registry is back",
    ),
    Fires(
        "LatentprintRegistryExportOld",
        "1650m",
        {f'{EXPORTED}{{space="3f2a"}}': "0x200"},
        "The last export of space 3f2a is 1d 3h 30m 0s old.",
        {"space": "3f2a"},
        long=True,
    ),
    Silent(
        "LatentprintRegistryExportOld",
        "1650m",
        {
            f'{EXPORTED}{{space="3f2a", job="a"}}': "0x200",
            f'{EXPORTED}{{space="3f2a", job="b"}}': "0x100 60000x99",
        },
        "one of two jobs that export does it",
        long=True,
    ),
]
