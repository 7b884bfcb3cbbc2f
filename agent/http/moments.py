"""Which instant does a parameter of the query name?"""

import re
from datetime import datetime

from agent.http.envelope import Refused

_PLUS_READ_AS_SPACE = re.compile(r" (?=\d\d:\d\d$)")


def moment(text: str | None, name: str, default: float) -> float:
    """Unix seconds. Raises Refused(400) for what is neither such a number nor RFC 3339."""
    if text is None:
        return default
    try:
        return finite(float(text))
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(_PLUS_READ_AS_SPACE.sub("+", text))
        if found.tzinfo is None:
            raise ValueError(text)
        return finite(found.timestamp())
    except (ValueError, OverflowError):
        hint = "Unix seconds, or RFC 3339 with its zone such as 2026-11-20T10:00:00Z"
        raise Refused(400, "query.bad-value", f"{name}={text!r} is not a time", hint) from None


def finite(number: float) -> float:
    """Raises ValueError for what is no time that anybody means."""
    if not abs(number) < 1e11:
        raise ValueError(number)
    return number
