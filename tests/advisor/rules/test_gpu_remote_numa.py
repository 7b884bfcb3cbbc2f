"""Workers that run far from their GPU, and what looks like that."""

import msgspec
import pytest

from advisor.catalogue import all_rules
from advisor.engine import Engine
from advisor.finding import Need
from advisor.rules.gpu_remote_numa import GpuRemoteNuma
from advisor.view import View
from tests.advisor.built import concluded, facts, gains, numbers, quota, thread, verdict, view, worker
from tests.advisor.gpus_built import GIB, gpu, on_gpus, process

RULE = GpuRemoteNuma()
NEAR = frozenset(range(4))
LINK = 3.938e9 * 16 * 0.9


def two_nodes(seen: dict[int, float] | None = None, *, used: float = 0.8, others: float = 0.0, mask=range(8),
              **known) -> View:  # fmt: skip
    """A worker on a host of two nodes with four CPUs each; its GPU is on the first, it ran on the second."""
    one = worker(101, [thread(101, used, allowed=mask, seen=seen if seen is not None else {4: 0.5, 6: 0.5})])
    fields = {
        "numa_node": 0, "cpus": NEAR, "pcie_rx_bytes_per_second": 0.2 * LINK, "pcie_tx_bytes_per_second": 1e8,
    }  # fmt: skip
    return on_gpus(view([one], cores=8, others=others), gpu([process(one, 4 * GIB)], **{**fields, **known}))


def test_a_worker_that_ran_on_the_other_node_is_bound_to_the_gpus() -> None:
    found = concluded(RULE, two_nodes())
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [("affinity", "0-7", "0-3")]
    shown = numbers(found)
    assert shown["far_share"] == 1.0
    assert shown["gpu_pcie_traffic"] == pytest.approx(0.2 * LINK + 1e8)
    assert "node 0, CPUs 0-3" in found.summary


def test_the_gain_is_a_part_of_the_time_of_copies_only() -> None:
    low, likely, high = gains(concluded(RULE, two_nodes()))["throughput_ratio"]
    assert (low, likely, high) == (1.0, pytest.approx(1 / (1 - 0.1 * 0.2), abs=1e-3), pytest.approx(1 / 0.96, abs=1e-3))
    full = two_nodes(pcie_rx_bytes_per_second=LINK)
    assert gains(concluded(RULE, full))["throughput_ratio"][2] == pytest.approx(1 / 0.8)


def test_a_mask_that_holds_far_cpus_only_shows_the_same() -> None:
    host = msgspec.structs.replace(two_nodes(mask=(4, 5, 6, 7)), cgroup=quota(None, cpus=range(8)))
    found = concluded(RULE, host)
    assert [(c.current, c.proposed) for c in found.changes] == [("4-7", "0-3")]


@pytest.mark.parametrize("cgroup", [None, quota(2.0)])
def test_without_the_cpuset_only_cpus_of_the_present_mask_are_proposed(cgroup) -> None:
    outside = msgspec.structs.replace(two_nodes(mask=(4, 5, 6, 7)), cgroup=cgroup)
    need = verdict(RULE, outside)
    assert isinstance(need, Need)
    assert (need.kind, "CPUs 0-3" in need.text) == ("privilege", True)
    part = msgspec.structs.replace(two_nodes(mask=(2, 3, 4, 5, 6, 7)), cgroup=cgroup)
    assert [(c.current, c.proposed) for c in concluded(RULE, part).changes] == [("2-7", "2-3")]
    unread = msgspec.structs.replace(two_nodes(mask=None), cgroup=cgroup)
    assert isinstance(verdict(RULE, unread), Need)


@pytest.mark.parametrize(
    ("seen", "known"),
    [
        ({4: 0.94, 0: 0.06}, {}),  # it comes by the near node, too
        (None, {"pcie_rx_bytes_per_second": 0.5e9, "pcie_tx_bytes_per_second": 0.4e9}),
        ({0: 0.5, 1: 0.5}, {}),
        (None, {"cpus": frozenset(range(8))}),  # one node
        (None, {"cpus": None}),
        (None, {"numa_node": None}),  # a virtual machine does not say
        (None, {"cpus": frozenset({12, 13})}),  # none of them is online
        ({}, {}),
    ],
)
def test_what_just_misses_or_is_not_known(seen, known) -> None:
    assert verdict(RULE, two_nodes(seen, **known)) is None


def test_near_cpus_that_others_use_are_no_better() -> None:
    host = two_nodes()
    busy = tuple(msgspec.structs.replace(core, busy=0.9) if core.cpu in NEAR else core for core in host.cores)
    assert verdict(RULE, msgspec.structs.replace(host, cores=busy)) is None


def test_unknown_traffic_is_asked_for_where_the_workers_are_far() -> None:
    need = verdict(RULE, two_nodes(pcie_rx_bytes_per_second=None, pcie_tx_bytes_per_second=None))
    assert isinstance(need, Need)
    assert (need.kind, "PCIe traffic" in need.text) == ("metrics", True)
    near = two_nodes({0: 1.0}, pcie_rx_bytes_per_second=None, pcie_tx_bytes_per_second=None)
    assert verdict(RULE, near) is None


def test_sampled_traffic_is_less_sure_and_an_unknown_link_promises_nothing() -> None:
    assert concluded(RULE, two_nodes(pcie_sampled=True)).confidence == pytest.approx(0.525)
    assert concluded(RULE, two_nodes(pcie_generation=None)).gains == ()


def test_gpus_of_several_nodes_get_no_mask_for_the_whole_service() -> None:
    host = two_nodes()
    first = host.gpus[0].gpu
    second = msgspec.structs.replace(first, uuid="GPU-2", index=1, cpus=frozenset({4, 5, 6, 7}), numa_node=1)
    found = concluded(RULE, on_gpus(host, first, second))
    assert found.changes == ()
    assert "bind each worker to its own GPU's" in found.summary


def test_a_cpuset_without_near_cpus_leaves_nothing_to_bind_to() -> None:
    host = msgspec.structs.replace(two_nodes(), cgroup=quota(None, cpus=(4, 5, 6, 7)))
    assert verdict(RULE, host) is None


def test_it_stands_alone_on_its_host_and_is_worth_little() -> None:
    found = Engine(all_rules()).judge(two_nodes(), facts(two_nodes(), environ={}))
    assert [(j.rule, j.severity) for j in found.judged if j.conclusion.changes] == [("gpu-remote-numa", "info")]
    assert found.broken == ()


def test_look_alikes_are_listed_with_their_numbers() -> None:
    listed = {r.cause: r.because for r in concluded(RULE, two_nodes(others=0.8)).rejected}
    assert listed["single-node"] == "4 of 8 CPUs are near to the GPU"
    assert listed["pcie-bound"] == "PCIe carries 20% of what the link can"
    assert listed["cpu-noisy-neighbour"] == "others use 0.40 cores of those near to it"
