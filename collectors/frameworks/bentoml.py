"""BentoML: which processes are its supervisor and workers, and what does its metrics page mean?

`bentoml serve TARGET` is a supervisor (circus) that starts each worker as a program of its own, in a session of its own:
`python -m _bentoml_impl.worker.service TARGET --service-name NAME`. A service that calls others has workers of theirs
beside its own; only the one that was asked for listens on TCP.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from os.path import basename
from typing import ClassVar, Literal

import msgspec

from collectors.addresses import local_urls
from collectors.command_line import Command, helper_role, option, parse_command, positionals
from collectors.entities import Model, Process, Role, Service
from collectors.facts import ProcessFacts
from collectors.framework import Facts, Framework, Traits
from collectors.knobs import Knob, code, file, knob_places
from collectors.learned import environment_of, listening_port, mapped_models, server_environment
from collectors.levers import Lever, Place, Setting, Value
from collectors.metric_map import Distribution, MetricMap, series
from collectors.servers.asgi_arguments import application_name
from collectors.shared_levers import shared_setting, whole_number
from collectors.unseen_levers import unseen_setting

_PROGRAMS = frozenset(("bentoml", "bentoml_cli.cli"))
_WORKERS = frozenset(("_bentoml_impl.worker.service", "_bentoml_impl.worker.runner", "bentoml_cli.worker.runner"))
_GATEWAYS = frozenset(("bentoml_cli.worker.http_api_server", "bentoml_cli.worker.grpc_api_server"))
"""Of services written for BentoML before 1.2: they hand requests to runners, which hold the models."""
_SUPPORT = "bentoml_cli.worker.grpc_prometheus_server"
_VERBS = frozenset(("serve", "serve-http", "serve-grpc"))
_FLAGS = frozenset((
    "--development", "--production", "--reload", "--verbose", "--debug", "-q", "--quiet", "--do-not-track",
    "--enable-reflection", "--enable-channelz", "--debug-circus",
))  # fmt: skip
_FILE = "BENTOML_CONFIG"
_NAME = "bentoml_configuration.yaml"
_OWN_PAGES = (
    r"(?!/(?:livez|readyz|healthz|metrics|docs\.json|schema\.json|favicon\.ico|(?:static_content|assets)/.*)?$).*"
)
"""Every path but those that BentoML answers by itself."""
_WELL, _FAILED = "[123]..", "5..|408|429"


@lru_cache(maxsize=32)
def _map(entry: str | None) -> MetricMap:
    """`entry`: the service that clients call, where others answer on the same page. Their requests are part of its own."""
    own = {"endpoint": _OWN_PAGES} | ({} if entry is None else {"runner_name": re.escape(entry)})
    prefix = "bentoml_service_"
    duration = series(f"{prefix}request_duration_seconds", http_response_code=_WELL, **own)
    return MetricMap(
        requests=(series(f"{prefix}request_total", http_response_code=_WELL, **own),),
        errors=(series(f"{prefix}request_total", http_response_code=_FAILED, **own),),
        latency=Distribution(of=(duration,)),
        in_flight=(series(f"{prefix}request_in_progress", **own),),
        batch_size=Distribution(of=(series(f"{prefix}adaptive_batch_size"),)),
        model_label="runner_name",
    )


class BentoMl(Framework):
    order: ClassVar[int] = 16
    evidence: ClassVar[Literal["live", "captured", "documented"]] = "live"
    versions: ClassVar[str] = "bentoml 1.4.39"
    recognised_by: ClassVar[str] = "`bentoml serve`; workers `python -m _bentoml_impl.worker.service`"
    metrics: ClassVar[MetricMap | None] = _map(None)
    knobs: ClassVar[tuple[Knob, ...]] = (
        Knob(
            lever=Lever.WORKERS,
            sources=(file(_FILE, "services.NAME.workers"), code("@bentoml.service(workers=…)")),
            default=1,
            advise="requests in progress stay at workers × threads while cores are free: raise",
        ),
        Knob(
            lever=Lever.REQUEST_THREADS,
            sources=(code("@bentoml.service(threads=…)"),),
            default=1,
            advise="synchronous methods wait for input and output rather than for a core; each worker has so many",
        ),
        Knob(
            lever=Lever.MAX_REQUESTS_IN_FLIGHT,
            sources=(
                file(_FILE, "services.NAME.traffic.max_concurrency"),
                code("@bentoml.service(traffic={'max_concurrency': …})"),
            ),
            default_text="no limit",
            advise="under overload every request gets slow: beyond the limit a request is answered 429 at once",
        ),
        Knob(
            lever=Lever.MAX_BATCH_SIZE,
            sources=(code("@bentoml.api(batchable=True, max_batch_size=…)"),),
            default=100,
            advise="the model computes a batch in hardly more time than one request",
        ),
        # max_latency_ms is no time to fill a batch but what a request may take at all: those that would take longer are
        # answered 503, and how long a batch waits is for the dispatcher to choose.
    )

    def recognise(self, process: Process, parent: Role | None, facts: ProcessFacts | None) -> Role | None:
        command = parse_command(process.argv)
        if command.program in _PROGRAMS:
            verb = "".join(_words(command)[:1])
            return (Role.FRONT_END if parent is None else Role.WORKER) if verb in _VERBS else None
        if command.program in _WORKERS:
            return Role.WORKER
        if command.program in _GATEWAYS:
            return Role.GATEWAY
        return Role.SUPPORT if command.program == _SUPPORT else helper_role(command, parent)

    def traits(self, processes: Sequence[tuple[Process, Role]], facts: Facts) -> Traits:
        every = [process for process, _ in processes]
        names = _service_names(every)
        port = _port(every, facts)
        return Traits(
            application=_application(every[0], facts),
            port=port,
            models=(*(Model(name=name, runtime="bentoml") for name in names), *mapped_models(every, facts)),
            metrics_urls=local_urls(port, host=_host(every, facts)),
        )

    def metrics_of(self, service: Service) -> MetricMap | None:
        names = _service_names(worker.process for worker in service.workers)
        return _map(names[0]) if len(names) > 1 else self.metrics

    def setting(self, lever: Lever, service: Service, facts: Facts) -> Setting | None:
        knob = self.knob(lever)
        if knob is None:
            return shared_setting(lever, service, facts)
        return unseen_setting(knob, service, f"the code, or the file of {_FILE},")

    def places(self, lever: Lever, value: Value, service: Service, facts: Facts) -> Sequence[Place]:
        knob = self.knob(lever)
        if knob is None:
            return super().places(lever, value, service, facts)
        name = next(iter(_service_names(w.process for w in service.workers)), service.application)
        path = (server_environment(service, facts).values or {}).get(_FILE)
        found = knob_places(knob, value, service, facts)
        return [_in_file(place, name, path) if place.kind == "file" else place for place in found]


def _in_file(place: Place, service: str, path: str | None) -> Place:
    """The file's values are laid over those of the code."""
    because = "it wins over the code" if path else f"it wins over the code where {_FILE} holds its path"
    return msgspec.structs.replace(
        place, target=path or _NAME, key=place.key.replace("NAME", service), effective=True if path else None,
        because=because,
    )  # fmt: skip


def _words(command: Command) -> list[str]:
    return positionals(command.arguments, _FLAGS)


def _service_names(processes: Iterable[Process]) -> list[str]:
    """The services that the workers run, the one that clients call first: its workers are told a backlog."""
    found: dict[str, bool] = {}
    for process in processes:
        arguments = parse_command(process.argv).arguments
        name = option(arguments, "--service-name")
        if name:
            found[name] = found.get(name, False) or option(arguments, "--backlog") is not None
    return sorted(found, key=lambda name: not found[name])


def _application(process: Process, facts: Facts) -> str:
    """`Iris` of `service:Iris`, `fraud` of a Bento `fraud:TAG`, the folder's name of `.` or of a path."""
    command = parse_command(process.argv)
    words = _words(command)
    item = (words[1:] if command.program in _PROGRAMS else words)[:1]
    target, _, attribute = "".join(item).rstrip("/").rpartition("/")[2].partition(":")
    if attribute.isidentifier() and attribute != attribute.lower():  # a class; the tag of a Bento has no capitals
        return attribute
    name = basename(target.removesuffix(".py"))
    return application_name("" if name in (".", "..") else name, process.key, facts, "bentoml")


def _port(processes: Sequence[Process], facts: Facts) -> int | None:
    """The port of the service that clients call. Its default can be overruled by the code, so it is not assumed."""
    given = whole_number(option(parse_command(processes[0].argv).arguments, "--port", "-p"))
    if given:
        return given
    given = whole_number((environment_of(processes, facts).values or {}).get("BENTOML_PORT"))
    if given:
        return given
    # The supervisor listens on two ports of its own for its control, so the workers are asked.
    workers = [each for each in processes if option(parse_command(each.argv).arguments, "--backlog") is not None]
    ports = (listening_port(each.key, facts) for each in workers or processes[1:])
    return next((port for port in ports if port is not None), None)


def _host(processes: Sequence[Process], facts: Facts) -> str | None:
    given = option(parse_command(processes[0].argv).arguments, "--host")
    return given or (environment_of(processes, facts).values or {}).get("BENTOML_HOST")
