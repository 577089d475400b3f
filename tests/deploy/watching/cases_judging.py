"""Cases: what comes in, what comes out, who is told."""

from tests.deploy.watching.case import NO_CHANGE, Fires, Silent, of


def verdicts(**shares: str) -> dict[str, str]:
    """Series of verdicts by what they say: clean, flagged, undetermined."""
    labels = {
        "clean": {"outcome": "no_evidence", "flagged": "false"},
        "flagged": {"outcome": "attributed", "flagged": "true"},
        "undetermined": {"outcome": "undetermined", "flagged": "false"},
    }
    return {of("verdicts_total", **labels[name]): values for name, values in shares.items()}


JUDGING: list[Fires | Silent] = [
    Fires(
        "LatentprintRejects",
        "20m",
        {
            of("rejects_total", code="decode.corrupt"): "0+10x30",
            of("rejects_total", code="schema"): "0+1x30",
            of("events_committed_total"): "0+100x30",
        },
        "10% of all events within 15 minutes became dead letters with the reason decode.corrupt.",
        {"code": "decode.corrupt"},
    ),
    Silent(
        "LatentprintRejects",
        "20m",
        {
            of("rejects_total", code="decode.corrupt"): "0 1 1 1 2x30",
            of("events_committed_total"): "0 1 1 1 2x30",
        },
        "two broken files of two in the middle of the night",
    ),
    Silent(
        "LatentprintRejects",
        "20m",
        {
            of("rejects_total", code="quarantined"): "0+50x30",
            of("events_committed_total"): "0+100x30",
        },
        "that is LatentprintSenderQuarantined",
    ),
    Fires(
        "LatentprintSenderQuarantined",
        "2m",
        {of("senders_quarantined"): "0 1 1"},
        "Slot 0 holds back 1 senders whose events were rejected again and again.",
        {"slot": "0"},
    ),
    Silent("LatentprintSenderQuarantined", "3m", {of("senders_quarantined"): "1 1 0x9"}, "lifted"),
    Fires(
        "LatentprintBreakerNear",
        "30m",
        {of("quarantines_total"): "0x10 1x10 2x40"},
        "Slot 0 has used 66.67% of the rejects or quarantines at which it stops.",
        {"slot": "0"},
    ),
    Fires(
        "LatentprintBreakerNear",
        "3m",
        {of("breaker_used_ratio"): "0 0.3 0.6 0.8"},
        "Slot 0 has used 80% of the rejects or quarantines at which it stops.",
        {"slot": "0"},
    ),
    Silent(
        "LatentprintBreakerNear",
        "59m",
        {of("quarantines_total"): "0x10 1x60", of("breaker_used_ratio"): "0.2x60"},
        "one sender of many is in quarantine",
    ),
    Fires(
        "LatentprintSandboxKills",
        "15m",
        {of("sandbox_kills_total", cause="memory"): "0+1x20"},
        "15 decoder children ended over an image within 15 minutes, cause memory.",
        {"cause": "memory"},
    ),
    Silent(
        "LatentprintSandboxKills",
        "15m",
        {of("sandbox_kills_total", cause="memory"): "0x5 1x5 2x20"},
        "two files of a quarter of an hour",
    ),
    Fires(
        "LatentprintSandboxRefusedCalls",
        "20m",
        {of("sandbox_refused_calls_total"): "_x18 1x10"},
        "The kernel ended a decoder child of slot 0 within the last 15 minutes, over a call that"
        " only an intruder makes: an image may have taken it over.",
        {"slot": "0"},
    ),
    Fires(
        "LatentprintSandboxRefusedCalls",
        "40m",
        {of("sandbox_refused_calls_total"): "1x35 2x10"},
        "The kernel ended a decoder child of slot 0 within the last 15 minutes, over a call that"
        " only an intruder makes: an image may have taken it over.",
        {"slot": "0"},
    ),
    Silent(
        "LatentprintSandboxRefusedCalls",
        "40m",
        {
            of("sandbox_refused_calls_total"): "1x60",
        },
        "an hour ago",
    ),
    Fires(
        "LatentprintSandboxIncomplete",
        "6m",
        {of("sandbox_complete"): "0x10", of("sandbox_required"): "0x10"},
        "Slot 0 decodes although a measure of its sandbox does not hold"
        " (LATENTPRINT_DECODE__SANDBOX=warn).",
        {"slot": "0"},
    ),
    Silent("LatentprintSandboxIncomplete", "6m", {of("sandbox_complete"): "1x10"}, "it holds"),
    Fires(
        "LatentprintFlaggedShareJumps",
        "1500m",
        # A day of 1 %, then 10 % for 40 minutes.
        verdicts(clean="0+990x146 144630+900x9", flagged="0+10x146 1560+100x9"),
        "10% of the verdicts of the last half hour are flagged, more than twice the share of the"
        " day before.",
        long=True,
    ),
    Fires(
        "LatentprintFlaggedShareJumps",
        "1500m",
        verdicts(clean="0+990x146 144630+900x9", flagged="_x146 0+100x9"),
        "10% of the verdicts of the last half hour are flagged, more than twice the share of the"
        " day before.",
        long=True,
    ),
    Silent(
        "LatentprintFlaggedShareJumps",
        "1500m",
        verdicts(clean="0+990x146 144630+980x9", flagged="0+10x146 1480+20x9"),
        "twice one percent is two",
        long=True,
    ),
    Silent(
        "LatentprintFlaggedShareJumps",
        "60m",
        verdicts(clean="0+90x100", flagged="0+10x100"),
        "the first hour has no day before it",
    ),
    Fires(
        "LatentprintUndeterminedShare",
        "50m",
        verdicts(clean="0+60x60", undetermined="0+40x60"),
        "40% of the verdicts of the last half hour are undetermined.",
    ),
    Silent(
        "LatentprintUndeterminedShare",
        "50m",
        verdicts(clean="0+95x60", undetermined="0+5x60"),
        "one in twenty",
    ),
    Fires(
        "LatentprintCalibrationDrift",
        "1m",
        {of("calibration_drifted"): "0 1 1"},
        "Slot 0 finds that what passes for photographs scores higher than the photographs behind"
        " the levels: the stated rate of false flags may no longer hold.",
        {"slot": "0"},
    ),
    Silent("LatentprintCalibrationDrift", "3m", {of("calibration_drifted"): "1 1 0x5"}, "again"),
    Fires(
        "LatentprintNotifyDown",
        "7m",
        {'up{job="latentprint-notify", instance="a:9474"}': "1 0x10"},
        "Notify has not answered at a:9474 for five minutes.",
        {"instance": "a:9474", "job": "latentprint-notify"},
    ),
    Silent(
        "LatentprintNotifyDown",
        "9m",
        {'up{job="latentprint-notify", instance="a:9474"}': "1 0 0 0 1x10"},
        "it was restarted",
    ),
    Fires(
        "LatentprintNotifyBehind",
        "25m",
        {
            "latentprint_notify_lag_records": "12x30",
            "latentprint_notify_delivered_total": NO_CHANGE,
        },
        "12 alerts wait, and no webhook took one for ten minutes.",
    ),
    Silent(
        "LatentprintNotifyBehind",
        "25m",
        {
            "latentprint_notify_lag_records": "12x30",
            "latentprint_notify_delivered_total": "0+1x30",
        },
        "they go out one by one",
    ),
    Fires(
        "LatentprintNotifyReceiverGone",
        "2m",
        {"latentprint_notify_receivers_gone": "0 0 1 1"},
        "1 receivers answered 410 and are asked no more; their alerts become dead letters.",
    ),
    Silent(
        "LatentprintNotifyReceiverGone",
        "3m",
        {"latentprint_notify_receivers_gone": "1 1 0 0"},
        "notify was restarted with another address",
    ),
    Fires(
        "LatentprintNotifyDeadLetters",
        "5m",
        {"latentprint_notify_dead_letters_total": "0 0 0 3 3 3"},
        "3 alerts were given up within 15 minutes, after every retry.",
    ),
    Silent(
        "LatentprintNotifyDeadLetters",
        "25m",
        {"latentprint_notify_dead_letters_total": "3x30"},
        "an hour ago",
    ),
]
