"""R10 on built hosts."""

import pytest
from msgspec.structs import replace

from advisor.finding import Need
from advisor.rules.affinity_cross_numa import AffinityCrossNuma
from advisor.view import View
from tests.advisor.built import (
    MIB,
    concluded,
    facts,
    gains,
    judged,
    numbers,
    quota,
    thread,
    verdict,
    view,
    worker,
)
from tests.advisor.cores_built import noded
from tests.advisor.gpus_built import GIB, gpu, on_gpus, process
from tests.advisor.trends_built import past, steady

RULE = AffinityCrossNuma()
EVERY = range(8)


def host(
    away: float = 0.5, *, threads: int = 2, workers: int = 1, resident: int = 200 * MIB, others: float = 0.0
) -> View:
    """Workers of `threads` threads that ran on CPUs 0-3 of node 0 and, for the part `away`, on CPUs 4-7 of node 1."""
    seen = {cpu: (away if cpu >= 4 else 1 - away) / 4 for cpu in EVERY}

    def one(pid: int) -> list:
        kinds = ("main", *("compute",) * (threads - 1))
        return [thread(pid + k * 10, 0.9, 0.02, kind=kind, allowed=EVERY, seen=seen) for k, kind in enumerate(kinds)]

    members = [worker(101 + k, one(101 + k), resident=resident) for k in range(workers)]
    built = view(members, cores=8, others=others, cgroup=quota(None, cpus=EVERY))
    return noded(replace(built, memory_total_bytes=16 << 30), range(4), range(4, 8))


def test_a_worker_that_fits_on_one_node_and_runs_on_two_gets_one() -> None:
    found = concluded(RULE, host())
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [
        ("affinity", "0-7", "0-3"),
        ("numa_policy", None, "0"),
    ]
    assert numbers(found)["away_share"] == pytest.approx(0.5)
    assert numbers(found)["spanning_workers"] == 1


def test_it_is_said_only_when_the_kernel_has_not_mended_it_by_itself() -> None:
    assert concluded(RULE, host()).told_after_seconds == 60


def test_the_gain_starts_at_none_and_ends_at_the_far_share() -> None:
    assert gains(concluded(RULE, host(0.4)))["throughput_ratio"] == pytest.approx((1.0, 1.2, 1.4))
    assert gains(concluded(RULE, host(0.25)))["throughput_ratio"] == pytest.approx((1.0, 1.125, 1.25))


def test_every_place_of_the_memory_policy_is_told() -> None:
    seen = host()
    (found,) = judged([RULE], seen, facts(seen, environ={})).judged
    assert [(p.kind, p.value) for p in found.conclusion.changes[1].how] == [("numactl", "0")]


def test_memory_is_not_bound_where_the_node_may_not_have_it() -> None:
    """3 GiB resident of 8 GiB that are free on two nodes."""
    assert [c.lever for c in concluded(RULE, host(resident=3 << 30)).changes] == ["affinity"]


def test_a_node_that_is_too_small_for_the_busiest_minute_is_no_home() -> None:
    """Two workers of two threads want four CPUs now; at noon five workers of the same kind were busy."""
    quiet = host(workers=2)
    assert [c.proposed for c in concluded(RULE, past(quiet, minutes=[steady(2.0)] * 60)).changes][:1] == ["0-3"]
    noon = past(quiet, minutes=[steady(2.0), steady(5.0), *[steady(2.0)] * 60])
    assert concluded(RULE, noon).changes == ()


def test_workers_that_need_more_than_one_node_get_a_server_for_each() -> None:
    found = concluded(RULE, host(workers=6, threads=1))
    assert found.changes == ()
    assert "start one server for each node" in found.title
    assert "node 0: CPUs 0-3; node 1: CPUs 4-7" in found.summary


def test_the_node_that_others_fill_is_not_proposed() -> None:
    seen = host(0.4)
    full = replace(seen, cores=tuple(replace(c, busy=1.0) if c.cpu < 4 else c for c in seen.cores))
    assert [c.proposed for c in concluded(RULE, full).changes] == ["4-7", "1"]


def test_the_node_of_its_gpu_is_the_one() -> None:
    plain = host(0.4)
    seen = on_gpus(plain, gpu([process(plain.workers[0], 4 * GIB)], numa_node=1, cpus=frozenset(range(4, 8))))
    assert concluded(RULE, seen).changes[0].proposed == "4-7"


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(host(0.15), id="seldom away"),
        pytest.param(host(0.0), id="on one node"),
        pytest.param(noded(host(), EVERY), id="a single node"),
        pytest.param(noded(host()), id="nodes not known"),
        pytest.param(host(threads=5), id="more threads than a node has CPUs"),
        pytest.param(host(resident=9 << 30), id="more memory than a node has"),
        pytest.param(replace(host(), cgroup=quota(None, cpus=range(4))), id="a cpuset of one node"),
    ],
)
def test_look_alikes_are_not_taken_for_it(seen: View) -> None:
    assert verdict(RULE, seen) is None


def test_a_service_that_hardly_computes_loses_nothing_worth_a_word() -> None:
    few = noded(
        view([worker(101, [thread(101, 0.4, seen={0: 0.5, 4: 0.5}, allowed=EVERY)])], cores=8), range(4), range(4, 8)
    )
    assert verdict(RULE, few) is None


def test_threads_bound_beside_the_thread_that_loaded_the_model_are_a_question() -> None:
    """Two pool threads bound to node 1, the main thread idle on node 0: only its maps tell where the model lies."""
    pool = [thread(111 + k, 0.9, kind="compute", allowed=range(4, 8), seen={4 + k: 1.0}) for k in range(2)]
    seen = noded(view([worker(101, [thread(101, 0.01, allowed=EVERY), *pool])], cores=8), range(4), range(4, 8))
    need = verdict(RULE, seen)
    assert isinstance(need, Need)
    assert need.kind == "privilege"
    assert "numastat -p 101" in need.text
    near = replace(pool[0], allowed=frozenset(range(4)), cpus_seen={0: 1.0})
    beside = noded(view([worker(101, [thread(101, 0.01, allowed=EVERY), near])], cores=8), range(4), range(4, 8))
    assert verdict(RULE, beside) is None
