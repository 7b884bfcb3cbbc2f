"""Are the cores' and the node's counters of /proc/stat read as they are?"""

from pathlib import Path

from collectors.host import Host
from collectors.sources.cpu import CoreSample, CpuCollector, NodeCpuSample
from tests.hosttree import HostTree

STAT = """cpu  300 30 60 900 9 3 6 12 0 0
cpu0 100 10 20 300 3 1 2 4 0 0
cpu2 200 20 40 600 6 2 4 8 0 0
intr 99999 0 1 2 3
ctxt 41234
btime 1800000000
processes 777
procs_running 3
procs_blocked 1
softirq 5 1 1 1 1 1
"""


def test_each_core_has_its_time_by_state_under_its_own_number(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    tree.file("proc/stat", STAT)
    samples = list(CpuCollector().collect(tree.host, ()))
    assert samples == [
        CoreSample(
            entity="core:0", user_ticks=110, system_ticks=20, iowait_ticks=3, irq_ticks=3, steal_ticks=4, idle_ticks=300
        ),
        CoreSample(
            entity="core:2", user_ticks=220, system_ticks=40, iowait_ticks=6, irq_ticks=6, steal_ticks=8, idle_ticks=600
        ),
        NodeCpuSample(entity="node", forks=777, context_switches=41234, running=3, blocked=1),
    ]


def test_a_second_reading_sees_what_changed_and_a_core_that_went_offline(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    tree.file("proc/stat", STAT)
    collector = CpuCollector()
    list(collector.collect(tree.host, ()))
    tree.file("proc/stat", "cpu  1 0 0 0 0 0 0 0\ncpu0 150 10 20 350 3 1 2 4 0 0\nintr 1\nctxt 50000\nprocesses 800\n")
    core, node = collector.collect(tree.host, ())
    assert isinstance(core, CoreSample)
    assert isinstance(node, NodeCpuSample)
    assert (core.entity, core.user_ticks, core.idle_ticks) == ("core:0", 160, 350)
    assert (node.context_switches, node.forks, node.running) == (50000, 800, None)


def test_a_line_that_is_cut_short_is_left_out_and_not_read_as_zero(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    tree.file("proc/stat", "cpu  1 2 3\ncpu0 1 0 2 3 4 5 6 7\ncpu1 1 0 2")
    core, node = CpuCollector().collect(tree.host, ())
    assert core.entity == "core:0"
    assert node == NodeCpuSample(entity="node", forks=None, context_switches=None, running=None, blocked=None)


def test_this_machine_has_idle_and_busy_time() -> None:
    *cores, node = CpuCollector().collect(Host.real(), ())
    assert all(isinstance(core, CoreSample) and core.idle_ticks is not None for core in cores)
    assert isinstance(node, NodeCpuSample)
    assert node.running is not None
    assert node.running >= 1
