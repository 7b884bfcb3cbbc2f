"""Messages are one line, text on a terminal and JSON elsewhere, without secrets, an absence only once."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from agent.logs import configure_logging


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """Puts back what the test run itself had configured."""
    root = logging.getLogger()
    handlers, level, raising = root.handlers[:], root.level, logging.raiseExceptions
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.raiseExceptions = raising


def test_a_json_line_has_time_level_message_and_fields():
    stream = io.StringIO()
    configure_logging("info", stream)
    logging.getLogger("agent.x").warning("collector failed", extra={"collector": "cpu", "runs": 3})
    line = json.loads(stream.getvalue())
    assert line["at"].endswith("Z")
    assert {key: line[key] for key in ("level", "logger", "message", "collector", "runs")} == {
        "level": "warning", "logger": "agent.x", "message": "collector failed", "collector": "cpu", "runs": 3,
    }  # fmt: skip


def test_a_terminal_gets_text():
    stream = Terminal()
    configure_logging("info", stream)
    logging.getLogger("agent.x").info("started", extra={"port": 9753})
    assert stream.getvalue().rstrip().endswith("info started port=9753")


def test_levels_below_the_configured_one_are_not_written():
    stream = io.StringIO()
    configure_logging("warning", stream)
    logging.getLogger("agent.x").info("quiet")
    assert stream.getvalue() == ""


def test_an_expected_absence_is_written_once():
    stream = io.StringIO()
    configure_logging("info", stream)
    for _ in range(3):
        logging.getLogger("agent.x").info("no PSI", extra={"once": "psi"})
    logging.getLogger("agent.y").info("no PSI", extra={"once": "psi"})
    assert len(stream.getvalue().splitlines()) == 2


def test_secrets_line_breaks_and_control_characters_do_not_get_out():
    stream = io.StringIO()
    configure_logging("info", stream)
    logging.getLogger("agent.x").error(
        "failed: Authorization: Bearer abcdef123456\nsecond\x1b[31m", extra={"command": "serve --api-key=hunter2"}
    )
    text = stream.getvalue()
    assert "abcdef123456" not in text
    assert "hunter2" not in text
    assert len(text.splitlines()) == 1
    assert "\\u001b" not in text


def test_an_exception_is_named_with_its_place_in_one_line():
    stream = io.StringIO()
    configure_logging("info", stream)
    try:
        raise ValueError("a\nb")
    except ValueError:
        logging.getLogger("agent.x").exception("failed")
    line = json.loads(stream.getvalue())
    assert line["error"] == "ValueError: a b"
    assert "test_logs.py:" in line["where"]
