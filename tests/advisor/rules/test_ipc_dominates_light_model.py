"""R29 on built hosts."""

import msgspec
import pytest

from advisor.catalogue import all_rules
from advisor.engine import Engine
from advisor.finding import Need
from advisor.rules.ipc_dominates_light_model import IpcDominatesLightModel
from tests.advisor import built, profiled_hosts
from tests.advisor.built import concluded, facts, gains, numbers, verdict
from tests.advisor.profiled_hosts import light_model
from tests.advisor.profiles_built import profiled, worker_profile

RULE = IpcDominatesLightModel()
FRONT = {"ipc": 0.235, "glue": 0.71, "serialise": 0.03, "unknown": 0.025}


def test_a_model_that_adds_four_numbers_runs_in_the_front_end():
    found = concluded(RULE, *light_model())
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [("workers", 1, 0)]
    shown = numbers(found)
    handing = (0.951 * 0.235 + 0.272 * (1 - 0.03 - 0.04)) / 1.223
    beside = 1 - (0.951 * 0.055 + 0.272 * 0.04) / 1.223
    assert shown["ipc_of_request_share"] == pytest.approx(handing / beside, abs=1e-3)
    assert shown["model_cpu_per_request"] == pytest.approx(0.272 * 0.03 / 1181, abs=1e-4)
    assert "event loop" in found.summary


def test_its_intervals_hold_what_was_measured_without_workers():
    """Measured: 1181 to 2875 requests a second, median 6.43 to 2.66 ms, 99 % 12.64 to 6.09 ms."""
    found = gains(concluded(RULE, *light_model()))
    for metric, measured in (
        ("throughput_ratio", 2875 / 1181), ("latency_p50_ratio", 2.66 / 6.43), ("latency_p99_ratio", 6.09 / 12.64),
    ):  # fmt: skip
        low, _, high = found[metric]
        assert low <= measured <= high, metric
    assert found["memory_ratio"][1] == pytest.approx(0.5)


def test_one_process_that_would_have_more_to_do_than_a_core_is_not_advised():
    """Sixteen workers beside a full front-end: all of a request on one core would serve less."""
    seen, _ = light_model()
    more = [built.worker(k, [built.thread(k, 0.27, 0.1)]) for k in range(102, 117)]
    wide = msgspec.structs.replace(
        seen, workers=(*seen.workers, *more), cores=built.view(seen.workers, cores=8).cores, requests_per_second=None
    )
    each = {"ipc": 0.56, "kernel": 0.15, "glue": 0.2, "loop": 0.09}
    known = profiled(
        seen, worker_profile(100, 0.951, {"ipc": 0.5}, rest="glue"),
        *(worker_profile(k, 0.272, each) for k in range(101, 117)),
    )  # fmt: skip
    assert verdict(RULE, wide, known) is None


@pytest.mark.parametrize(
    "worker_classes",
    [
        {"kernel": 0.9, "ipc": 0.1},  # the model is most of it
        {"ipc": 0.3, "kernel": 0.6, "glue": 0.1},
    ],
)
def test_a_model_that_computes_just_misses(worker_classes: dict[str, float]):
    seen, _ = light_model()
    known = profiled(seen, worker_profile(100, 0.951, FRONT), worker_profile(101, 0.272, worker_classes))
    assert verdict(RULE, seen, known) is None


def test_a_model_of_many_milliseconds_would_block_the_loop():
    seen, known = light_model(rate=1.0)
    assert verdict(RULE, seen, known) is None


def test_a_front_end_that_works_as_hard_as_its_workers_asks_for_a_profile_and_an_idle_one_does_not():
    seen, _ = light_model()
    need = verdict(RULE, seen, facts(seen, environ={}))
    assert isinstance(need, Need)
    assert need.kind == "profile"
    pool, _ = profiled_hosts.saturated_pool()
    assert verdict(RULE, pool, facts(pool, environ={})) is None


def test_other_servers_and_profiles_without_the_front_end_say_nothing():
    seen, known = light_model()
    other = msgspec.structs.replace(seen, service=msgspec.structs.replace(seen.service, framework="gunicorn"))
    assert verdict(RULE, other, known) is None
    assert verdict(RULE, seen, profiled(seen, worker_profile(101, 0.272, {"ipc": 0.6}))) is None
    assert verdict(RULE, seen, profiled(seen, worker_profile(100, 0.951, FRONT))) is None


def test_a_server_that_does_not_count_requests_makes_it_less_sure():
    assert concluded(RULE, *light_model(rate=None)).confidence < concluded(RULE, *light_model()).confidence


def test_the_exact_change_is_zero_workers():
    (first,) = Engine(all_rules()).judge(*light_model()).judged
    assert first.rule == "ipc-dominates-light-model"
    place = first.conclusion.changes[0].how[0]
    assert (place.kind, place.key, place.value) == ("file", "parallel_workers", 0)


def test_look_alikes_are_listed_with_their_numbers():
    listed = {r.cause: r.because for r in concluded(RULE, *light_model()).rejected}
    assert listed["workers-below-cores-saturated"] == "its workers (1) use 0.27 cores, the front-end 0.95"


@pytest.mark.parametrize("host", [h for h in profiled_hosts.ALL if h is not light_model], ids=lambda h: h.__name__)
def test_look_alikes_are_not_taken_for_it(host):
    assert verdict(RULE, *host()) is None


def test_a_pool_that_spins_in_the_worker_is_not_handing_over():
    """Most of the worker's time is its pool's: it would spin in the front-end too, which could serve no more."""
    seen, _ = light_model()
    spinning = {"spin": 0.7, "kernel": 0.1, "glue": 0.2}
    known = profiled(seen, worker_profile(100, 0.951, FRONT), worker_profile(101, 0.272, spinning))
    plain = profiled(seen, worker_profile(100, 0.951, FRONT), worker_profile(101, 0.272, {"kernel": 0.1, "glue": 0.9}))
    assert verdict(RULE, seen, known) is None
    assert concluded(RULE, seen, plain).changes[0].proposed == 0
