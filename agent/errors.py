"""How does a command end with one clear line instead of a traceback?"""

import re

_MOST_CHARACTERS = 600
"""Of a message that quotes what somebody wrote."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")


class CliError(Exception):
    """An expected end of a command: `nodewright: KEY: message (hint)` on standard error and an exit status.

    `key` is stable (`area.what`), `hint` says what to do and may be empty. 2 is bad usage or configuration; the other
    statuses are those of the command line's contract.
    """

    def __init__(self, key: str, message: str, hint: str = "", exit_status: int = 2) -> None:
        super().__init__(message)
        self.key = key
        self.message = message
        self.hint = hint
        self.exit_status = exit_status

    def __str__(self) -> str:
        return error_line(self.key, self.message, self.hint)


def error_line(key: str, message: str, hint: str = "") -> str:
    """The one line; what would break it into several, or steer a terminal, becomes a space."""
    if len(message) > _MOST_CHARACTERS:
        message = f"{message[:_MOST_CHARACTERS]}…"
    text = f"nodewright: {key}: {message.rstrip('. ')}" + (f" ({hint})" if hint else "")
    return _CONTROL.sub(" ", text)


def reason_of(error: OSError) -> str:
    """What the kernel said, without the number and the path."""
    return error.strerror or str(error) or type(error).__name__
