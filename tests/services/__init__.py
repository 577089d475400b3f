"""The local services themselves, started for real."""
