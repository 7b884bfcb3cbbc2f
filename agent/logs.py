"""How do messages reach standard error: as text on a terminal, as JSON lines otherwise, never with a secret?

Fields go into `extra`: `log.warning("collector failed", extra={"collector": name})`. A message with
`extra={"once": KEY}` is written the first time only: an expected absence is no news a second time.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

from collectors.redaction import redact_argv

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "once", "taskName"}
_LIMIT_CHARACTERS = 2000


def configure_logging(level: str, stream: TextIO | None = None) -> None:
    """Send everything from `level` up to `stream` (standard error). Replaces what was configured before."""
    target = stream or sys.stderr
    handler = logging.StreamHandler(target)
    handler.setFormatter(TextFormatter() if target.isatty() else JsonFormatter())
    handler.addFilter(Once())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.raiseExceptions = False  # a closed standard error must not end in tracebacks about logging
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    logging.getLogger("aiohttp").setLevel(logging.WARNING)


class Once(logging.Filter):
    """Lets a record with a `once` key pass the first time only."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: set[object] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        key = vars(record).get("once")
        if key is None:
            return True
        if (record.name, key) in self._seen:
            return False
        self._seen.add((record.name, key))
        return True


class JsonFormatter(logging.Formatter):
    """One JSON object a line: at (UTC), level, logger, message, then the fields."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {
            "at": moment.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _safe(record.getMessage()),
        }
        return json.dumps(line | _fields(record), default=str)


class TextFormatter(logging.Formatter):
    """`12:00:00 warning message key=value`, in local time."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created).strftime("%H:%M:%S")
        fields = "".join(f" {name}={value}" for name, value in _fields(record).items())
        return f"{moment} {record.levelname.lower()} {_safe(record.getMessage())}{fields}"


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    fields = {name: _safe_value(value) for name, value in vars(record).items() if name not in _OWN}
    if record.exc_info and (error := record.exc_info[1]) is not None:
        fields["error"] = _safe(f"{type(error).__name__}: {error}")
        fields["where"] = _where(error)
    return fields


def _where(error: BaseException) -> str:
    """File and line that raised it: enough to report a fault, in one line."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return "" if frame is None else f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}"


def _safe_value(value: object) -> object:
    return value if isinstance(value, int | float | bool | None) else _safe(str(value))


def _safe(text: str) -> str:
    """One line without secrets, encodable, of bounded length."""
    line = " ".join(text.encode("utf-8", "backslashreplace").decode().split())
    line = "".join(char if char.isprintable() else "?" for char in line)
    return redact_argv((line,))[0][:_LIMIT_CHARACTERS]
