"""The worker's commands and the file of each; a file is imported when its command is asked for."""

from worker.late_commands import Row


def contribute() -> list[Row]:
    """`run` and the commands around it, in the order of `latentprint --help`.

    A line is the first paragraph of the command's own docstring; a test keeps the two equal.
    """

    def of(module: str) -> str:
        return f"worker.commands.{module}:contribute"

    return [
        (
            "command",
            "run",
            "Run the worker: read image events, publish verdicts, until SIGTERM or Ctrl-C.",
            of("run"),
        ),
        (
            "command",
            "health",
            "Ask the worker at metrics.listen, or notify, how it is, and say what is missing.",
            of("health"),
        ),
        (
            "command",
            "leave",
            "Take slots that have ended out of the group, so that others get their partitions at"
            " once.",
            of("leave"),
        ),
        (
            "command",
            "doctor",
            "Look at Kafka, Redis, registry, bundle, sandbox and this machine; say what to mend.",
            of("doctor"),
        ),
        (
            "command",
            "submit",
            "Send images as events: .jpg, .jpeg, .png and .webp, bytes as on disk.",
            of("stream"),
        ),
        (
            "command",
            "watch",
            "Follow verdicts and dead letters, live, one line each.",
            of("stream"),
        ),
        (
            "command",
            "agreement",
            "Compare what workers in shadow say with what the workers that count say.",
            of("stream"),
        ),
        ("group", "topics", "Look after the topics.", of("stream")),
        ("group", "dlq", "Look after dead letters.", of("dlq")),
        (
            "group",
            "notify",
            "Tell alerts to webhooks, signed, until SIGTERM or Ctrl-C; SIGUSR1 also leaves the"
            " group.",
            of("notify"),
        ),
        ("command", "scan", "Verdicts for local files, no Kafka needed.", of("local_files")),
        (
            "command",
            "explain",
            "One page on why an image is judged as it is: NAME.explained.html, and the same as"
            " PNG.",
            of("local_files"),
        ),
        (
            "command",
            "register",
            "Enrol a generator from sample images; live at once, no worker is restarted.",
            of("local_files"),
        ),
        (
            "command",
            "pool",
            "Judge groups of images: what one image does not show, thirty of one account may.",
            of("pool"),
        ),
        ("within", "registry", "", of("calibrate")),
    ]
