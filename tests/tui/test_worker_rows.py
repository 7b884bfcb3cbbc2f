"""Which lines has the tree, in which order, and what stands in them?"""

import msgspec
import pytest

from advisor.documents import Snapshot
from advisor.finding import Subject
from tests.snapshots import HEALTHY_ID, LOADED_ID, example_snapshot, gpu_snapshot
from tui import format as fmt
from tui.source import Picture
from tui.worker_columns import AS_SENT, COLUMNS, added, header_line, order_by, row_line, shown_columns
from tui.worker_rows import Order, Row, tree

BY_NAME = {column.name: column for column in COLUMNS}


def rows(snapshot: Snapshot, column: str = AS_SENT.name, *, reverse: bool = False, **how: object) -> list[Row]:
    return tree(Picture.of(snapshot), order_by(BY_NAME[column], reverse), **how)  # type: ignore[arg-type]


def ids(found: list[Row]) -> list[str]:
    return [row.service.id[:1] if row.worker is None else str(row.worker.pid) for row in found]


def test_each_service_is_followed_by_its_processes_as_the_agent_has_them() -> None:
    assert ids(rows(example_snapshot())) == ["a", "100", "101", "102", "0", "201"]
    assert ids(rows(example_snapshot(), reverse=True)) == ["0", "201", "a", "102", "101", "100"]


def test_a_folded_service_hides_its_processes_unless_something_is_looked_for() -> None:
    folded = frozenset({LOADED_ID})
    assert ids(rows(example_snapshot(), folded=folded)) == ["a", "0", "201"]
    assert ids(rows(example_snapshot(), folded=folded, query="102")) == ["a", "102"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("GUNICORN", ["a", "100", "101", "102"]),
        ("worker gunicorn", ["a", "101", "102"]),
        ("front-end", ["a", "100", "0", "201"]),
        ("20", ["0", "201"]),
        ("iris mlserver start", ["0", "201"]),
        ("nothing like it", []),
    ],
)
def test_words_are_looked_for_in_service_command_pid_and_role(query: str, expected: list[str]) -> None:
    assert ids(rows(example_snapshot(), query=query)) == expected


def test_services_and_their_processes_are_sorted_each_among_themselves_and_the_unknown_stands_last() -> None:
    assert ids(rows(example_snapshot(), "cores")) == ["a", "101", "102", "100", "0", "201"]
    assert ids(rows(example_snapshot(), "cores", reverse=True)) == ["0", "201", "a", "100", "102", "101"]
    assert ids(rows(example_snapshot(), "waiting", reverse=True)) == ["a", "101", "102", "100", "0", "201"]
    assert ids(rows(example_snapshot(), "top finding")) == ["a", "100", "101", "102", "0", "201"]


def test_equal_lines_keep_the_agents_order_both_ways() -> None:
    keyed = Order(by=lambda row: 1.0, descending=True)
    assert ids(tree(Picture.of(example_snapshot()), keyed)) == ["a", "100", "101", "102", "0", "201"]


def test_every_number_is_that_of_the_document() -> None:
    snapshot = gpu_snapshot()
    for row in rows(snapshot):
        told = {column.name: column.text(row) for column in COLUMNS}
        one = row.service if row.worker is None else row.worker
        assert told["cores"] == fmt.cores(one.cores_used)
        assert told["waiting"] == fmt.cores(one.waiting_cores)
        assert told["memory"] == fmt.size(one.resident_bytes)
        if row.worker is not None:
            assert told["threads"] == str(row.worker.threads)
            assert told["PSS"] == fmt.size(row.worker.proportional_bytes)
            assert told["faults/s"] == fmt.number(row.worker.major_faults_per_second or 0.0)
    by_pid = {row.worker.pid: row for row in rows(snapshot) if row.worker is not None}
    assert [BY_NAME["VRAM"].text(by_pid[pid]) for pid in (100, 101, 102, 201)] == ["", "12 GiB", "9.0 GiB", "?"]
    loaded = rows(snapshot)[0]
    assert BY_NAME["threads"].text(loaded) == "12"
    assert BY_NAME["VRAM"].text(loaded) == "21 GiB"


def test_a_sum_of_which_a_part_is_not_known_is_not_known() -> None:
    assert BY_NAME["PSS"].text(rows(example_snapshot())[0]) == fmt.UNKNOWN
    assert (added([1.0, 2.0]), added([1.0, None]), added([])) == (3.0, None, None)


def test_the_finding_to_act_on_first_stands_at_its_service_and_one_of_a_process_alone_at_that() -> None:
    example = example_snapshot()
    first = example.advice.findings[0]
    of_one = msgspec.structs.replace(
        first, id="one", rank=3, title="One is stuck", subject=Subject(kind="worker", name="its own", pids=(102,))
    )
    muted = msgspec.structs.replace(first, id="muted", rank=0, title="Not now", state="snoozed")
    advice = msgspec.structs.replace(example.advice, findings=(of_one, muted, *example.advice.findings))
    found = {row.id: row.finding for row in rows(msgspec.structs.replace(example, advice=advice))}
    assert found[f"service/{LOADED_ID}"] == first
    assert found["worker/102/40102"] == of_one
    assert found["worker/101/40101"] is None
    healthy = found[f"service/{HEALTHY_ID}"]
    assert healthy is not None
    assert healthy.rule == "workers-idle-rightsizing"


@pytest.mark.parametrize("width", [20, 46, 78, 118, 158, 248])
def test_what_has_no_room_is_left_out_and_every_line_is_as_wide_as_it_may_be(width: int) -> None:
    columns = shown_columns(width, with_vram=True)
    assert columns[0][0] is AS_SENT
    found = [header_line(columns, BY_NAME["cores"], False), *(row_line(row, columns) for row in rows(gpu_snapshot()))]
    assert len({line.cell_length for line in found}) == 1
    assert found[0].cell_length <= max(width, AS_SENT.width)
    assert (width >= 118) is ("faults/s" in [column.name for column, _ in columns])


def test_without_a_gpu_there_is_no_column_for_its_memory() -> None:
    assert "VRAM" not in [column.name for column, _ in shown_columns(200, with_vram=False)]


@pytest.mark.parametrize("evil", ["\x1b[31mred\n\tx", "[bold]not markup[/]", "\u202eltr", "長" * 300, "a" * 5000])
def test_foreign_names_stay_on_their_line_and_in_their_cell(evil: str) -> None:
    example = example_snapshot()
    worker = msgspec.structs.replace(example.workers[1], command=evil, role=evil, state=evil)
    finding = msgspec.structs.replace(example.advice.findings[0], title=evil)
    service = msgspec.structs.replace(example.services[0], name=evil, state=evil)
    columns = shown_columns(118, with_vram=True)
    for row in (
        Row(id="s", service=service, finding=finding),
        Row(id="w", service=service, worker=worker, finding=finding),
    ):
        line = row_line(row, columns)
        assert line.cell_length == header_line(columns, AS_SENT, False).cell_length
        assert "\x1b" not in line.plain
        assert "\n" not in line.plain
        assert "\u202e" not in line.plain
