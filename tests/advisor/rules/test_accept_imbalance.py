"""R56 on built hosts: two workers on one socket, of which one has all connections."""

from collections.abc import Sequence
from math import log, sqrt

import msgspec
import pytest

from advisor.catalogue import all_rules
from advisor.engine import Engine
from advisor.facts import ServiceFacts
from advisor.finding import Need
from advisor.rules.accept_imbalance import AcceptImbalance
from advisor.view import View
from collectors.facts import Listening
from collectors.levers import Lever, Setting
from collectors.reading import Unsupported
from tests.advisor import built
from tests.advisor.built import concluded, facts, gains, numbers, quota, thread, verdict, view, worker

RULE = AcceptImbalance()


def lopsided(
    *used: float, connections: float | None = 16.0, queue: float = 0.0, cores: int = 2, masks: Sequence[int] = (0, 1)
) -> View:
    """A worker at its limit beside one that hardly has anything to do."""
    each = used or (0.97, 0.02)
    workers = [worker(101 + i, [thread(101 + i, u, 0.02, allowed=masks)]) for i, u in enumerate(each)]
    seen = view(workers, cores=cores, queue=(queue,) * 15, request_threads=4)
    return msgspec.structs.replace(seen, established=connections)


def on_sockets(seen: View, *inodes: int, limit: int | None = 1000) -> ServiceFacts:
    """Facts whose workers listen on these sockets, in order, the last one for the rest."""
    of = facts(seen, environ={})
    processes = {
        w.key: msgspec.structs.replace(
            of.processes[w.key], listening=(Listening("0.0.0.0", 8000, inodes[min(i, len(inodes) - 1)]),)
        )
        for i, w in enumerate(seen.serving)
    }
    setting = Setting(lever=Lever.MAX_REQUESTS_IN_FLIGHT, value=limit, origin="default")
    return msgspec.structs.replace(of, processes=processes, settings=(setting,) if limit else ())


def test_one_of_two_workers_with_all_connections_gets_half_of_them():
    seen = lopsided()
    found = concluded(RULE, seen, on_sockets(seen, 7))
    shown = numbers(found)
    assert shown["busy_imbalance"] == pytest.approx(0.99 / 0.515, abs=1e-4)
    assert shown["busiest_worker"] == pytest.approx(0.99)
    assert shown["idle_cores"] == pytest.approx(2 - 0.99)
    assert shown["workers_on_one_socket"] == 2
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [("max_requests_in_flight", 1000, 8)]
    assert "do not add workers" in found.title


def test_the_gain_is_bounded_by_the_busiest_workers_share_and_by_chance():
    seen = lopsided()
    low, likely, high = gains(concluded(RULE, seen, on_sockets(seen, 7)))["throughput_ratio"]
    assert high == pytest.approx(0.99 / 0.515, abs=2e-3)
    assert low == pytest.approx(high / (1 + sqrt(2 * log(2) / 8)), abs=2e-3)
    assert low < likely < high


def test_fewer_connections_fall_less_evenly():
    few, many = lopsided(connections=2.0), lopsided(connections=200.0)
    assert gains(concluded(RULE, few, on_sockets(few, 7)))["throughput_ratio"][0] == 1.0
    assert gains(concluded(RULE, many, on_sockets(many, 7)))["throughput_ratio"][0] > 1.7


def test_a_worker_with_time_left_promises_no_throughput_for_sure():
    seen = lopsided(0.86, 0.01)
    assert gains(concluded(RULE, seen, on_sockets(seen, 7)))["throughput_ratio"][0] == 1.0


def test_a_server_that_answers_what_exceeds_its_limit_with_an_error_gets_no_limit():
    seen = lopsided()
    other = msgspec.structs.replace(seen, service=msgspec.structs.replace(seen.service, framework="uvicorn"))
    found = concluded(RULE, other, on_sockets(other, 7))
    assert found.changes == ()
    assert "balancer" in found.summary


def test_two_of_four_workers_count_as_two():
    seen = lopsided(0.97, 0.95, 0.02, 0.01, cores=4, masks=range(4))
    found = concluded(RULE, seen, on_sockets(seen, 7))
    assert found.title.startswith("2 of 4 workers do ")
    assert gains(found)["throughput_ratio"][2] == pytest.approx(4 * 0.99 / (0.99 + 0.97 + 0.04 + 0.03), abs=2e-3)


def test_many_answers_in_the_window_make_it_surer_than_one_long_request_would():
    seen = lopsided()
    talking = msgspec.structs.replace(seen, requests_per_second=50.0)
    silent = concluded(RULE, seen, on_sockets(seen, 7))
    assert (silent.confidence, concluded(RULE, talking, on_sockets(talking, 7)).confidence) == (0.65, 0.8)


def test_a_client_on_the_same_cores_hides_nothing_while_most_of_a_core_idles():
    seen = lopsided()
    beside = msgspec.structs.replace(seen, cores=tuple(msgspec.structs.replace(c, busy=0.7) for c in seen.cores))
    assert beside.effective_cores < 1.6
    found = concluded(RULE, beside, on_sockets(beside, 7))
    assert numbers(found)["idle_cores"] == pytest.approx(2 - (1.4 - 0.99) - 0.99, abs=1e-4)
    assert gains(found)["throughput_ratio"][2] < 1.6


def test_an_imbalance_below_the_threshold_just_misses_and_keeps_a_standing_finding():
    seen = lopsided(0.97, 0.3)
    known = on_sockets(seen, 7)
    assert verdict(RULE, seen, known) is None
    assert verdict(RULE, seen, known, standing=True) is not None


def test_workers_whose_sockets_nobody_could_look_at_need_the_right_to():
    seen = lopsided()
    known = on_sockets(seen, 7)
    no = Unsupported("not readable", "CAP_SYS_PTRACE")
    blind = {key: msgspec.structs.replace(each, listening=no) for key, each in known.processes.items()}
    need = verdict(RULE, seen, msgspec.structs.replace(known, processes=blind))
    assert isinstance(need, Need)
    assert need.kind == "privilege"


@pytest.mark.parametrize(
    ("seen", "inodes"),
    [
        (lopsided(connections=1.0), (7,)),
        (lopsided(queue=3.0), (7,)),
        (lopsided(), (7, 8)),
        (lopsided(0.6, 0.02), (7,)),
        (lopsided(0.97, 0.02, 0.02, 0.02), (7,)),
        (lopsided(0.97), (7,)),
    ],
    ids=["one connection", "a queue", "sockets of their own", "time left", "more workers than cores", "one worker"],
)
def test_what_looks_like_it_is_not_taken_for_it(seen, inodes):
    assert verdict(RULE, seen, on_sockets(seen, *inodes)) is None


def test_workers_fed_by_a_front_end_that_listens_alone_are_not_its_case():
    assert verdict(RULE, lopsided()) is None


def test_masks_of_their_own_or_throttling_explain_it():
    pinned = view([worker(101, [thread(101, 0.97, allowed=(0,))]), worker(102, [thread(102, 0.02, allowed=(1,))])])
    assert verdict(RULE, pinned, on_sockets(pinned, 7)) is None
    throttled = msgspec.structs.replace(lopsided(), cgroup=quota(2.0, throttled=20))
    assert verdict(RULE, throttled, on_sockets(throttled, 7)) is None


def test_it_is_the_only_cause_on_its_host_among_all_rules():
    seen = lopsided()
    found = Engine(all_rules()).judge(seen, on_sockets(seen, 7))
    assert [j.rule for j in found.judged if j.cause is None] == ["accept-imbalance"]
    assert found.judged[0].severity in ("low", "medium", "high")
    assert found.broken == ()


@pytest.mark.parametrize(
    "host",
    [built.healthy, built.far_below, built.too_many_workers, built.one_saturated_worker, built.throttled_bursts,
     built.noisy_neighbour, built.narrow_mask, built.fighting_pools, built.overlapping_pins],
)  # fmt: skip
def test_look_alikes_are_not_taken_for_it(host):
    seen = host()
    assert verdict(RULE, seen, on_sockets(seen, 7)) is None


def test_a_worker_with_a_pool_of_its_own_leaves_less_room_than_its_share_says():
    """Six of eight cores are used by one worker: all together get no further than eight."""
    low = AcceptImbalance._gains(4, 8.0, 8 / 6, 4.0, 8.0, saturated=True)[0]
    assert low.p90 == pytest.approx(8 / 6, abs=0.001)
    assert low.p10 <= low.p50 <= low.p90
