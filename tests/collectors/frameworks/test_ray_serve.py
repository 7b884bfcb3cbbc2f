"""Ray Serve as it was recorded: titles below raylet, the node's metrics page, and its levers."""

import pytest
from msgspec.structs import replace

from collectors.command_line import parse_command
from collectors.compute_threads import compute_threads_setting
from collectors.entities import Process, Role, Service
from collectors.facts import Library
from collectors.frameworks.ray_serve import RayServe
from collectors.levers import Lever
from collectors.redaction import redact_argv
from collectors.seen_environment import as_seen
from tests.captures import FIXTURES, Recorded, facts, process, service_of
from tests.pages import sample_of_page, samples_of_page

FRONT, WORKER, GATEWAY, SUPPORT = Role.FRONT_END, Role.WORKER, Role.GATEWAY, Role.SUPPORT
PAGE = (FIXTURES / "metrics/ray_metrics.prom").read_text()
PS = (FIXTURES / "ray_ps.txt").read_text()
BLAS = (Library("openblas", "/x/libopenblas.so"),)


def titled(pid: int, title: str, ppid: int = 10) -> Process:
    return process(pid, title, ppid=ppid, comm=title[:15])


def raylet(*arguments: str) -> Process:
    return process(10, "/opt/ray/raylet/raylet", *arguments, comm="raylet")


def replicas(*deployments: str, application: str = "shop") -> Service:
    made = [titled(pid, f"ray::ServeReplica:{application}:{name}") for pid, name in enumerate(deployments, start=20)]
    return replace(
        service_of("ray-serve", (raylet(), FRONT), *((each, WORKER) for each in made)), application=application
    )


def test_the_recorded_tree_has_replicas_as_workers_and_the_proxy_as_gateway() -> None:
    recorded = Recorded(RayServe(), "ray_tree")
    assert recorded.roles == {
        6134: FRONT, 6158: SUPPORT, 6160: SUPPORT, 6364: SUPPORT, 6365: GATEWAY, 6474: WORKER, 6475: WORKER,
    }  # fmt: skip
    traits = recorded.traits()
    assert (traits.application, traits.port, traits.calls) == ("iris_app", None, None)
    assert [model.name for model in traits.models] == ["Iris"]
    assert traits.metrics_urls == ("http://127.0.0.1:9130/metrics",)
    assert RayServe().name == "ray-serve"


def test_every_daemon_of_the_recorded_instance_is_support_or_part_of_the_tree() -> None:
    found = {}
    for row in PS.splitlines()[1:]:
        pid, ppid, *_, comm, command = row.replace("\\_ ", "").split(None, 7)
        argv = (command,) if command.startswith("ray::") else tuple(command.split())
        found[int(pid)] = RayServe().recognise(process(int(pid), *argv, ppid=int(ppid), comm=comm), None, None)
    assert found == {
        6044: SUPPORT, 6077: SUPPORT, 6078: SUPPORT, 6079: SUPPORT, 6133: SUPPORT, 6134: FRONT, 6158: SUPPORT,
        6160: SUPPORT, 6364: SUPPORT, 6365: GATEWAY, 6474: WORKER, 6475: WORKER,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("one", "role"),
    [
        (titled(1, "ray::ServeReplica:shop:Ranker.handle_request"), WORKER),
        (process(1, comm="ray::ServeRepli"), WORKER),
        (process(1, comm="ray::ProxyActor"), GATEWAY),
        (titled(1, "ray::HTTPProxyActor"), GATEWAY),
        (titled(1, "ray::IDLE"), SUPPORT),
        (titled(1, "ray::SPILL_SpillWorker"), SUPPORT),
        (titled(1, "ray::train_fn"), None),
        (titled(1, "ray::RolloutWorker.sample"), None),
        (process(1, "python", "/opt/venv/lib/ray/_private/workers/default_worker.py", "--x"), SUPPORT),
        (process(1, "python", "-u", "/opt/venv/lib/ray/dashboard/agent.py", "--x"), SUPPORT),
        (process(1, "python", "/home/ray/app/main.py"), None),
        (process(1, "python", "serve.py"), None),
        (process(1, "ray", "start", "--head"), None),
        (process(1, "vim", "raylet"), None),
        (process(1, "grep", "ray::ServeReplica:a:b"), None),
        (process(1, "bash", "-c", "raylet --x"), None),
        (process(1), None),
    ],
)
def test_what_belongs_to_a_ray_node(one: Process, role: Role | None) -> None:
    assert RayServe().recognise(one, None, None) is role


def test_children_of_a_replica_are_workers_and_those_of_other_processes_are_not() -> None:
    spawned = process(
        9, "python", "-B", "-c", "from multiprocessing.spawn import spawn_main; spawn_main(pipe_handle=9)"
    )
    assert RayServe().recognise(spawned, WORKER, None) is WORKER
    assert RayServe().recognise(spawned, SUPPORT, None) is None
    assert RayServe().recognise(process(9, "haproxy", "-f", "x"), GATEWAY, None) is GATEWAY
    assert RayServe().recognise(process(9, "haproxy", "-f", "x"), None, None) is None


@pytest.mark.parametrize(
    ("title", "share"),
    [
        ("ray::ServeReplica:shop:Ranker", "shop"),
        ("ray::ServeReplica:default:a.b", "default"),
        ("ray::ProxyActor", None),
        ("ray::IDLE", None),
        ("ray::ServeRepli", "serve"),
    ],
)
def test_a_replica_works_for_its_application_and_the_rest_for_all(title: str, share: str | None) -> None:
    assert RayServe().share(titled(1, title)) == share


def test_deployments_are_its_models_with_the_running_method_cut_off() -> None:
    names = ("Ranker.handle_request", "Embedder", "model.v1", "Ranker")
    members = [(titled(pid, f"ray::ServeReplica:shop:{name}"), WORKER) for pid, name in enumerate(names)]
    traits = RayServe().traits(members, {})
    assert traits.application == "shop"
    assert [model.name for model in traits.models] == ["Ranker", "Embedder", "model.v1"]


@pytest.mark.parametrize(
    ("arguments", "ports", "port"),
    [
        ((), (8000, 10005), 8000),
        ((), (8000, 9000, 10005), 8000),
        ((), (9100, 10005), 9100),
        ((), (9100, 9000), None),
        ((), (10005,), None),
        (("--min_worker_port=30000", "--max_worker_port=30999"), (10005, 30001), 10005),
        ((), (), None),
    ],
)
def test_the_port_is_the_proxys_that_is_not_rays_own(
    arguments: tuple[str, ...], ports: tuple[int, ...], port: int | None
) -> None:
    proxy = titled(11, "ray::ProxyActor")
    members = [(raylet(*arguments), FRONT), (proxy, GATEWAY)]
    assert RayServe().traits(members, {proxy.key: facts(proxy, environ={}, ports=ports)}).port == port


def test_the_page_is_at_the_port_that_was_given_or_on_one_of_the_agents_sockets() -> None:
    agent = titled(11, "ray::DashboardAgent")
    known = {agent.key: facts(agent, ports=(52365, 43210, 41000, 9999))}
    command = "--dashboard_agent_command=python agent.py --metrics-export-port=0 --grpc-port=9999 --listen-port=52365"
    given = raylet("--metrics_export_port=8090", command)
    random = raylet("--metrics_export_port=0", command)
    replica = (titled(12, "ray::ServeReplica:a:B"), WORKER)
    of_given = RayServe().traits([(given, FRONT), (agent, SUPPORT), replica], known)
    assert of_given.metrics_urls == ("http://127.0.0.1:8090/metrics",)
    of_random = RayServe().traits([(random, FRONT), (agent, SUPPORT), replica], known)
    assert of_random.metrics_urls == ("http://127.0.0.1:41000/metrics", "http://127.0.0.1:43210/metrics")
    assert RayServe().traits([(random, FRONT), replica], known).metrics_urls == ()
    assert RayServe().worth_a_look(agent, SUPPORT)
    assert not RayServe().worth_a_look(titled(13, "ray::IDLE"), SUPPORT)


def test_the_recorded_page_counts_the_31_requests_of_the_client_and_no_probe() -> None:
    sample = sample_of_page(RayServe(), PAGE)
    assert (sample.requests, sample.errors, sample.in_flight, sample.queue) == (31, 0, 0, 0)
    assert (sample.latency_count, sample.queue_time_count) == (31, 31)
    assert (sample.batch_size_sum, sample.tokens_out, sample.kv_cache_ppm) == (None, None, None)


def test_rays_sums_are_made_of_the_middles_of_its_buckets_and_give_no_mean() -> None:
    """20 requests of 20 to 50 ms and 11 of 50 to 100 ms are printed as 1525 ms: 20 × 35 + 11 × 75, no measured time."""
    assert f"{20 * 35 + 11 * 75}.0" in PAGE
    sample = sample_of_page(RayServe(), PAGE)
    assert (sample.latency_sum_us, sample.queue_time_sum_us, sample.batch_size_sum) == (None, None, None)


def test_latency_quantiles_are_milliseconds_turned_into_microseconds() -> None:
    before = "\n".join(row.rsplit(" ", 1)[0] + " 0.0" if "{" in row else row for row in PAGE.splitlines())
    sample = sample_of_page(RayServe(), PAGE, before)
    assert (sample.latency_p50_low_us, sample.latency_p50_high_us) == (20_000, 50_000)
    assert (sample.latency_p99_low_us, sample.latency_p99_high_us) == (50_000, 100_000)


def counted(name: str, value: float, **labels: str) -> str:
    text = ",".join(f'{key}="{held}"' for key, held in {**labels, "WorkerId": "x", "NodeAddress": "y"}.items())
    return f"ray_serve_{name}{{{text}}} {value}\n"


TWO = "# TYPE ray_serve_num_http_requests_total counter\n" + "".join((
    counted("num_http_requests_total", 31, application="shop", route="/", method="GET", status_code="200"),
    counted("num_http_requests_total", 2, application="shop", route="/", method="GET", status_code="503"),
    counted("num_http_requests_total", 1, application="shop", route="/", method="GET", status_code="408"),
    counted("num_http_requests_total", 4, application="shop", route="/", method="GET", status_code="422"),
    counted("num_http_requests_total", 9, application="", route="/-/healthz", method="GET", status_code="200"),
    counted("num_http_requests_total", 5, application="ads.v2", route="/ads", method="GET", status_code="200"),
    counted("num_grpc_requests_total", 3, application="shop", route="/p.S/M", method="/p.S/M", status_code="OK"),
    counted("num_grpc_requests_total", 1, application="shop", route="/p.S/M", method="/p.S/M", status_code="UNKNOWN"),
    *(
        counted("deployment_request_counter_total", 31, application="shop", deployment=name, replica="r")
        for name in ("Gate", "Embedder", "Ranker")
    ),
    counted("deployment_queued_queries", 2, application="shop", deployment="Gate", handle="a"),
    counted("deployment_queued_queries", 3, application="shop", deployment="Ranker", handle="b"),
    counted("deployment_queued_queries", 7, application="ads.v2", deployment="Bidder", handle="c"),
    counted("replica_processing_queries", 4, application="shop", deployment="Gate", replica="r"),
    counted("actual_batch_size_sum", 40, application="shop", deployment="Ranker", function_name="rank"),
    counted("actual_batch_size_count", 10, application="shop", deployment="Ranker", function_name="rank"),
))  # fmt: skip


class OfShop(RayServe):
    """Ray Serve as the collector asks it about one application."""

    metrics = RayServe().metrics_of(replicas("Gate"))


class OfAds(RayServe):
    """And about the other one of the node."""

    metrics = RayServe().metrics_of(replicas("Bidder", application="ads.v2"))


def test_a_composition_of_deployments_is_counted_once_as_the_client_counts_it() -> None:
    """31 requests pass three deployments, which count 93 between them."""
    sample = sample_of_page(OfShop(), TWO)
    assert (sample.requests, sample.errors) == (34, 4)
    assert (sample.queue, sample.in_flight) == (5, 4)
    assert (sample.batch_size_sum, sample.batch_size_count) == (None, 10)


def test_two_applications_of_a_node_do_not_count_each_others_requests() -> None:
    assert sample_of_page(RayServe(), TWO).requests == 39
    of_ads = sample_of_page(OfAds(), TWO)
    assert (of_ads.requests, of_ads.errors, of_ads.queue) == (5, 0, 7)


def test_deployments_are_told_apart_where_the_page_names_them() -> None:
    samples = samples_of_page(OfShop(), TWO)
    assert {name: (sample.queue, sample.requests) for name, sample in samples.items() if "model" in name} == {
        "model:5e41ce/Gate": (2, None), "model:5e41ce/Ranker": (3, None),
    }  # fmt: skip


def test_what_only_code_or_the_deployed_configuration_sets_is_never_the_default() -> None:
    service = replicas("Gate", "Gate", "Ranker")
    known = {w.key: facts(w.process, environ={}, libraries=BLAS) for w in service.workers}
    found = {lever: RayServe().setting(lever, service, known) for lever in Lever}
    told = {lever: (one.value, one.origin) for lever, one in found.items() if one is not None}
    reason = "the code or the deployed configuration may set it"
    assert told[Lever.WORKERS] == (3, f"counted; {reason}")
    assert told[Lever.MAX_REQUESTS_IN_FLIGHT] == (None, f"{reason}; default 5")
    assert told[Lever.MAX_QUEUE] == (None, f"{reason}; default -1 = no limit")
    assert told[Lever.MAX_BATCH_SIZE] == (None, f"{reason}; default 10 where a method is batched")
    assert told[Lever.MAX_BATCH_DELAY] == (None, f"{reason}; default 0.01 s where a method is batched")
    places = RayServe().places(Lever.WORKERS, 4, service, known)
    assert [(p.kind, p.key, p.value, p.effective, p.restart) for p in places] == [
        ("api", "serve deploy: applications.deployments.num_replicas", 4, True, False),
        ("code", "@serve.deployment(num_replicas=…)", 4, None, False),
    ]


def test_the_thread_count_that_ray_sets_itself_is_not_taken_for_unset() -> None:
    """Ray sets OMP_NUM_THREADS after the start of a replica: /proc does not show it."""
    recorded = Recorded(RayServe(), "ray_tree")
    assert recorded.traits().sets == (("OMP_NUM_THREADS", None),)
    service = replace(recorded.service(), sets=(("OMP_NUM_THREADS", None),))
    threads = compute_threads_setting(service, as_seen(service, recorded.known))
    assert (threads.value, threads.origin) == (
        None, "environment not readable: the server sets OMP_NUM_THREADS to a value that is not visible",
    )  # fmt: skip
    replica = next(each for each in recorded.processes if each.key.pid == 6474)
    chosen = {replica.key: facts(replica, environ={"OMP_NUM_THREADS": "2"}, libraries=BLAS)}
    assert compute_threads_setting(service, as_seen(service, chosen)).value == 2
    first = RayServe().places(Lever.COMPUTE_THREADS, 1, service, as_seen(service, recorded.known))[0]
    assert (first.kind, first.key) == ("code", "@serve.deployment(ray_actor_options={'num_cpus': …})")


def test_secrets_in_the_recorded_command_lines_are_hidden() -> None:
    """Trap: raylet hands the Redis password on inside one long argument."""
    row = next(row for row in PS.splitlines() if "java_worker_command" in row)
    assert "-Dray.redis.password= " in row
    line = row.replace("-Dray.redis.password= ", "-Dray.redis.password=hunter2 ")
    whole = tuple(line.split(None, 7)[-1].split(" --"))
    assert "hunter2" in " ".join(whole)
    hidden = " ".join(redact_argv(whole))
    assert "hunter2" not in hidden
    assert "-Dray.redis.password=[redacted]" in hidden
    assert parse_command(redact_argv(whole)).program
