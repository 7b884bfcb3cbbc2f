"""Triton Inference Server: which processes are its own, what is set on it and on each model, and what do its metrics mean?

One process runs every backend but Python's: each instance of a Python model is a process of its own, which the server
starts with the model's file, a region of shared memory and its own pid. Models are folders of one or more repositories;
what can be turned on a model stands in its own config.pbtxt.
"""

from collections.abc import Sequence
from os.path import basename, dirname
from typing import ClassVar, Literal

from collectors.command_line import helper_role, option, options, parse_command
from collectors.entities import Model, Process, Role, Service
from collectors.facts import ProcessFacts
from collectors.framework import Facts, Framework, Gap, ModelRequest, SettingsRequest, Traits
from collectors.knobs import Knob, argument, file
from collectors.learned import MODEL_LIMIT
from collectors.levers import Lever, Place, Setting, Value
from collectors.metric_map import Distribution, MetricMap, series
from collectors.per_model import files_below
from collectors.servers.triton_levers import argument_to, command_of, model_places, model_setting
from collectors.servers.triton_models import (
    CONFIG,
    FILE_KEYS,
    ONNX_RUNTIME,
    SERVER,
    ModelConfig,
    TritonCommand,
    chains_of,
    model_configs,
)
from collectors.servers.vllm_engine import engine_role, settled_engines
from collectors.shared_levers import shared_places, shared_setting
from collectors.switches import switch

_STUB = "triton_python_backend_stub"
_SHELLS = frozenset(("sh", "bash", "dash"))
_POLICY = "cpu,cpu-cores="
_COUNTED = series("nv_inference_request_success")
_WHERE = "command line"


class Triton(Framework):
    order: ClassVar[int] = 14
    evidence: ClassVar[Literal["live", "captured", "documented"]] = "documented"
    versions: ClassVar[str] = "tritonserver 2.71"
    recognised_by: ClassVar[str] = (
        "`tritonserver`; its Python models run in `triton_python_backend_stub`, one process an instance"
    )
    # A call of an ensemble counts once for the ensemble and once for each of its models.
    metrics: ClassVar[MetricMap | None] = MetricMap(
        requests=(_COUNTED,),
        errors=(series("nv_inference_request_failure"),),
        latency=Distribution(total=(series("nv_inference_request_duration_us"),), count=(_COUNTED,), scale=1e-6),
        queue=(series("nv_inference_pending_request_count"),),
        queue_time=Distribution(total=(series("nv_inference_queue_duration_us"),), count=(_COUNTED,), scale=1e-6),
        # Inferences are samples: a request that brings a batch of 8 counts as 8, with or without dynamic batching.
        batch_size=Distribution(total=(series("nv_inference_count"),), count=(series("nv_inference_exec_count"),)),
        model_label="model",
        marks=("nv_inference_", "# TYPE nv_inference_"),
    )
    claims: ClassVar[frozenset[str]] = frozenset(("vllm",))
    knobs: ClassVar[tuple[Knob, ...]] = (
        Knob(
            lever=Lever.MODEL_INSTANCES,
            sources=(file(CONFIG, FILE_KEYS[Lever.MODEL_INSTANCES]),),
            default_text="1 per GPU; on the CPU 1, or 2 of ONNX Runtime and TensorFlow",
            advise="requests are pending and the device has room: one more, which is one more copy of the model",
        ),
        Knob(
            lever=Lever.MAX_BATCH_SIZE,
            sources=(file(CONFIG, FILE_KEYS[Lever.MAX_BATCH_SIZE]),),
            default_text="completed from the model; 0 with --disable-auto-complete-config",
            advise="batches stay at 1, queue time is high, and the model is faster on many at once; the block "
            "`dynamic_batching { }` must be there",
        ),
        Knob(
            lever=Lever.MAX_BATCH_DELAY,
            sources=(file(CONFIG, FILE_KEYS[Lever.MAX_BATCH_DELAY]),),
            default=0,
            advise="microseconds that a batch waits to fill: less for latency, more for throughput",
            unit_seconds=1e-6,
        ),
        Knob(
            lever=Lever.MAX_QUEUE,
            sources=(file(CONFIG, FILE_KEYS[Lever.MAX_QUEUE]),),
            default=0,
            default_text="no limit",
            advise="requests wait longer than their callers do: refuse them at once",
        ),
        Knob(
            lever=Lever.COMPUTE_THREADS,
            sources=(
                argument(f"--backend-config={ONNX_RUNTIME},intra_op_thread_count"),
                file(CONFIG, FILE_KEYS[Lever.COMPUTE_THREADS]),
            ),
            default=0,
            default_text="one per core; of ONNX Runtime, the other backends read OMP_NUM_THREADS",
            advise="instances × threads exceed the CPUs",
        ),
        Knob(
            lever=Lever.INTER_OP_THREADS,
            sources=(
                argument(f"--backend-config={ONNX_RUNTIME},inter_op_thread_count"),
                file(CONFIG, FILE_KEYS[Lever.INTER_OP_THREADS]),
            ),
            default=0,
            default_text="one per core; used with execution_mode 1 alone",
        ),
        Knob(lever=Lever.REQUEST_THREADS, sources=(argument("--http-thread-count"),), default=8),
        Knob(
            lever=Lever.AFFINITY,
            sources=(argument("--host-policy"),),
            default_text="no policy",
            advise="instances on the CPU of two sockets: `--host-policy=cpu,cpu-cores=0-15`",
        ),
        Knob(lever=Lever.METRICS, sources=(argument("--allow-metrics"),), default=True),
    )

    def recognise(self, process: Process, parent: Role | None, facts: ProcessFacts | None) -> Role | None:
        command = parse_command(process.argv)
        if command.program == SERVER:
            return Role.FRONT_END if parent is None else Role.WORKER
        if command.program == _STUB:
            return Role.WORKER
        if parent is None:
            return None
        if command.program in _SHELLS:  # older servers start a model through a shell that becomes it
            return Role.SUPPORT if any(_STUB in item for item in command.arguments) else None
        return engine_role(process, parent) or helper_role(command, parent)  # vLLM is one of the backends in Python

    def settled_roles(self, processes: Sequence[tuple[Process, Role]]) -> Sequence[Role]:
        return settled_engines(processes)

    def settings_requests(self, process: Process) -> Sequence[SettingsRequest]:
        return TritonCommand(process).requests()

    def model_requests(self, process: Process, facts: ProcessFacts | None) -> Sequence[ModelRequest]:
        if facts is None:
            return ()
        configs = model_configs(process.key, TritonCommand(process), {process.key: facts})
        return tuple(ModelRequest(location=path) for one in configs if (path := one.weights))

    def traits(self, processes: Sequence[tuple[Process, Role]], facts: Facts) -> Traits:
        process = processes[0][0]
        command = TritonCommand(process)
        configs = model_configs(process.key, command, facts)
        named = option(command.arguments, "--id") or basename("".join(command.repositories[:1]))
        return Traits(
            application=named or "triton",
            port=command.port,
            models=_models(configs, command, [each for each, _ in processes], facts),
            metrics_urls=command.metrics_urls,
            chains=chains_of(configs),
        )

    def setting(self, lever: Lever, service: Service, facts: Facts) -> Setting | None:
        command = command_of(service)
        if self.knob(lever) and lever is not Lever.COMPUTE_THREADS and not command.is_server:
            return Setting(lever=lever, value=None, origin="its server is gone")
        if lever is Lever.METRICS:
            given = switch(command.arguments, "--allow-metrics")
            origin = "default" if given is None else "argument --allow-metrics"
            return Setting(lever=lever, value=given is not False, origin=origin)
        if lever is Lever.AFFINITY:
            cores = next((text for text in options(command.arguments, "--host-policy") if text.startswith(_POLICY)), "")
            found = Setting(lever=lever, value=cores.removeprefix(_POLICY), origin="argument --host-policy")
            return found if cores else shared_setting(lever, service, facts)
        if lever not in FILE_KEYS:
            return super().setting(lever, service, facts)
        return model_setting(lever, service, facts)

    def places(self, lever: Lever, value: Value, service: Service, facts: Facts) -> Sequence[Place]:
        if lever is Lever.AFFINITY:
            because = "the threads of instances on the CPU alone, and not those that ONNX Runtime binds itself"
            policy = argument_to(service, "--host-policy", f"{_POLICY}{value}", None, because)
            return (*shared_places(lever, value, service, facts), policy)
        if lever is Lever.NUMA_POLICY:
            because = "the memory of instances on the CPU alone"
            policy = argument_to(service, "--host-policy", f"cpu,numa-node={value}", None, because)
            return (*shared_places(lever, value, service, facts), policy)
        if lever not in FILE_KEYS:
            return super().places(lever, value, service, facts)
        return model_places(lever, value, service, facts)

    def gaps(self, service: Service, facts: Facts) -> Sequence[Gap]:
        command = command_of(service)
        if switch(command.arguments, "--allow-metrics") is False:
            return (Gap(missing="requests, errors, latency and queues", turn_on="--allow-metrics=true", where=_WHERE),)
        if "counter_latencies=false" in options(command.arguments, "--metrics-config"):
            return (Gap(missing="latency", turn_on="--metrics-config=counter_latencies=true", where=_WHERE),)
        return ()


def _models(
    configs: Sequence[ModelConfig], command: TritonCommand, processes: Sequence[Process], facts: Facts
) -> tuple[Model, ...]:
    """The models of the repository, and those that only a process of their own names."""
    found = {one.folder: one.model(command, files_below(one.folder, processes[:1], facts)) for one in configs}
    for each in processes:
        stub = parse_command(each.argv)
        if stub.program == _STUB and stub.arguments:
            folder = dirname(dirname(stub.arguments[0]))
            found.setdefault(folder, Model(name=basename(folder), runtime="python", path=folder))
    return tuple(found.values())[:MODEL_LIMIT]
