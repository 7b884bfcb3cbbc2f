"""Copies between the host and a GPU that take the time: recorded on real cards, and built."""

import msgspec
import pytest

from advisor.catalogue import all_rules
from advisor.engine import Engine
from advisor.facts import ServiceFacts
from advisor.finding import Need
from advisor.rules.pcie_bound import PcieBound
from advisor.view import View
from collectors.levers import Lever
from tests.advisor import built
from tests.advisor.built import concluded, gains, numbers, verdict
from tests.advisor.gpu_services import SYNC, looked_into, on_gpu, with_profiles, with_settings
from tests.advisor.gpus_built import GIB, hidden, on_gpus, process
from tests.advisor.gpus_recorded import recorded_gpu, recorded_profile

RULE = PcieBound()
LINK = 3.938e9 * 16 * 0.9
COPIES = [("cuMemcpyHtoDAsync_v2 (libcuda.so.580.159.04)", 0.9, "cuda-sync")]


def recorded(card: str, phase: str, profile: str) -> tuple[View, ServiceFacts]:
    seen = on_gpu(1.0, cores=16)
    view = on_gpus(seen, recorded_gpu(card, phase, [process(seen.workers[0], 2 * GIB)]))
    return view, with_profiles(view, recorded_profile(profile, 101))


FLAT = tuple((10.0 * (2 - n), 6 * GIB) for n in range(3))
"""Memory in use that stays as it is."""


def copying(share: float = 0.7, **known) -> View:
    """A GPU whose link carries that share of what it can, to it."""
    fields = {"pcie_rx_bytes_per_second": share * LINK, "pcie_tx_bytes_per_second": 1e9, "memory_seen": FLAT}
    return on_gpu(**{**fields, **known})


def plain(seen: View) -> ServiceFacts:
    return built.facts(seen, environ={})


@pytest.mark.parametrize(
    ("card", "phase", "sent"), [("h100", "pinned", 0), ("h200", "pinned", 0), ("h100", "to_host_pinned", 59.6e9)]
)
def test_recorded_copies_of_pinned_memory_fill_the_link(card: str, phase: str, sent: float) -> None:
    seen, facts = recorded(card, phase, "pinned.chained")
    found = concluded(RULE, seen, facts)
    assert found.title.startswith("Copies fill 100% of the link")
    shown = numbers(found)
    assert shown["gpu_pcie_link"] == pytest.approx(56.7e9, rel=0.01)
    assert max(shown["gpu_pcie_received"], shown["gpu_pcie_sent"]) == pytest.approx(59e9, rel=0.02)
    assert shown["gpu_pcie_sent"] == pytest.approx(sent, rel=0.01) or not sent
    assert gains(found)["throughput_ratio"] == (1.0, 1.5, 2.0)


@pytest.mark.parametrize(("card", "link", "seconds"), [("h100", 0.176, 10.0e9), ("h200", 0.145, 8.2e9)])
def test_recorded_copies_of_pageable_memory_take_the_time_and_little_of_the_link(
    card: str, link: float, seconds: float
) -> None:
    found = concluded(RULE, *recorded(card, "pageable", "pageable.chained"))
    shown = numbers(found)
    assert shown["gpu_link_share"] == pytest.approx(link, abs=0.003)
    assert shown["gpu_pcie_received"] == pytest.approx(seconds, rel=0.02)
    assert shown["copy_share"] == pytest.approx(1.0, abs=0.01)
    assert "pageable" in found.summary
    low, likely, high = gains(found)["throughput_ratio"]
    assert (low, likely, high) == (1.0, pytest.approx((1 + 1 / link) / 2, rel=0.03), pytest.approx(1 / link, rel=0.03))
    pinned = recorded_gpu(card, "pinned").pcie_rx_bytes_per_second or 0.0
    assert (
        low < pinned / shown["gpu_pcie_received"] < 1.1 * high
    )  # as many times faster the same bytes were from pinned memory


@pytest.mark.parametrize(
    ("phase", "profile"),
    [("sync", "sync.chained"), ("graph", "graph.chained"), ("launch", "launch"), ("alloc", "alloc.chained"),
     ("serve", "serve")],
)  # fmt: skip
def test_recorded_loads_that_copy_little(phase: str, profile: str) -> None:
    """In `graph` 93 % of the CPU time is in cuMemcpyDtoHAsync, which waits for the kernels before it."""
    assert verdict(RULE, *recorded("h100", phase, profile)) is None


def test_a_full_link_needs_no_profile_where_the_service_is_alone_on_the_device() -> None:
    seen = copying(0.7)
    found = concluded(RULE, seen, plain(seen))
    assert numbers(found)["gpu_link_share"] == pytest.approx(0.7)
    assert found.confidence == 0.8
    low, likely, high = gains(found)["throughput_ratio"]
    assert (low, high) == (1.0, pytest.approx(1 / 0.65, abs=1e-3))  # half as many bytes; overlap alone gives 1 / 0.7
    assert likely == pytest.approx((1 + high) / 2, abs=1e-3)
    assert found.changes == ()


def test_what_just_misses() -> None:
    assert verdict(RULE, copying(0.59), looked_into(copying(0.59), SYNC)) is None
    assert verdict(RULE, copying(0.59), looked_into(copying(0.59), SYNC), standing=True) is not None
    assert verdict(RULE, copying(0.038), looked_into(copying(0.038), SYNC, hot=COPIES)) is None
    assert verdict(RULE, copying(0.042), looked_into(copying(0.042), SYNC, hot=COPIES)) is not None
    assert verdict(RULE, copying(0.038), looked_into(copying(0.038), SYNC, hot=COPIES), standing=True) is not None
    few = [(COPIES[0][0], 0.45, "cuda-sync")]
    assert verdict(RULE, copying(0.3), looked_into(copying(0.3), SYNC, hot=few)) is None
    assert verdict(RULE, copying(0.3), looked_into(copying(0.3), SYNC, hot=COPIES)) is not None


def test_of_a_fast_link_copies_from_pageable_memory_use_hardly_anything() -> None:
    """As recorded of 64 MiB a request on an H100 (generation 5): pinned memory made it 6.1 and 7.1 times as fast."""
    seen = copying(0.0858, used=0.99)
    found = concluded(RULE, seen, looked_into(seen, {"cuda-sync": 0.921}, hot=[(COPIES[0][0], 0.915, "cuda-sync")]))
    shown = numbers(found)
    assert shown["copied_bytes"] == pytest.approx(0.0858 * LINK / (0.915 * 0.99), rel=0.02)
    low, likely, high = gains(found)["throughput_ratio"]
    assert (low, likely) == (1.0, pytest.approx((1 + high) / 2, rel=1e-2))
    assert 6.1 < high < 8.5


def test_copies_beside_a_worker_that_is_not_saturated_are_not_judged() -> None:
    idle = copying(0.3, used=0.4)
    assert verdict(RULE, idle, looked_into(idle, SYNC, hot=COPIES)) is None


def test_a_model_that_is_loaded_fills_the_link_too() -> None:
    seen = copying(0.7)
    came = 0.7 * LINK * 15
    grew = tuple((10.0 * (2 - n), round(GIB + n * came / 2 * 0.3)) for n in range(3))
    loading = on_gpus(seen, msgspec.structs.replace(seen.gpus[0].gpu, memory_seen=grew))
    assert verdict(RULE, loading, plain(loading)) is None
    still = on_gpus(seen, msgspec.structs.replace(seen.gpus[0].gpu, memory_seen=tuple((s, GIB) for s, _ in grew)))
    listed = {r.cause: r.because for r in concluded(RULE, still, plain(still)).rejected}
    assert listed["model-load"] == "its memory grew by 0% of what came in"


@pytest.mark.parametrize("seen_memory", [(), FLAT[-1:]])
def test_without_the_growth_of_its_memory_a_profile_has_to_show_copies(
    seen_memory: tuple[tuple[float, int], ...],
) -> None:
    seen = copying(0.7, memory_seen=seen_memory)
    need = verdict(RULE, seen, plain(seen))
    assert isinstance(need, Need)
    assert need.kind == "profile"
    assert verdict(RULE, seen, looked_into(seen, {"kernel": 1.0})) is None
    found = concluded(RULE, seen, looked_into(seen, SYNC))
    assert {r.cause: r.because for r in found.rejected}["model-load"] == "growth of its memory is not known"


def test_what_only_leaves_the_device_is_no_model_that_is_loaded() -> None:
    seen = copying(0.0, pcie_tx_bytes_per_second=0.7 * LINK, memory_seen=())
    assert concluded(RULE, seen, plain(seen)).confidence == 0.8


def test_copies_without_any_request_are_not_for_one() -> None:
    seen = msgspec.structs.replace(copying(0.7), requests_per_second=0.0)
    assert verdict(RULE, seen, plain(seen)) is None
    asked = msgspec.structs.replace(seen, requests_per_second=0.5)
    assert verdict(RULE, asked, plain(asked)) is not None


def on_two(share: float, back: float, *, one_process: bool = False, **known) -> View:
    """Two GPUs that hold a model together, or a process with both of them."""
    seen = copying(share, workers=2, pcie_tx_bytes_per_second=back * LINK, **known)
    gpu, (first, second) = seen.gpus[0].gpu, seen.gpus[0].own
    pairs = [(first, "GPU-1"), (first if one_process else second, "GPU-2")]
    return on_gpus(seen, *(msgspec.structs.replace(gpu, uuid=uuid, processes=(p,)) for p, uuid in pairs))


@pytest.mark.parametrize(
    ("parallel", "one_process"),
    [
        ({"tensor_parallel": 2}, False),
        ({"pipeline_parallel": 2}, False),
        ({"tensor_parallel": None}, False),
        ({}, True),
    ],
)
def test_traffic_between_the_gpus_of_one_model_is_no_copy_of_the_host(parallel: dict, one_process: bool) -> None:
    seen = on_two(0.7, 0.69, one_process=one_process)
    facts = with_settings(plain(seen), {Lever(name): value for name, value in parallel.items()})
    need = verdict(RULE, seen, facts)
    assert isinstance(need, Need)
    assert need.kind == "profile"
    assert "traffic between its 2 GPUs counts too" in need.text
    assert "NVLink" in need.text
    busy = with_settings(looked_into(seen, SYNC), {Lever(name): value for name, value in parallel.items()})
    assert verdict(RULE, seen, busy).kind == "metrics"


def test_copies_of_the_host_are_told_from_those_between_gpus_by_their_names() -> None:
    split = {Lever.TENSOR_PARALLEL: 2}
    seen = on_two(0.7, 0.69)
    named = with_settings(looked_into(seen, SYNC, hot=COPIES), split)
    assert concluded(RULE, seen, named).title.startswith("Copies fill 70%")
    for other in ("cuMemcpyDtoHAsync_v2 (libcuda)", "cuMemcpyPeerAsync (libcuda)", "cuMemcpyDtoDAsync_v2 (libcuda)"):
        waits = with_settings(looked_into(seen, SYNC, hot=[(other, 0.9, "cuda-sync")]), split)
        assert isinstance(verdict(RULE, seen, waits), Need)
    away = on_two(0.1, 0.7)
    waits = with_settings(looked_into(away, SYNC, hot=[("cuMemcpyDtoHAsync_v2 (libcuda)", 0.9, "cuda-sync")]), split)
    assert verdict(RULE, away, waits) is not None


def test_beside_little_traffic_of_one_model_only_copies_of_the_host_count() -> None:
    split = {Lever.TENSOR_PARALLEL: 2}
    seen = on_two(0.2, 0.2)
    waits = [("cuMemcpyDtoHAsync_v2 (libcuda)", 0.9, "cuda-sync")]
    assert verdict(RULE, seen, with_settings(looked_into(seen, SYNC, hot=waits), split)) is None
    assert verdict(RULE, seen, with_settings(looked_into(seen, SYNC, hot=COPIES), split)) is not None


def test_workers_with_a_gpu_each_send_nothing_to_each_other() -> None:
    seen = on_two(0.7, 0.69)
    assert verdict(RULE, seen, plain(seen)) is not None
    assert verdict(RULE, seen, with_settings(plain(seen), {Lever.TENSOR_PARALLEL: 1})) is not None


def test_a_slow_link_is_one_whatever_goes_over_it() -> None:
    seen = on_two(0.2, 0.2, pcie_width=8)
    found = concluded(RULE, seen, with_settings(plain(seen), {Lever.TENSOR_PARALLEL: 2}))
    assert "generation 5 x8" in found.title


@pytest.mark.parametrize(("generation", "width", "slower"), [(5, 8, 0.5), (4, 16, 0.5), (3, 8, 0.125)])
def test_a_link_below_its_best_bounds_the_gain(generation: int, width: int, slower: float) -> None:
    link = {5: 3.938e9, 4: 1.969e9, 3: 0.985e9}[generation] * width * 0.9
    seen = copying(0.4 * link / LINK, pcie_generation=generation, pcie_width=width)
    found = concluded(RULE, seen, plain(seen))
    assert f"generation {generation} x{width}" in found.title
    shown = numbers(found)
    assert shown["gpu_pcie_link_of_best"] == pytest.approx(slower, abs=1e-3)
    assert gains(found)["throughput_ratio"][2] == pytest.approx(1 / (1 - 0.4 * (1 - slower)), abs=2e-3)
    little = copying(0.29 * link / LINK, pcie_tx_bytes_per_second=0.0, pcie_generation=generation, pcie_width=width)
    assert verdict(RULE, little, looked_into(little, SYNC)) is None


def test_sampled_traffic_wants_a_second_witness_and_is_less_sure() -> None:
    seen = copying(0.7, pcie_sampled=True)
    need = verdict(RULE, seen, plain(seen))
    assert isinstance(need, Need)
    assert (need.kind, "copies" in need.text) == ("profile", True)
    assert verdict(RULE, seen, looked_into(seen, {"kernel": 1.0})) is None
    found = concluded(RULE, seen, looked_into(seen, SYNC))
    assert found.confidence == pytest.approx(0.56)
    assert "sampled for 20 ms" in found.summary


def test_on_a_shared_device_only_copies_of_its_own_count() -> None:
    seen = copying(0.7)
    (mine,) = (p for one in seen.gpus for p in one.own)
    shared = on_gpus(seen, msgspec.structs.replace(seen.gpus[0].gpu, processes=(mine, hidden(7, GIB))))
    assert isinstance(verdict(RULE, shared, plain(shared)), Need)
    assert verdict(RULE, shared, looked_into(shared, SYNC)) is None  # it waits, but for whose copies?
    found = concluded(RULE, shared, looked_into(shared, SYNC, hot=COPIES))
    assert "Others use the device too" in found.summary
    assert found.confidence == pytest.approx(0.64)


def test_without_readings_it_says_nothing() -> None:
    for known in ({"pcie_generation": None}, {"pcie_width": None}):
        assert verdict(RULE, copying(0.7, **known), plain(copying())) is None
    silent = on_gpu()
    assert verdict(RULE, silent, looked_into(silent, SYNC, hot=COPIES)) is None


def test_a_profile_is_asked_for_where_a_saturated_worker_copies_beside_an_empty_link() -> None:
    seen = copying(0.2)
    need = verdict(RULE, seen, plain(seen))
    assert isinstance(need, Need)
    assert need.kind == "profile"
    idle = copying(0.2, used=0.4)
    assert verdict(RULE, idle, plain(idle)) is None


@pytest.mark.parametrize(("phase", "profile"), [("pinned", "pinned.chained"), ("pageable", "pageable.chained")])
def test_it_is_the_root_cause_on_the_recorded_hosts(phase: str, profile: str) -> None:
    found = Engine(all_rules()).judge(*recorded("h100", phase, profile))
    assert [j.rule for j in found.judged if j.cause is None] == ["pcie-bound"]
    assert found.broken == ()
