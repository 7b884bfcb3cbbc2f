"""Does the map show where threads may run, where they ran, where they are in each other's way, and what left its mask?"""

import msgspec
import pytest

from advisor.documents import CoreStatus, ThreadStatus
from tests.snapshots import example_snapshot, example_threads
from tui import affinity
from tui.affinity import CpuColumns, cpu_columns, crowded_cpus, marks, sharing
from tui.worker_threads import LEFT, thread_map

ONLINE = frozenset(range(4))
FLAT = CpuColumns((0, 1, 2, 3), ("", "", "", ""), (0, 0, 0, 0))


def thread(
    allowed: str | None, seen: dict[int, float] | None = None, used: float | None = 0.9, waiting: float = 0.0,
    last: int | None = None,
) -> ThreadStatus:  # fmt: skip
    return ThreadStatus(
        tid=1, name="omp", thread_class="compute", state="R", cores_used=used, waiting_cores=waiting, last_cpu=last,
        allowed_cpus=allowed, cpus_seen=tuple((seen or {}).items()),
    )  # fmt: skip


def cores(cpus: int, nodes: int = 1, smt: bool = False) -> tuple[CoreStatus, ...]:
    half = cpus // 2
    return tuple(
        CoreStatus(
            cpu=cpu, node=(cpu % half if smt else cpu) // max(1, (half if smt else cpus) // nodes),
            sibling_of=cpu % half if smt else cpu, busy_ratio=0.5, steal_ratio=0.0, iowait_ratio=0.0,
        )
        for cpu in range(cpus)
    )  # fmt: skip


def drawn(one: ThreadStatus, *others: ThreadStatus) -> str:
    crowded = crowded_cpus([one, *others], ONLINE)
    return "".join(sign for sign, _ in marks(one, FLAT, crowded, ONLINE))


def test_allowed_ran_and_forbidden_cpus_are_other_characters() -> None:
    assert drawn(thread("0-2", {0: 0.05, 1: 0.95})) == "▁█· "
    assert drawn(thread("0-3")) == "····"


def test_what_ran_outside_its_mask_is_told_whatever_its_share() -> None:
    assert drawn(thread("0-1", {1: 0.99, 3: 0.01})) == "·█ !"
    assert drawn(thread("0", None, used=0.4, last=2)) == "· ! "


def test_where_nobody_knows_the_mask_nothing_is_forbidden() -> None:
    assert drawn(thread(None, {2: 1.0})) == "??█?"
    assert drawn(thread("garbage", {2: 1.0})) == "??█?"


def test_pinned_threads_that_want_more_than_their_cpu_has_are_marked_there_alone() -> None:
    first, second = thread("1", {1: 1.0}, used=0.5, waiting=0.45), thread("1-2", {2: 1.0}, used=0.9)
    assert crowded_cpus([first, second], ONLINE) == {1}
    assert drawn(first, second) == " X  "
    assert drawn(second, first) == " x█ "


def test_two_threads_that_share_two_cpus_are_in_nobodys_way_and_three_are() -> None:
    one = thread("0-1", {0: 1.0}, used=1.0)
    assert crowded_cpus([one, one], ONLINE) == frozenset()
    assert crowded_cpus([one, one, one], ONLINE) == {0, 1}


def test_threads_that_may_run_everywhere_and_parked_ones_crowd_nobody() -> None:
    free, parked = thread("0-3", {1: 1.0}, used=1.0), thread("1", used=0.01)
    pinned = thread("1", {1: 1.0}, used=1.0)
    assert crowded_cpus([free, free, parked, parked, pinned], ONLINE) == frozenset()
    assert drawn(free, pinned, pinned) == "·█··"
    assert drawn(parked, pinned, pinned) == " ·  "


def test_siblings_stand_together_and_nodes_apart() -> None:
    columns = cpu_columns(cores(8, nodes=2, smt=True), (), 80)
    assert columns.cpus == (0, 4, 1, 5, 2, 6, 3, 7)
    assert columns.gaps == ("", "", " ", "", "│", "", " ", "")
    assert [line.plain for line in columns.header(0, 80)] == ["node │node ", "04 15│26 37"]
    tight = cpu_columns(cores(8, nodes=2, smt=True), (), 8)
    assert tight.gaps == ("", "", "", "", "│", "", "", "")


def test_long_numbers_are_read_downwards_and_a_node_keeps_its_name_when_moved() -> None:
    columns = cpu_columns(cores(128, nodes=2), (), 60)
    rows = [line.plain for line in columns.header(100, 20)]
    assert rows[0] == "node 1".ljust(20)
    assert [row[:3] for row in rows[1:]] == [" 11", "900", "901"]


def test_without_cores_the_columns_are_those_of_the_masks() -> None:
    assert cpu_columns((), [thread("2-3")], 80).cpus == (0, 2, 3)


@pytest.mark.parametrize("width", [46, 70, 78, 118])
@pytest.mark.parametrize("cpus", [1, 4, 64, 128, 256])
def test_no_line_is_wider_than_the_page_and_a_wide_map_can_be_moved_to_its_end(cpus: int, width: int) -> None:
    example = example_snapshot()
    found = thread_map(example.workers[1], example_threads(101), cores(cpus, nodes=2, smt=cpus > 1), (), width)
    moved = found.moved(10_000)
    for one in (found, moved):
        lines = [*one.header(), *(one.line(index) for index in range(4))]
        assert max(line.rstrip().cell_length for line in lines[:-4]) <= width
        assert max(LEFT + one.room, 0) <= width
    assert moved.start + moved.room == moved.columns.width


def test_the_example_shows_both_workers_in_each_others_way() -> None:
    example = example_snapshot()
    found = thread_map(example.workers[1], example_threads(101), example.node.cores, example.workers, 78)
    assert found.line(0).plain == "    101 main     0.48    0.47    0 XX    gunicorn"
    assert found.line(2).plain == "   2101 io       0.00    0.00    0 ··    grpc_global_tim"
    alone = thread_map(example.workers[1], None, example.node.cores, example.workers[:2], 78)
    assert [one.tid for one in alone.threads] == [101, 1101]
    assert alone.above()[0].plain == "threads · 2 of 4, the busiest"
    assert alone.line(0).plain[LEFT : LEFT + 2] == "▇▃"


def test_processes_that_are_pinned_to_the_same_cpus_are_named() -> None:
    workers = example_snapshot().workers
    assert sharing(workers[1], workers, ONLINE) == [100, 102]
    assert sharing(workers[3], workers, ONLINE) == []
    broken = msgspec.structs.replace(workers[0], allowed_cpus="x")
    assert sharing(workers[1], (broken, workers[2]), ONLINE) == [102]


def test_how_busy_each_cpu_is_stands_above_and_the_unknown_is_no_zero() -> None:
    node = example_snapshot().node
    assert "".join(sign for sign, _ in affinity.busy_marks(node.cores, FLAT)) == "██▁?"
