"""What this package adds to the program, as rows of `worker/late_commands.py`."""


def contribute() -> list[tuple[str, str, str, str]]:
    """`registry` and `trust`; imported when one of them is asked for."""
    where = "fingerprint_db.commands.registry:contribute"
    return [
        ("group", "registry", "Look after the registered models.", where),
        ("group", "trust", "Keys, and who vouches for a bundle.", where),
    ]
