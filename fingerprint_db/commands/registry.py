"""What this package adds to the program, as rows of `worker/late_commands.py`."""


def contribute() -> list[tuple[str, str, str, str]]:
    """`registry` and `trust`; imported when one of them is asked for."""
    models = "fingerprint_db.commands.models:contribute"
    return [
        ("group", "registry", "Look after the registered models.", models),
        ("group", "trust", "Keys, and who vouches for a bundle.", models),
    ]
