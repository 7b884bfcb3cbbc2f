"""What is set on the models of a Triton now, and in which of their files is it set?

Each model has a configuration of its own, so that a lever is turned in as many files as there are models.
"""

from collections.abc import Sequence

from collectors.entities import Process, Service
from collectors.framework import Facts
from collectors.levers import Lever, Place, Setting, Value
from collectors.per_model import ModelValue, common_setting
from collectors.servers.triton_models import (
    CONFIG,
    FILE_KEYS,
    ONNX_RUNTIME,
    THREADS,
    ModelConfig,
    TritonCommand,
    model_configs,
)
from collectors.shared_levers import shared_places, shared_setting

_NO_CONFIG = f"no {CONFIG} was read"


def command_of(service: Service) -> TritonCommand:
    """The command line of a service's server."""
    return TritonCommand(_front(service))


def model_setting(lever: Lever, service: Service, facts: Facts) -> Setting | None:
    """What all models have in common; threads are those of ONNX Runtime, or of the libraries where no model runs in it."""
    command = command_of(service)
    configs = _tuned(model_configs(_front(service).key, command, facts))
    if lever in THREADS and not any(one.backend == ONNX_RUNTIME for one in configs):
        return shared_setting(lever, service, facts)
    if lever in THREADS and (held := command.backend_threads(lever)) is not None:
        return Setting(lever=lever, value=held.value, origin=held.origin)
    return common_setting(lever, [_held(lever, one, command) for one in configs], _NO_CONFIG)


def model_places(lever: Lever, value: Value, service: Service, facts: Facts) -> Sequence[Place]:
    """The file of each model on which the lever can be turned."""
    command = command_of(service)
    configs = _tuned(model_configs(_front(service).key, command, facts))
    tuned = [one for one in configs if lever not in THREADS or one.backend == ONNX_RUNTIME]
    if lever in THREADS and not tuned:
        return shared_places(lever, value, service, facts)
    key, again = FILE_KEYS[lever], not command.reads_again
    if lever in THREADS and command.backend_threads(lever) is not None:
        name = key.rpartition(".")[2]
        because = "the global thread pool is on, and the models' own counts are not read"
        return (
            argument_to(service, "--backend-config", f"{ONNX_RUNTIME},{name}={value}", True, because),
            *(_in_file(one, key, value, False, because, again) for one in tuned),
        )
    others = shared_places(lever, value, service, facts) if len(tuned) < len(configs) else ()
    because = "a model's own configuration decides"
    found = [_in_file(one, key, value, True, because, again) for one in tuned]
    unread = [
        Place(kind="file", target=f"{folder}/*/{CONFIG}", key=key, value=value, effective=None, because=_NO_CONFIG)
        for folder in command.local
        if not configs
    ]
    return (*found, *unread, *others)


def argument_to(service: Service, key: str, text: str, effective: bool | None, because: str) -> Place:
    target = service.framework
    return Place(kind="argument", target=target, key=key, value=text, effective=effective, because=because)


def _front(service: Service) -> Process:
    return (service.front_end or service.workers[0]).process


def _tuned(configs: Sequence[ModelConfig]) -> list[ModelConfig]:
    """The models on which a lever can be turned: an ensemble runs nothing itself."""
    return [one for one in configs if not one.is_ensemble]


def _held(lever: Lever, one: ModelConfig, command: TritonCommand) -> ModelValue:
    if lever in THREADS and one.backend != ONNX_RUNTIME:
        return ModelValue(one.name, None, f"its backend {one.backend or 'is not named and'} has a setting of its own")
    return one.held(lever, command)


def _in_file(one: ModelConfig, key: str, value: Value, effective: bool, because: str, restart: bool) -> Place:
    written = str(value) if key.startswith("parameters.") else value
    return Place(
        kind="file", target=one.file.path, key=key, value=written, effective=effective, because=because, restart=restart
    )
