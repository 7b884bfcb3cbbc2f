"""Are minute rows and documents kept, over restarts too?"""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from advisor.documents import FindingEvent
from advisor.finding import Acknowledgement, Severity
from agent.store.documents import StoredEvent
from agent.store.reader import StoreReader
from agent.store.retention import Retention
from agent.store.schema import STATE, apply
from agent.store.writer import Writer
from collectors.gpu.samples import GpuHealthSample, nothing_known
from tests.agent.store.builders import NOON, FakeClock, core, reading
from tests.agent.store.conftest import OpenStore
from tests.snapshots import example_findings


def ask(path: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def record(state: Path, clock: FakeClock, seconds: range, per_second: int) -> None:
    """One life of the agent."""
    writer = Writer(state, Retention(), clock, {}, 1000)
    assert writer.write([reading(NOON + second, [core(second * per_second)]) for second in seconds], {})
    writer.close()
    assert writer.problem is None


def test_a_minute_row_can_be_read_in_base_units(state: Path, clock: FakeClock) -> None:
    record(state, clock, range(61), 90)
    rows = ask(
        state,
        "SELECT unix_seconds, entity, unit, mean, minimum, maximum, count FROM minutes WHERE field = 'user_ticks'",
    )
    approx = pytest.approx
    assert rows == [
        (NOON, "core:0", "seconds/s", approx(0.9), approx(0.9), approx(0.9), 59),
        (NOON + 60, "core:0", "seconds/s", approx(0.9), approx(0.9), approx(0.9), 1),
    ]


def test_a_minute_in_two_parts_is_added_up(state: Path, clock: FakeClock) -> None:
    record(state, clock, range(20), 90)
    record(state, clock, range(20, 50), 10)
    rows = ask(
        state,
        "SELECT total, count, minimum, maximum, span_ms FROM minute JOIN field f ON f.id = field WHERE f.name = 'user_ticks'",
    )
    assert rows == [(19 * 90 + 29 * 10, 48, 10_000, 90_000, 48_000)]
    shares = StoreReader(state).quantiles("core", "core:0", "user_ticks", NOON, NOON + 60, (0.3, 0.9))
    assert shares == (pytest.approx(0.1, rel=0.045), pytest.approx(0.9, rel=0.045))


def test_a_finding_is_kept_with_columns_to_search_by(state: Path, open_store: OpenStore) -> None:
    store = open_store()
    findings = example_findings()
    for finding in findings:
        store.save_document("finding", finding.id, msgspec.json.encode(finding))
    assert store.flush(10)
    first = findings[0]
    rows = ask(state, f"SELECT rule, subject_kind, subject, state, severity FROM finding WHERE id = '{first.id}'")
    assert rows == [(first.rule, first.subject.kind, first.subject.name, first.state, first.severity)]
    assert {kept.id: kept for kept in StoreReader(state).findings()} == {finding.id: finding for finding in findings}
    assert all(kept.state == "open" for kept in StoreReader(state).findings("open"))


def test_the_newest_body_of_a_document_counts(state: Path, open_store: OpenStore) -> None:
    store = open_store()
    finding = example_findings()[0]
    store.save_document("finding", finding.id, msgspec.json.encode(finding))
    store.flush(10)
    store.save_document("finding", finding.id, msgspec.json.encode(msgspec.structs.replace(finding, state="resolved")))
    store.flush(10)
    assert [kept.state for kept in StoreReader(state).findings()] == ["resolved"]


def test_an_acknowledgement_is_kept_until_it_is_forgotten(state: Path, open_store: OpenStore) -> None:
    at, until = "2026-10-31T12:00:00Z", "2026-11-07T12:00:00Z"
    accepted = Acknowledgement(state="snoozed", reason="known", owner="ada", until=until, at=at)
    store = open_store()
    store.save_document("acknowledgement", "ab12", msgspec.json.encode(accepted))
    store.flush(10)
    assert StoreReader(state).acknowledgements() == {"ab12": accepted}
    store.forget_document("acknowledgement", "ab12")
    store.flush(10)
    assert StoreReader(state).acknowledgements() == {}


def test_acknowledgements_of_a_file_of_an_older_version_are_read(state: Path, open_store: OpenStore) -> None:
    """Their state stood before the reason."""
    with closing(sqlite3.connect(state, isolation_level=None)) as connection:
        apply(connection, "state", STATE[: [name for name, _ in STATE].index("acknowledgement_state")])
        connection.executemany(
            "INSERT INTO acknowledgement VALUES (?, ?, 'token', ?, '2026-10-31T12:00:00+00:00')",
            [("a", "acknowledged: known: it is", None), ("b", "snoozed: ", "2026-11-07T12:00:00+00:00")],
        )
    open_store()
    kept = StoreReader(state).acknowledgements()
    assert [(name, one.state, one.reason, one.owner, one.until) for name, one in kept.items()] == [
        ("a", "acknowledged", "known: it is", "token", None),
        ("b", "snoozed", "", "token", "2026-11-07T12:00:00+00:00"),
    ]


def stored_event(finding: str, event: str, *services: str) -> bytes:
    return msgspec.json.encode(
        StoredEvent(
            finding=finding, event=event, rule="memory-pressure", subject="node-1", services=services, severity="high",
            title="Tasks stall", owner="ada", note="known",
        )
    )  # fmt: skip


def test_what_became_of_findings_is_read_newest_first_by_finding_service_and_time(
    state: Path, open_store: OpenStore
) -> None:
    store = open_store()
    for second, body in enumerate(
        (
            stored_event("a", "opened", "web", "batch"),
            stored_event("b", "opened", "web"),
            stored_event("a", "resolved", "web", "batch"),
            stored_event("a", "a-turn-of-a-later-version", "web"),
        )
    ):
        store.save_document("finding_event", str((NOON + second) * 1_000_000_000 + 1), body)
    assert store.flush(10)
    reader = StoreReader(state)
    assert [(one.finding, one.event) for one in reader.history()] == [
        ("a", "resolved"),
        ("b", "opened"),
        ("a", "opened"),
    ]
    assert reader.history(finding="a", end=NOON + 1) == (
        FindingEvent(
            at="2026-10-31T12:00:00Z", finding="a", event="opened", rule="memory-pressure", subject="node-1",
            severity=Severity.HIGH, title="Tasks stall", owner="ada", note="known",
        ),
    )  # fmt: skip
    assert [one.event for one in reader.history(service="batch")] == ["resolved", "opened"]
    assert [one.finding for one in reader.history(start=NOON + 0.5, end=NOON + 2)] == ["b"]
    assert [one.event for one in reader.history(finding="a", limit=2)] == ["resolved"], "one of the two is not known"


def test_one_finding_is_read_by_its_id(state: Path, open_store: OpenStore) -> None:
    store = open_store()
    finding = example_findings()[0]
    store.save_document("finding", finding.id, msgspec.json.encode(finding))
    assert store.flush(10)
    assert StoreReader(state).finding(finding.id) == finding
    assert StoreReader(state).finding("0000") is None


def test_facts_make_a_row_when_they_change(state: Path, clock: FakeClock, open_store: OpenStore) -> None:
    store = open_store()
    for offset, body in enumerate((b'{"workers":2}', b'{"workers":2}', b'{"workers":4}')):
        clock.unix_seconds = NOON + offset
        store.save_document("service_facts", "5f0c", body)
        store.flush(10)
    assert ask(state, "SELECT at, body FROM service_facts") == [(NOON, '{"workers":2}'), (NOON + 2, '{"workers":4}')]
    assert StoreReader(state).service_facts() == {"5f0c": b'{"workers":4}'}


def test_a_document_that_lacks_what_its_kind_needs_is_refused_at_once(open_store: OpenStore) -> None:
    with pytest.raises(msgspec.ValidationError, match="rule"):
        open_store().save_document("finding", "x", b"{}")


def test_a_number_that_cannot_be_stored_costs_its_own_row_and_doubles_no_other(state: Path, clock: FakeClock) -> None:
    """Drivers hand on unsigned numbers of 64 bits; the rows before such a one in a minute are stored once."""
    writer = Writer(state, Retention(), clock, {}, 1000)
    for second in range(0, 65, 5):
        energies = {"gpu:A": second * 10, "gpu:B": 2**64 - 1}
        samples = [nothing_known(GpuHealthSample, name, energy_mj=energy) for name, energy in energies.items()]
        assert writer.write([reading(NOON + second, samples, "nvidia-health")], {})
    writer.close()
    rows = ask(
        state,
        "SELECT e.key, m.total FROM minute AS m JOIN entity AS e ON e.id = m.entity JOIN field AS f ON f.id = m.field"
        " WHERE f.name = 'energy_mj' ORDER BY m.time, e.key",
    )
    assert rows[0] == ("gpu:A", 550)
    assert sum(total for name, total in rows if name == "gpu:A") == 600
