"""Why a tool cannot be had."""


class ToolUnavailable(Exception):
    """Neither the PATH nor Debian's packages have the program; the message says what was tried."""

    exit_code = 3
