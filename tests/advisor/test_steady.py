"""A service that does what it did is not judged anew; one of which anything has moved is."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from advisor.engine import Judgement
from advisor.gist import Gist, gist_of
from advisor.history import History
from advisor.serving_rates import ServingRates
from advisor.steady import LONGEST_SECONDS, Steady
from advisor.tracks import Tracks
from collectors.entities import Role
from collectors.reading import Instant, Ok, Reading
from collectors.sources.connections import ConnectionsSample
from collectors.sources.memory import MemorySample
from tests.advisor.built import fighting_pools
from tests.advisor.test_history import SECOND, Node

VIEW = fighting_pools()
SERVICE = VIEW.service
JUDGEMENT = Judgement((), ())
GIST = Gist((1.0, 0.5, 100.0), (15, True), ())


def at(seconds: float) -> Instant:
    return Instant(int(seconds * 1e9), int(seconds * 1e9))


def carried(now: Gist | None, seconds: float = 2.0) -> bool:
    steady = Steady()
    steady.keep(SERVICE, GIST, VIEW, JUDGEMENT, at(0))
    return steady.carried(SERVICE, now, at(seconds)) is not None


def test_noise_is_carried_on_and_what_moves_is_not():
    assert carried(GIST)
    assert carried(replace(GIST, numbers=(1.03, 0.515, 97.0)))
    assert not carried(replace(GIST, numbers=(1.06, 0.5, 100.0)))
    assert not carried(replace(GIST, exact=(14, True)))
    assert not carried(None)


def test_it_is_not_carried_on_for_long_nor_back_in_time():
    held = [carried(GIST, seconds / 10) for seconds in range(int(20 * LONGEST_SECONDS))]
    assert held[0]
    assert sum(held) <= 10 * LONGEST_SECONDS
    assert not any(held[held.index(False) :])
    assert not carried(GIST, -1)


def test_services_are_due_one_after_the_other():
    """Of passes every five seconds, and 60 services that were judged in the first one."""
    services = [replace(SERVICE, id=f"s{number}") for number in range(60)]
    steady, due = Steady(), []
    for service in services:
        steady.keep(service, GIST, VIEW, JUDGEMENT, at(0))
    for seconds in range(5, int(LONGEST_SECONDS) + 1, 5):
        late = [service for service in services if steady.carried(service, GIST, at(seconds)) is None]
        due.append(len(late))
        for service in late:
            steady.keep(service, GIST, VIEW, JUDGEMENT, at(seconds))
    assert sum(due) == 60
    assert max(due) <= 20


def test_other_facts_or_profiles_are_other_objects():
    first, second = object(), object()
    steady = Steady()
    steady.keep(SERVICE, replace(GIST, same=(first, None)), VIEW, JUDGEMENT, at(0))
    assert steady.carried(SERVICE, replace(GIST, same=(first, None)), at(2)) == (VIEW, JUDGEMENT)
    assert steady.carried(SERVICE, replace(GIST, same=(second, None)), at(2)) is None


def gist(node: Node) -> Gist:
    found = gist_of(node.history.tracks, node.service, 15, (), ())
    assert found is not None
    return found


def test_the_gist_follows_cores_waiting_queue_and_throttling():
    node = Node()
    for _ in range(20):
        node.second(0.4, 0.1)
    before = gist(node)
    for _ in range(15):
        node.second(0.4, 0.1)
    assert gist(node) == before
    for _ in range(20):
        node.second(0.8, 0.5, queue=3)
    moved = gist(node)
    assert moved.numbers[:2] == pytest.approx((1.6, 1.0))
    assert moved.numbers[4] == 3.0


def test_a_mask_that_changes_is_seen_at_once():
    node = Node()
    for _ in range(20):
        node.second(0.4)
    before = gist(node).exact
    track = next(iter(node.history.tracks.threads.values()))
    track.sample = replace(track.sample, allowed_cpus="0")
    node.second(0.4)
    assert gist(node).exact != before


def test_of_a_service_that_was_never_seen_there_is_no_gist():
    assert gist_of(History().tracks, SERVICE, 15, (), ()) is None


def play(node: Node) -> None:
    for _ in range(20):
        node.second(0.4, 0.1)


def tracks_of(node: Node) -> Tracks:
    tracks = node.history.tracks
    tracks.node_sums = None
    return tracks


def of_cgroup(**other: object) -> Callable[[Node], None]:
    def change(node: Node) -> None:
        cgroups = tracks_of(node).cgroups
        (entity,) = cgroups
        cgroups[entity] = replace(cgroups[entity], **other)

    return change


def of_page(**said: float) -> Callable[[Node], None]:
    def change(node: Node) -> None:
        track = tracks_of(node).services["service:s1"]
        track.serving, track.rates = (node.history.tracks.now, None), ServingRates(**said)

    return change


def of_node(**growth: object) -> Callable[[Node], None]:
    def change(node: Node) -> None:
        for _, tick in tracks_of(node).node_ticks:
            for name, value in growth.items():
                setattr(tick, name, value)

    return change


def scarce(node: Node) -> None:
    tracks_of(node).memory = MemorySample(
        entity="node", total_kib=100, available_kib=20, free_kib=0, cached_kib=0, swap_total_kib=0, swap_free_kib=0
    )


def uneven(node: Node) -> None:
    """What the two workers do is as much as before, by one of them."""
    first, second = node.keys
    for _ in range(20):
        node.run[first] += 4 * SECOND // 10
        node.run[second] -= 4 * SECOND // 10
        node.second(0.4, 0.1)


def switching(node: Node) -> None:
    node.often = 9000
    play(node)


def stolen(node: Node) -> None:
    for tick, cores in tracks_of(node).core_ticks.items():
        for cpu, (busy, _) in cores.items():
            cores[cpu] = (busy, 0.2 * tick)


def connecting(node: Node) -> None:
    for _ in range(20):
        opened = ConnectionsSample(
            entity="listen:8000",
            established=4,
            opened=50 * node.now,
            received_bytes=0,
            sent_bytes=0,
            received_segments=0,
        )
        at = Instant((node.now + 1) * SECOND, 0)
        node.history.add(
            Reading(collector="connections", at=at, duration_ns=0, cpu_ns=0, late_ns=0, outcome=Ok((opened,)))
        )
        node.second(0.4, 0.1)


def model(node: Node) -> None:
    tracks_of(node).services["service:s1"].models["m"] = (0.0, None, ServingRates(requests_per_second=5.0))


CHANGES = {
    "period of the quota": of_cgroup(period_us=50_000),
    "weight": of_cgroup(weight=10),
    "charged memory": of_cgroup(memory_current_bytes=5 << 30),
    "errors": of_page(errors_per_second=3.0),
    "median": of_page(latency_p50_seconds=0.3),
    "tokens": of_page(tokens_out_per_second=40.0),
    "time between tokens": of_page(inter_token_seconds=0.1),
    "cache": of_page(kv_cache_ratio=0.97),
    "preemptions": of_page(preemptions_per_second=0.5),
    "queue inside": of_page(server_queue=4.0),
    "loads": of_page(model_loads_per_second=0.2),
    "stalls": of_node(stalled={"memory": (0.3, 0.1)}),
    "kills": of_node(oom_kills=1),
    "swapping": of_node(swap_in_pages=500),
    "faults": of_node(major_faults=50),
    "scarce memory": scarce,
    "one worker of two": uneven,
    "switches": switching,
    "stolen time": stolen,
    "connections": connecting,
    "a model": model,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_whatever_a_rule_reads_moves_the_gist(change):
    node, steady = Node(), Steady()
    play(node)
    before = gist(node)
    steady.keep(SERVICE, before, VIEW, JUDGEMENT, at(0))
    assert steady.carried(SERVICE, gist(node), at(2)) is not None
    change(node)
    assert steady.carried(SERVICE, gist(node), at(2)) is None


def test_a_service_that_runs_no_model_is_judged_by_its_neighbours_each_time():
    node = Node()
    play(node)
    gateway = replace(node.service, workers=tuple(replace(w, role=Role.SUPPORT) for w in node.service.workers))
    assert gist_of(node.history.tracks, gateway, 15, (), ()) is None
