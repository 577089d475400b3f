"""What an attribute of a CloudEvent may be, in whichever mode it came."""

MAX_ATTRIBUTE_BYTES = 4096
"""The longest attribute taken: a path on Linux. Attributes travel on in every output record,
which must stay below the 1 MiB that an output topic takes."""


class MalformedEventError(ValueError):
    """The record breaks a rule of CloudEvents; the message says which, and what was seen."""
