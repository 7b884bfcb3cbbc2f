"""Ray Serve: which processes of a Ray node serve which application, and what does the node's metrics page mean?

`raylet` starts every process of a node and gives each a title: `ray::ServeReplica:APPLICATION:DEPLOYMENT` runs a model,
`ray::ProxyActor` takes requests for all applications. A Ray node without a replica serves nothing: it may be training.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import ClassVar, Literal

from collectors.addresses import local_urls
from collectors.command_line import helper_role, option, options, parse_command
from collectors.entities import Model, Process, Role, Service
from collectors.facts import ProcessFacts
from collectors.framework import Facts, Framework, Traits
from collectors.knobs import Knob, Source, code, knob_places
from collectors.learned import mapped_models
from collectors.levers import Lever, Place, Setting, Value
from collectors.metric_map import Distribution, MetricMap, series
from collectors.shared_levers import shared_places, shared_setting, whole_number
from collectors.unseen_levers import unseen_setting

_REPLICA = re.compile(r"ray::ServeReplica:(?P<application>[^:]*):(?P<deployment>.+?)(?:\.[a-z]+(?:_[a-z]+)+)?")
"""While a method of its runs, its name follows after a dot."""
_GATEWAYS = ("ray::ProxyActor", "ray::HTTPProxyActor", "ray::HAProxyManager", "ray::gRPCProxyActor")
_SUPPORT = (
    "ray::IDLE", "ray::ServeController", "ray::DashboardAgent", "ray::RuntimeEnvAgent", "ray::SPILL_", "ray::RESTORE_",
    "ray::DELETE_",
)  # fmt: skip
_AGENT = "ray::DashboardAgent"
_SCRIPTS = (
    "/ray/_private/workers/default_worker.py", "/ray/_private/workers/setup_worker.py",
    "/ray/_private/runtime_env/agent/main.py", "/ray/_private/log_monitor.py", "/ray/autoscaler/_private/monitor.py",
    "/ray/dashboard/agent.py", "/ray/dashboard/dashboard.py",
)  # fmt: skip
_NODE_PROGRAMS = frozenset(("gcs_server", "ray.util.client.server"))
_COMM_BYTES = 15
_HTTP_PORT = 8000
_WORKER_PORTS = (10002, 19999)
_WELL, _FAILED, _GRPC_WELL = "[123]..", "5..|408|429", r"(?:StatusCode\.)?OK"


@lru_cache(maxsize=32)
def _map(application: str) -> MetricMap:
    """`application`: a regular expression; what the proxy answers by itself has no application."""
    of = {"application": application}
    http, grpc = "ray_serve_num_http_requests", "ray_serve_num_grpc_requests"
    # Counted at the proxy: a request that passes several deployments is counted by each of them. Ray's agent makes the
    # sums of its histograms of the middles of their buckets: means are as coarse as these.
    return MetricMap(
        requests=(series(http, status_code=_WELL, **of), series(grpc, status_code=_GRPC_WELL, **of)),
        errors=(series(http, status_code=_FAILED, **of), series(grpc, status_code=f"(?!{_GRPC_WELL}$).*", **of)),
        latency=Distribution(
            of=(
                series("ray_serve_http_request_latency_ms", status_code=_WELL, **of),
                series("ray_serve_grpc_request_latency_ms", status_code=_GRPC_WELL, **of),
            ),
            scale=1e-3,
            rough_sum=True,
        ),
        in_flight=(series("ray_serve_replica_processing_queries", **of),),
        queue=(series("ray_serve_deployment_queued_queries", **of),),
        queue_time=Distribution(
            of=(series("ray_serve_request_router_fulfillment_time_ms", **of),), scale=1e-3, rough_sum=True
        ),
        batch_size=Distribution(of=(series("ray_serve_actual_batch_size", **of),), rough_sum=True),
        model_label="deployment",
        marks=("ray_serve_",),
    )


def _api(key: str) -> Source:
    return Source("api", (f"serve deploy: applications.deployments.{key}",))


class RayServe(Framework):
    order: ClassVar[int] = 15
    evidence: ClassVar[Literal["live", "captured", "documented"]] = "live"
    versions: ClassVar[str] = "ray 2.60.0"
    recognised_by: ClassVar[str] = (
        "`raylet` and the titles `ray::ServeReplica:APPLICATION:DEPLOYMENT`, `ray::ProxyActor`"
    )
    metrics: ClassVar[MetricMap | None] = _map(".+")
    knobs: ClassVar[tuple[Knob, ...]] = (
        Knob(
            lever=Lever.WORKERS,
            sources=(_api("num_replicas"), code("@serve.deployment(num_replicas=…)")),
            default=1,
            restart=False,
            advise="requests are queued while the replicas are busy and cores (or GPUs) are free: raise",
        ),
        Knob(
            lever=Lever.MAX_REQUESTS_IN_FLIGHT,
            sources=(_api("max_ongoing_requests"), code("@serve.deployment(max_ongoing_requests=…)")),
            default=5,
            restart=False,
            advise="requests are queued while replicas wait for input and output: raise; latency grows with it: lower",
        ),
        Knob(
            lever=Lever.MAX_QUEUE,
            sources=(_api("max_queued_requests"), code("@serve.deployment(max_queued_requests=…)")),
            default=-1,
            default_text="-1 = no limit",
            restart=False,
            advise="under overload the queue only grows: beyond the limit a request is answered 503 at once",
        ),
        Knob(
            lever=Lever.MAX_BATCH_SIZE,
            sources=(code("@serve.batch(max_batch_size=…)"),),
            default_text="10 where a method is batched",
            advise="the model computes a batch in hardly more time than one request",
        ),
        Knob(
            lever=Lever.MAX_BATCH_DELAY,
            sources=(code("@serve.batch(batch_wait_timeout_s=…)"),),
            default_text="0.01 s where a method is batched",
            advise="requests wait longer for a batch to fill than the model takes: lower (seconds)",
        ),
    )

    def recognise(self, process: Process, parent: Role | None, facts: ProcessFacts | None) -> Role | None:
        title = _title(process)
        if title.startswith("ray::"):
            if title.startswith("ray::ServeReplica:"[:_COMM_BYTES]):
                return Role.WORKER
            if title.startswith(_GATEWAYS):
                return Role.GATEWAY
            return Role.SUPPORT if title.startswith(_SUPPORT) else None
        command = parse_command(process.argv)
        if command.program == "raylet":
            return Role.FRONT_END
        if command.program in _NODE_PROGRAMS or any(item.endswith(_SCRIPTS) for item in process.argv[1:4]):
            return Role.SUPPORT
        if command.program == "haproxy" and parent is Role.GATEWAY:
            return Role.GATEWAY
        return helper_role(command, parent) if parent is Role.WORKER else None

    def share(self, process: Process) -> str | None:
        """The application of a replica; proxies and agents work for every application."""
        title = _title(process)
        if not title.startswith("ray::ServeReplica:"[:_COMM_BYTES]):
            return None
        match = _REPLICA.fullmatch(title)
        return match["application"] if match else "serve"

    def worth_a_look(self, process: Process, role: Role) -> bool:
        """The agent's socket tells where the metrics page is."""
        return role is not Role.SUPPORT or _title(process).startswith(_AGENT)

    def traits(self, processes: Sequence[tuple[Process, Role]], facts: Facts) -> Traits:
        every = [process for process, _ in processes]
        replicas = [match for process in every if (match := _REPLICA.fullmatch(_title(process)))]
        deployments = dict.fromkeys(match["deployment"] for match in replicas)
        return Traits(
            application=replicas[0]["application"] if replicas else "serve",
            port=_port(processes, facts),
            models=(*(Model(name=name, runtime="ray-serve") for name in deployments), *mapped_models(every, facts)),
            metrics_urls=local_urls(*_metrics_ports(every, facts)),
            sets=(("OMP_NUM_THREADS", None),),
        )

    def metrics_of(self, service: Service) -> MetricMap | None:
        return _map(re.escape(service.application))

    def setting(self, lever: Lever, service: Service, facts: Facts) -> Setting | None:
        knob = self.knob(lever)
        if knob is None:
            return shared_setting(lever, service, facts)
        return unseen_setting(knob, service, "the code or the deployed configuration")

    def places(self, lever: Lever, value: Value, service: Service, facts: Facts) -> Sequence[Place]:
        knob = self.knob(lever)
        if knob is not None:
            return knob_places(knob, value, service, facts)
        found = shared_places(lever, value, service, facts)
        return (_thread_place(value, service), *found) if lever is Lever.COMPUTE_THREADS else found


def _thread_place(value: Value, service: Service) -> Place:
    because = "Ray sets OMP_NUM_THREADS to num_cpus, rounded down, unless something sets it before"
    key = "@serve.deployment(ray_actor_options={'num_cpus': …})"
    return Place(kind="code", target=service.framework, key=key, value=value, effective=None, because=because)


def _title(process: Process) -> str:
    """The title; the process's name, cut to 15 bytes, where the command line is gone."""
    return process.argv[0] if process.argv else process.comm


def _ports_of(process: Process, facts: Facts) -> list[int]:
    known = facts.get(process.key)
    return [each.port for each in known.listening] if known and isinstance(known.listening, tuple) else []


def _raylet(processes: Iterable[Process]) -> tuple[str, ...]:
    """The arguments of the node's raylet; empty if it is not among the processes."""
    commands = (parse_command(process.argv) for process in processes)
    return next((command.arguments for command in commands if command.program == "raylet"), ())


def _port(processes: Sequence[tuple[Process, Role]], facts: Facts) -> int | None:
    """The port of the HTTP proxy: beside it a proxy listens on one for Ray itself. None where that leaves a choice."""
    arguments = _raylet(process for process, _ in processes)
    low, high = (
        whole_number(option(arguments, name)) or other
        for name, other in zip(("--min_worker_port", "--max_worker_port"), _WORKER_PORTS, strict=True)
    )
    proxies = (process for process, role in processes if role is Role.GATEWAY)
    ports = {port for process in proxies for port in _ports_of(process, facts) if not low <= port <= high}
    return _HTTP_PORT if _HTTP_PORT in ports else next(iter(ports)) if len(ports) == 1 else None


def _metrics_ports(processes: Sequence[Process], facts: Facts) -> list[int]:
    """Where the node's agent prints its page: the port it was given, else those on which it listens but for its API."""
    arguments = _raylet(processes)
    given = [whole_number(text) for text in options(arguments, "--metrics_export_port", "--metrics-export-port")]
    if found := [port for port in given if port]:
        return found[-1:]
    command = (option(arguments, "--dashboard_agent_command") or "").split()
    others = {whole_number(option(command, name)) for name in ("--listen-port", "--grpc-port")}
    agents = (process for process in processes if _title(process).startswith(_AGENT))
    return sorted({port for agent in agents for port in _ports_of(agent, facts)} - others)
