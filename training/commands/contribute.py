"""What training adds to the program; a file is imported when its command is asked for."""

from worker.late_commands import Row


def contribute() -> list[Row]:
    """`demo` and the `train` commands; the lines are those of their own help, kept so by a test."""
    return [
        (
            "command",
            "demo",
            "Real photographs and GAN images through a real Kafka to verdicts, and a summary.",
            "training.commands.demo:contribute",
        ),
        (
            "group",
            "train",
            "The science: photographs, GANs, extractors, their measures.",
            "training.commands.train:contribute",
        ),
    ]
