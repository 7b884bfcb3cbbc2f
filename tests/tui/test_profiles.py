"""Is the list what the agent keeps and what was asked for here, and is it said why it is empty?"""

from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from advisor.documents import Problem, ProfilingStatus, Snapshot
from advisor.profiling.header import header_of
from advisor.profiling.request import ProfileState
from tests.flames import AT, READY, busy, later, with_profiling
from tests.snapshots import LOADED, NOW
from tui.no_profiles import none_text, unreadable_text
from tui.profiles import Compared, One, Span, entries, unix_seconds
from tui.source import Picture


def asked(name: str, state: str, **changes: str) -> ProfileState:
    fields = {"id": name, "state": state, "target": LOADED, "at_unix_seconds": AT, "seconds": 10.0}
    return msgspec.convert(fields | changes, ProfileState)


def text_of(status: ProfilingStatus | None, *services: str) -> str:
    snapshot: Snapshot = with_profiling(status)
    return "\n".join(none_text(Picture.of(snapshot), services))


def test_what_was_asked_for_stands_first_until_it_is_kept() -> None:
    headers = (header_of(later()), header_of(busy()))
    found = entries(headers, [asked("new", "running"), asked("p2", "running"), asked("old", "done")])
    assert [(one.id, one.state) for one in found] == [
        ("old", "done"),
        ("new", "running"),
        ("p2", "done"),
        ("p1", "done"),
    ]
    assert (found[1].service, found[1].pid, found[1].samples) == (LOADED, 0, None)
    assert (found[3].samples, found[3].pid) == (header_of(busy()).samples, 101)


def test_a_failed_one_keeps_its_reason_and_hint_and_a_pid_is_no_service() -> None:
    (one,) = entries((), [asked("x", "failed", target="812", reason="no permission", hint="grant CAP_SYS_PTRACE")])
    assert (one.service, one.pid, one.reason, one.hint) == ("", 812, "no permission", "grant CAP_SYS_PTRACE")


def test_no_profiles_is_told_with_its_reason() -> None:
    assert "switched off" in text_of(msgspec.structs.replace(READY, state="off"), LOADED)
    assert "Press t" not in text_of(msgspec.structs.replace(READY, state="off"), LOADED)
    ready = text_of(READY, LOADED)
    assert "rule has a suspicion" in ready
    assert "Press t" in ready
    assert "No model server runs" in text_of(READY)
    assert "without its sidecar" in text_of(None, LOADED)


def test_what_hinders_the_profiler_is_told_as_the_agent_says_it() -> None:
    problem = "py-spy is not installed (pip install 'nodewright[profile]')"
    failing = msgspec.structs.replace(READY, failed=3, problem=problem)
    assert f"3 profiles could not be taken. The last: {problem}." in text_of(failing, LOADED)
    resting = msgspec.structs.replace(READY, resting={LOADED: "it got slower"})
    assert f"{LOADED} is left alone for now: it got slower." in text_of(resting, LOADED)


def test_a_list_that_cannot_be_had_is_told_apart_from_an_agent_without_one() -> None:
    assert unreadable_text(Problem("path.unknown", "a", "b"))[0] == "This agent gives no profiles"
    assert unreadable_text(Problem("x", "disk is gone", "look"))[1:] == ("Reason: disk is gone.", "What helps: look")


def test_instants_are_read_with_and_without_zone() -> None:
    assert unix_seconds(NOW) == AT
    assert unix_seconds("2026-11-20T10:00:00") == AT
    assert unix_seconds("soon") == 0.0


@pytest.mark.parametrize("service", [LOADED, "a&b=c d", "名/前:80"])
def test_questions_name_spans_and_ids_so_that_the_agent_understands_them(service: str) -> None:
    span = Span(service, AT - 900, AT)
    assert parse_qs(urlsplit(span.query).query) == {
        "service": [service], "start": [f"{AT - 900:.3f}"], "end": [f"{AT:.3f}"],
    }  # fmt: skip
    assert span.before == Span(service, AT - 1800, AT - 900)
    asked_for = parse_qs(urlsplit(Compared(span.before, span).query("gil")).query)
    assert (asked_for["service"], asked_for["side"]) == ([service], ["gil"])
    assert asked_for["base_end"] == asked_for["other_start"]
    assert Compared(One("a"), One("b")).query(None) == "profiles/diff?base=a&other=b"
    assert One("a").query == "profiles/a"
