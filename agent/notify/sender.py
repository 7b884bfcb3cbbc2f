"""What takes one message to where it is told?"""

from typing import Protocol

from agent.notify.message import Message


class Refused(Exception):  # noqa: N818 - an answer, not a fault
    """It will not be taken another time either; the text is one clause, without a secret in it."""


class Sender(Protocol):
    def send(self, message: Message, timeout_seconds: float) -> int:
        """One attempt: the HTTP status that came of it. Files are read at each, so that a secret can be renewed.

        Raises OSError, http.client.HTTPException or ValueError (one clause, without a secret or an address' path in it) where
        none came, Refused where another attempt is of no use.
        """
        ...
