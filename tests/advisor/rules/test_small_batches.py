"""Calls that pay once more for what several requests could pay together: as measured on a forest, and what looks like it."""

import msgspec
import pytest

from advisor.catalogue import all_rules
from advisor.engine import Engine
from advisor.facts import ServiceFacts
from advisor.finding import Need
from advisor.profiling.view import CallTime, LoopProfile
from advisor.rules.small_batches import SmallBatches
from advisor.view import PageView, View
from collectors.entities import Role
from collectors.levers import Lever, Setting
from tests.advisor import built, profiled_hosts
from tests.advisor.built import concluded, gains, numbers, thread, verdict, view, worker
from tests.advisor.gpu_services import on_gpu
from tests.advisor.profiled_hosts import loop, mlserver
from tests.advisor.profiles_built import profiled, thread_share, worker_profile

RULE = SmallBatches()
FOREST = {"ipc": 0.4, "unknown": 0.2, "trees": 0.14, "glue": 0.1, "array": 0.04}


def asked_by(clients: int, *, workers: int = 1, rate: float = 38.0) -> View:
    """An MLServer, or a server that runs its model in the front-end (no `workers`), that answers `clients` one by one."""
    front = worker(100, [thread(100, 0.1)], role=Role.FRONT_END)
    pool = [worker(101 + k, [thread(101 + k, 0.14, 0.05)], switches=1600) for k in range(workers)]
    return msgspec.structs.replace(
        mlserver(view([front, *pool])),
        requests_per_second=rate,
        latency_seconds=clients / rate,
        server_queue=float(clients) if workers else None,
        established=float(clients),
    )


def with_batching(facts: ServiceFacts, size: int | None = 0, delay: float = 0.0) -> ServiceFacts:
    own = (
        Setting(lever=Lever.MAX_BATCH_SIZE, value=size, origin="default"),
        Setting(lever=Lever.MAX_BATCH_DELAY, value=delay, origin="default"),
    )
    return msgspec.structs.replace(facts, settings=own)


def known(
    seen: View, inside: float = 0.95, handing: float = 0.9, *, pid: int = 101, classes: dict[str, float] = FOREST,
    cores: float = 0.41, looks: int = 230, waits: float = 0.0, own_loop: LoopProfile | None = None, fleeting: float = 0.0,
) -> ServiceFacts:  # fmt: skip
    """As measured: 0.41 cores, of them a fifth at the trees; the rest starts threads, hands on and fetches."""
    profile = worker_profile(
        pid, cores, classes, rest="io", loop=own_loop, threads=[thread_share(pid, cores, delay=waits)]
    )
    calling = CallTime(inside=inside, handing=handing, looks=looks, fleeting=fleeting)
    return with_batching(profiled(seen, msgspec.structs.replace(profile, calling=calling)))


def test_a_forest_that_is_called_for_each_row_is_put_together_by_as_many_as_there_are() -> None:
    seen = asked_by(8)
    found = concluded(RULE, seen, known(seen))
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [
        ("max_batch_size", 0, 8),
        ("max_batch_delay", 0.0, 0.0211),  # a tenth of 8 / 38 s
    ]
    shown = numbers(found)
    assert (shown["requests_in_progress"], shown["mean_batch_size"], shown["expected_batch"]) == (8.0, 1.0, 8.0)
    assert shown["cores_for_rows"] == pytest.approx(0.41 * 0.18, abs=1e-3)
    assert shown["cores_for_unknown"] == pytest.approx(0.082)
    assert shown["once_share"] == pytest.approx((0.9 - 0.0738 - 0.082) / 0.95 - 0.0147, abs=2e-3)
    assert shown["switches_per_second"] == 1700.0
    assert "upper bound" in found.summary


def test_the_gain_is_bounded_by_the_batch_and_likely_by_what_is_paid_once() -> None:
    """Measured on that forest: 42 requests a second without, 259 with batches of 8; 154 with 4, 157 with 16."""
    seen = asked_by(8)
    low, likely, high = gains(concluded(RULE, seen, known(seen)))["throughput_ratio"]
    once = (0.9 - 0.0738) / 0.95
    assert (low, high) == (1.0, 8.0)
    assert likely == pytest.approx(8 / (once + (1 - once) * 8), abs=0.01)
    assert low < 259 / 42 < high


def test_the_exact_places_are_the_models_own_settings() -> None:
    seen = asked_by(8)
    found = Engine(all_rules()).judge(seen, known(seen))
    assert found.broken == ()
    assert [j.rule for j in found.judged][:1] == ["small-batches"]
    places = [change.how[0] for change in found.judged[0].conclusion.changes]
    assert [(place.key, place.value) for place in places] == [
        ("MLSERVER_MODEL_MAX_BATCH_SIZE", "8"),  # no model-settings.json was read of this built host
        ("MLSERVER_MODEL_MAX_BATCH_TIME", "0.0211"),
    ]


@pytest.mark.parametrize(("clients", "size"), [(4, 4), (7, 4), (7.6, 8), (15, 16), (100, 64)])
def test_a_batch_is_no_larger_than_what_is_there(clients: float, size: int) -> None:
    seen = asked_by(clients)  # type: ignore[arg-type]
    assert concluded(RULE, seen, known(seen)).changes[0].proposed == size


def test_workers_share_the_requests() -> None:
    seen = asked_by(8, workers=2)
    assert concluded(RULE, seen, known(seen)).changes[0].proposed == 4
    few = asked_by(7, workers=2)
    assert verdict(RULE, few, known(few)) is None


def test_what_waits_for_a_cpu_counts_as_computing() -> None:
    seen = asked_by(8)
    shown = numbers(concluded(RULE, seen, known(seen, waits=0.41)))  # half of its runnable time
    assert shown["cores_for_rows"] == pytest.approx(2 * 0.41 * 0.18, abs=1e-3)
    assert verdict(RULE, seen, known(seen, waits=4 * 0.41)) is None


def test_threads_that_come_and_go_with_each_call_count_as_what_is_known_does() -> None:
    """As measured on a busy host: more than half of the CPU time is of threads that lived too short to be seen."""
    seen = asked_by(8)
    classes = {"unknown": 0.55, "trees": 0.09, "ipc": 0.3}
    assert verdict(RULE, seen, known(seen, classes=classes, cores=1.0)) is None
    shown = numbers(concluded(RULE, seen, known(seen, classes=classes, cores=1.0, fleeting=0.55)))
    assert (shown["cores_of_fleeting_threads"], shown["cores_for_unknown"]) == pytest.approx((0.55, 0.0))
    assert shown["once_share"] == pytest.approx((0.9 - 0.09 - 0.55 * 0.4) / 0.95 - 0.0147, abs=2e-3)


@pytest.mark.parametrize(
    "host",
    [
        {"inside": 0.59, "handing": 0.58},  # the worker is often without a call
        {"handing": 0.5},  # 0.5 - 0.16 of 0.95 is a third
        {"classes": {"trees": 0.9}, "cores": 1.4},  # the pool computes for the rows
        {"classes": {"unknown": 0.9}, "cores": 0.8},
        {"looks": 59},
    ],
    ids=str,
)
def test_what_just_misses(host) -> None:
    seen = asked_by(8)
    assert verdict(RULE, seen, known(seen, **host)) is None


def test_one_client_has_nothing_to_put_together() -> None:
    seen = asked_by(1)
    assert verdict(RULE, seen, known(seen)) is None


def test_calls_that_hand_nothing_on_are_no_case() -> None:
    seen = asked_by(8)
    plain = with_batching(profiled(seen, worker_profile(101, 0.99, {"kernel": 0.85, "ipc": 0.1})))
    assert verdict(RULE, seen, plain) is None


def test_batching_that_is_on_is_left_alone() -> None:
    seen = asked_by(8)
    assert verdict(RULE, seen, with_batching(known(seen), 8, 0.02)) is None  # its batches are not counted
    counted = msgspec.structs.replace(seen, batch_size=6.0)
    assert verdict(RULE, counted, with_batching(known(seen), 8, 0.02)) is None
    idle = with_batching(known(seen), 8, 0.0)  # without max_batch_time MLServer batches nothing
    assert [c.lever for c in concluded(RULE, seen, idle).changes] == ["max_batch_delay"]


def test_servers_without_batching_and_those_on_gpus_are_not_judged() -> None:
    seen = asked_by(8)
    assert verdict(RULE, seen, msgspec.structs.replace(known(seen), settings=())) is None
    assert verdict(RULE, msgspec.structs.replace(seen, gpus=on_gpu().gpus), known(seen)) is None


def test_without_a_profile_it_asks_for_one() -> None:
    seen = asked_by(8)
    need = verdict(RULE, seen, with_batching(built.facts(seen, environ={})))
    assert isinstance(need, Need)
    assert need.kind == "profile"


def test_a_loop_that_runs_the_model_and_is_never_idle_keeps_all_connections_waiting() -> None:
    """It counts a request only once it looks at it: one in progress, however many wait."""
    seen = msgspec.structs.replace(asked_by(1, workers=0), established=8.0)
    busy = known(seen, pid=100, own_loop=loop(100, 0.2, blocked=0.8))
    found = concluded(RULE, seen, busy)
    assert numbers(found)["requests_in_progress"] == 8.0
    assert found.changes[0].proposed == 8
    idle = known(seen, pid=100, own_loop=loop(100, 0.2, blocked=0.75))  # 5 % idle, as with one client
    assert verdict(RULE, seen, idle) is None
    need = verdict(RULE, seen, with_batching(built.facts(seen, environ={})))
    assert isinstance(need, Need)
    assert need.kind == "profile"


def pages(*points: tuple[float, float]) -> tuple[PageView, ...]:
    return tuple(
        PageView(age_seconds=10.0 * k, seconds=10.0, batch_size=b, work_seconds=t) for k, (b, t) in enumerate(points)
    )


def counted(*points: tuple[float, float], batch: float = 1.5) -> View:
    """A Triton without dynamic batching, whose clients bring one row or more each."""
    seen = msgspec.structs.replace(asked_by(8, workers=0), batch_size=batch, pages=pages(*points))
    return msgspec.structs.replace(seen, service=msgspec.structs.replace(seen.service, framework="triton"))


def test_batches_of_several_sizes_tell_what_a_call_pays_once() -> None:
    """t(B) = 20 ms + 1 ms × B."""
    seen = counted((1.0, 0.021), (2.0, 0.022), (1.5, 0.0215), (1.2, 0.0212))
    found = concluded(RULE, seen, with_batching(built.facts(seen)))
    shown = numbers(found)
    assert shown["seconds_a_call"] == pytest.approx(0.02, abs=1e-4)
    assert shown["seconds_a_row"] == pytest.approx(0.001, abs=1e-4)
    assert shown["once_share"] == pytest.approx(0.02 / 0.0215, abs=1e-3)
    times = 8 / 1.5
    assert gains(found)["throughput_ratio"] == pytest.approx([times * 0.0215 / (0.02 + 0.001 * 8)] * 3, abs=0.01)
    assert "upper bound" not in found.summary


def test_times_that_scatter_widen_the_interval() -> None:
    seen = counted((1.0, 0.020), (2.0, 0.023), (1.5, 0.0225), (1.2, 0.0202), (1.8, 0.0215))
    low, likely, high = gains(concluded(RULE, seen, with_batching(built.facts(seen))))["throughput_ratio"]
    assert 1 < low < likely < high


def test_a_model_whose_time_grows_with_its_rows_has_nothing_to_gain() -> None:
    seen = counted((1.0, 0.021), (2.0, 0.041), (1.5, 0.031), (1.2, 0.025))
    assert verdict(RULE, seen, with_batching(built.facts(seen))) is None


def test_one_size_alone_does_not_tell_it() -> None:
    seen = counted(*[(1.0, 0.021)] * 6, batch=1.0)
    need = verdict(RULE, seen, with_batching(built.facts(seen)))
    assert isinstance(need, Need)
    assert need.kind == "load"


def test_a_storm_of_switches_and_a_light_model_leave_it_to_batching() -> None:
    rules = {rule.id: rule for rule in all_rules()}
    assert "small-batches" in rules["context-switch-storm"].yields_to
    assert "small-batches" in rules["ipc-dominates-light-model"].yields_to


@pytest.mark.parametrize("host", profiled_hosts.ALL, ids=lambda host: host.__name__)
def test_look_alikes_are_not_taken_for_it(host) -> None:
    seen, facts = host()
    busy = msgspec.structs.replace(seen, requests_per_second=100.0, latency_seconds=0.08)
    assert verdict(RULE, busy, with_batching(facts)) is None


@pytest.mark.parametrize("host", [built.fighting_pools, built.too_many_workers], ids=lambda host: host.__name__)
def test_threads_and_workers_that_exceed_the_cores_are_not_taken_for_it(host) -> None:
    seen = msgspec.structs.replace(host(), requests_per_second=100.0, latency_seconds=0.4)
    kernels = [worker_profile(w.key.pid, 1.0, {"kernel": 0.6, "spin": 0.35}) for w in seen.serving]
    assert verdict(RULE, seen, with_batching(profiled(seen, *kernels))) is None
