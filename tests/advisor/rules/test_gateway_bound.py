"""Processes that take requests at their limit before models that idle, and what looks like that."""

import msgspec
import pytest

from advisor.catalogue import all_rules
from advisor.engine import Engine
from advisor.facts import ServiceFacts
from advisor.finding import Need
from advisor.rules.gateway_bound import GatewayBound
from advisor.view import CgroupView, NeighbourView, View, WorkerView
from collectors.entities import Role, Service
from collectors.levers import Lever, Setting
from tests.advisor import built
from tests.advisor.built import concluded, gains, numbers, quota, thread, verdict, view, worker
from tests.advisor.gpus_built import gpu, on_gpus, process

RULE = GatewayBound()
CORES = range(8)
DOOR = ("VLLM::APIServer",)
ENGINE = ("VLLM::EngineCore",)


def titled(service: Service, framework: str, titles: dict[int, tuple[str, ...]]) -> Service:
    members = tuple(
        msgspec.structs.replace(w, process=msgspec.structs.replace(w.process, argv=titles.get(w.pid, ("python",))))
        for w in service.workers
    )
    return msgspec.structs.replace(service, framework=framework, workers=members)


def door(pid: int, ran: float = 0.95, waited: float = 0.03, role: Role = Role.GATEWAY) -> WorkerView:
    return worker(pid, [thread(pid, ran, waited, allowed=CORES)], role=role)


def vllm(
    ran: float = 0.95, waited: float = 0.03, *, behind: float = 0.3, doors: int = 1, clients: float = 64.0,
    scheduler: float = 0.0, others: float = 0.0, **used: float | None,
) -> View:  # fmt: skip
    """API servers at their limit before an engine whose worker is on a GPU that is `behind` used."""
    taking = [door(100 + k, ran, waited, Role.FRONT_END if k == 0 else Role.GATEWAY) for k in range(doors)]
    engine = [door(150, scheduler, 0.0)] if scheduler else []
    runs = worker(160, [thread(160, 1.0, allowed=CORES)])  # it spins for the GPU: its CPU time says nothing
    seen = view([*taking, *engine, runs], cores=8, others=others)
    own = titled(seen.service, "vllm", {w.key.pid: DOOR for w in taking} | {150: ENGINE})
    fields = {"busy_ratio": behind, "busy_p95": behind, "sm_active_ratio": None, "sm_active_p95": None} | used
    with_gpu = on_gpus(seen, gpu([process(runs)], **fields))
    return msgspec.structs.replace(with_gpu, service=own, established=clients)


def known(seen: View, servers: int | None = 1) -> ServiceFacts:
    setting = Setting(lever=Lever.API_SERVERS, value=servers, origin="default")
    return msgspec.structs.replace(built.facts(seen, environ={}), settings=(setting,))


def test_an_api_server_at_its_limit_before_a_gpu_that_idles_gets_another() -> None:
    seen = vllm()
    found = concluded(RULE, seen, known(seen))
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [("api_servers", 1, 2)]
    shown = numbers(found)
    assert (shown["gateway_busy"], shown["gateway_ran"]) == (0.98, 0.95)
    assert (shown["gpu_busy_p95"], shown["requests_in_progress"]) == (0.3, 64.0)
    assert "do not help" in found.summary
    assert gains(found)["throughput_ratio"] == (1.3, 1.7, 2.0)


def test_no_more_than_what_is_behind_can_take_and_cores_are_left_for() -> None:
    half = vllm(behind=0.4, doors=4)
    assert concluded(RULE, half, known(half, 4)).changes[0].proposed == 7  # 4.8 of 8 cores are used
    nearly = vllm(behind=0.45, doors=2)
    found = concluded(RULE, nearly, known(nearly, 2))
    assert found.changes[0].proposed == 4
    assert gains(found)["throughput_ratio"][2] == 2.0
    full = vllm(others=6.0)
    alone = concluded(RULE, full, known(full))
    assert alone.changes == ()
    assert "no core left" in alone.summary


def test_a_server_without_such_a_setting_is_told_that_workers_do_not_help() -> None:
    seen = vllm()
    found = concluded(RULE, seen, msgspec.structs.replace(known(seen), settings=()))
    assert (found.changes, found.gains) == ((), ())
    assert "more workers do not help" in found.title


def test_processes_on_cpus_are_judged_by_their_own_time() -> None:
    pool = [worker(k, [thread(k, 0.2, allowed=CORES)]) for k in (160, 161)]
    seen = view([door(100, role=Role.FRONT_END), *pool], cores=8)
    assert numbers(concluded(RULE, seen, known(seen)))["models_busy"] == 0.2
    busy = view(
        [door(100, role=Role.FRONT_END), *(worker(k, [thread(k, 0.6, allowed=CORES)]) for k in (160, 161))], cores=8
    )
    assert verdict(RULE, busy, known(busy)) is None


@pytest.mark.parametrize(
    "host",
    [
        {"ran": 0.85, "waited": 0.04},  # its thread rests a tenth of the time
        {"ran": 0.7, "waited": 0.29},  # it waits for a CPU
        {"behind": 0.55},
        {"clients": 3.0},
        {"scheduler": 0.99},  # what hands out the model's work is the limit
    ],
    ids=str,
)
def test_what_just_misses(host) -> None:
    seen = vllm(**host)
    assert verdict(RULE, seen, known(seen)) is None


def test_what_only_starts_the_api_servers_is_none_of_them() -> None:
    seen = vllm(doors=3)
    idle = door(100, 0.01, 0.0, Role.FRONT_END)
    started = msgspec.structs.replace(seen, workers=(idle, *seen.workers[1:]))
    titles = {100: ("vllm",), 101: ("VLLM::APIServer_0",), 102: ("VLLM::APIServer_1",)}
    own = msgspec.structs.replace(started, service=titled(seen.service, "vllm", titles))
    assert numbers(concluded(RULE, own, known(own, 2)))["gateway_processes"] == 2


def test_one_api_server_of_several_at_its_limit_is_no_want_of_them() -> None:
    seen = vllm(doors=2)
    uneven = msgspec.structs.replace(seen, workers=(seen.workers[0], door(101, 0.2, 0.0), *seen.workers[2:]))
    assert verdict(RULE, uneven, known(uneven, 2)) is None


def test_a_scheduler_with_time_to_spare_is_no_door() -> None:
    seen = vllm(scheduler=0.5)
    assert numbers(concluded(RULE, seen, known(seen)))["gateway_processes"] == 1


def test_a_gpu_of_which_nothing_is_known_is_asked_for() -> None:
    seen = vllm(busy_ratio=None, busy_p95=None)
    need = verdict(RULE, seen, known(seen))
    assert isinstance(need, Need)
    assert need.kind == "metrics"


def test_servers_whose_processes_all_run_models_have_no_gateway() -> None:
    for host in (built.fighting_pools(), built.narrow_mask(), built.healthy()):
        assert verdict(RULE, host, known(host)) is None


# ---- gateways that are services of their own -------------------------------------------------------------------------


def gateway(
    used: float = 0.96, limit: CgroupView | None = None, *, models: float = 0.2, on_gpu: bool = False, there: bool = True,
    inside: float | None = None,
) -> View:  # fmt: skip
    """A model gateway of Seldon Core 2 under a quota of one core, beside two model servers and their agent."""
    threads = [thread(100 + k, used / 4, 0.0, kind="io", allowed=CORES) for k in range(4)]
    seen = view([worker(100, threads, role=Role.GATEWAY)], cores=8, cgroup=limit or quota(1.0, throttled=2))
    own = titled(seen.service, "seldon-core", {100: ("/bin/modelgateway", "--scheduler-host=seldon-scheduler")})
    servers = [
        NeighbourView(name=f"mlserver/models:{port}", framework="mlserver", processes=2, busy=2 * models, on_gpu=on_gpu)
        for port in (9000, 9010)
    ]
    agent = NeighbourView(
        name="seldon-core/agent:9001", framework="seldon-core", processes=0, busy=0.0, on_gpu=False, in_progress=inside
    )
    return msgspec.structs.replace(seen, service=own, neighbours=(*(servers if there else ()), agent))


def workers_of(seen: View, value: int = 8) -> ServiceFacts:
    setting = Setting(lever=Lever.GATEWAY_WORKERS, value=value, origin="default")
    return msgspec.structs.replace(built.facts(seen, environ={}), settings=(setting,))


def test_a_gateway_at_its_quota_before_idle_models_gets_more_cpu() -> None:
    seen = gateway()
    found = concluded(RULE, seen, workers_of(seen))
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [("cpu_quota", 1.0, 2.0)]
    shown = numbers(found)
    assert (shown["cores_used_of_limit"], shown["models_busy"]) == (0.96, 0.2)
    assert "partitions" in found.summary


def test_without_a_quota_it_is_another_replica() -> None:
    seen = gateway(7.6, quota(None))
    found = concluded(RULE, seen, workers_of(seen))
    assert (found.changes, found.gains) == ((), ())
    assert "another replica" in found.title
    below = gateway(6.0, quota(None))
    assert verdict(RULE, below, workers_of(below)) is None


def test_models_that_are_busy_or_elsewhere_do_not_show_that_it_holds_them_back() -> None:
    busy = gateway(models=0.6)
    assert verdict(RULE, busy, workers_of(busy)) is None
    for host in (gateway(there=False), gateway(on_gpu=True)):
        need = verdict(RULE, host, workers_of(host))
        assert isinstance(need, Need)
        assert need.kind == "metrics"


def test_as_many_requests_as_it_has_workers_are_told_from_as_many_clients_by_its_lag_alone() -> None:
    seen = gateway(0.3, inside=7.8)
    need = verdict(RULE, seen, workers_of(seen))
    assert isinstance(need, Need)
    assert "7.8 requests" in need.text
    few = gateway(0.3, inside=5.0)
    assert verdict(RULE, few, workers_of(few)) is None
    more = gateway(0.3, inside=7.8)
    assert verdict(RULE, more, workers_of(more, 16)) is None


def test_a_quota_that_throttles_is_said_by_its_own_rule() -> None:
    seen = gateway(limit=quota(1.0, throttled=60, seconds=3.0))
    rules = [j.rule for j in Engine(all_rules()).judge(seen, workers_of(seen)).judged]
    assert "cgroup-cpu-throttled" in rules
    assert "gateway-bound" not in rules
