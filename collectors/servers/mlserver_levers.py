"""What is set on an MLServer now, for the server and for each of its models, and in which places?"""

from collections.abc import Sequence

from collectors.entities import Process, Service
from collectors.facts import Facts
from collectors.learned import Environment, environment_of, server_environment, settings_files
from collectors.levers import Lever, Place, Setting, Value
from collectors.per_model import ModelValue, common_setting
from collectors.servers.mlserver_settings import (
    MODEL_SETTINGS,
    POOL_KEYS,
    SETTINGS,
    ModelSettings,
    ServerSettings,
    model_settings,
    model_variable_of,
    pools,
    variable_of,
)
from collectors.shared_levers import counted_workers, env_place, whole_number

SERVER_KEYS = {Lever.WORKERS: "parallel_workers", Lever.METRICS: "metrics_endpoint"}
MODEL_KEYS = {
    Lever.MAX_BATCH_SIZE: "max_batch_size",
    Lever.MAX_BATCH_DELAY: "max_batch_time",
    Lever.MODEL_POOL: POOL_KEYS[0],
}
DEFAULT_WORKERS = 1
_NUMBERS: dict[Lever, type[int] | type[float]] = {Lever.MAX_BATCH_SIZE: int, Lever.MAX_BATCH_DELAY: float}
_NO_MODELS = f"no {MODEL_SETTINGS} was found"
_NAMED = 4
"""Models that a sentence names."""


def front(service: Service) -> Process:
    return (service.front_end or service.workers[0]).process


def server_of(service: Service, facts: Facts) -> ServerSettings:
    return ServerSettings(front(service), server_environment(service, facts).values, facts)


def models_of(process: Process, environment: Environment, facts: Facts) -> list[ModelSettings]:
    return model_settings(settings_files(process.key, facts, MODEL_SETTINGS), environment.values)


def workers_setting(service: Service, facts: Facts) -> Setting:
    """parallel_workers; what runs where it is not known, or where neither place that is read explains what runs."""
    server = server_of(service, facts)
    number = whole_number(server.text("parallel_workers"))
    if number is not None:
        return Setting(lever=Lever.WORKERS, value=number, origin=_origin(server, "parallel_workers"))
    if doubt := server.doubt("parallel_workers"):
        return counted_workers(service, doubt)
    counted = counted_workers(service, "a place that is not read sets it, such as .env")
    expected = DEFAULT_WORKERS * pools(_models(service, facts))
    default = Setting(lever=Lever.WORKERS, value=DEFAULT_WORKERS, origin="default")
    return default if counted.value in (None, expected) else counted


def metrics_setting(service: Service, facts: Facts) -> Setting:
    """The path of the metrics page; False if it is switched off."""
    server = server_of(service, facts)
    endpoint = server.endpoint()
    if endpoint is None:
        return Setting(lever=Lever.METRICS, value=None, origin=server.doubt("metrics_endpoint"))
    return Setting(lever=Lever.METRICS, value=endpoint or False, origin=_origin(server, "metrics_endpoint"))


def pools_setting(service: Service, facts: Facts) -> Setting:
    """How many pools of workers run, each with parallel_workers of them."""
    server, models = server_of(service, facts), _models(service, facts)
    if server.text("parallel_workers") == "0":
        return Setting(lever=Lever.MODEL_POOL, value=0, origin=_origin(server, "parallel_workers"))
    doubts = (one.doubt(key) for one in models for key in POOL_KEYS)
    if doubt := next(filter(None, doubts), "" if models else _NO_MODELS):
        return Setting(lever=Lever.MODEL_POOL, value=None, origin=doubt)
    number = pools(models)
    origins = [one.held(key)[1] for one in models for key in POOL_KEYS]
    return Setting(lever=Lever.MODEL_POOL, value=number, origin=next(filter(None, origins), "default"))


def model_setting(lever: Lever, service: Service, facts: Facts) -> Setting:
    """What all models have in common; None where they differ, or where it is not known of one of them."""
    found = [_held(one, lever) for one in _models(service, facts)]
    return common_setting(lever, found, _NO_MODELS)


def _held(model: ModelSettings, lever: Lever) -> ModelValue:
    key, kind = MODEL_KEYS[lever], _NUMBERS[lever]
    value, origin = model.held(key)
    if value is not None:
        number = _number(value, kind)
        return ModelValue(model.name, number, origin if number is not None else f"{key} is no number")
    doubt = model.doubt(key)
    return ModelValue(model.name, None if doubt else kind(0), doubt or "default")


def server_places(lever: Lever, value: Value, service: Service, facts: Facts) -> tuple[Place, ...]:
    """settings.json and the environment, the one to write first; the file wins where it holds the key."""
    server, key = server_of(service, facts), SERVER_KEYS[lever]
    because = f"{SETTINGS} wins over the environment"
    in_file = Place(kind="file", target=server.path, key=key, value=value, effective=True, because=because)
    if server.file is None:
        return (
            in_file,
            env_place(service, variable_of(key), value, None, f"{SETTINGS} is not readable, and would win"),
        )
    if key in server.file.values:
        wins = f"{SETTINGS} sets {key} to {server.file.values[key]} and wins"
        return (in_file, env_place(service, variable_of(key), value, False, wins))
    return (env_place(service, variable_of(key), value, True, f"{SETTINGS} does not set it"), in_file)


def model_places(lever: Lever, value: Value, service: Service, facts: Facts) -> tuple[Place, ...]:
    """Each model's file, then the variable that holds for every model whose file is silent. To get one more pool, one
    model gets a pool that is called like itself."""
    key, models = MODEL_KEYS[lever], _models(service, facts)
    because = f"{MODEL_SETTINGS} wins over the environment"
    found = [
        Place(
            kind="file", target=one.file.path, key=key, value=one.name if lever is Lever.MODEL_POOL else value,
            effective=True, because=because,
        )
        for one in models
        if one.file and (lever is not Lever.MODEL_POOL or not any(one.pool))
    ]  # fmt: skip
    if lever is Lever.MODEL_POOL:  # the variable would put all models into one pool again
        return tuple(found)
    setting = [one.name for one in models if one.file and key in one.file.values]
    wins, why = _variable_wins(setting, models, key)
    place = env_place(service, model_variable_of(key), value, wins, why)
    held_by_variable = any(one.held(key)[1].startswith("env") for one in models)
    return (place, *found) if held_by_variable and not setting else (*found, place)


def _variable_wins(setting: Sequence[str], models: Sequence[ModelSettings], key: str) -> tuple[bool | None, str]:
    if setting:
        named = ", ".join(setting[:_NAMED])
        return False, f"{MODEL_SETTINGS} of {named} sets {key} and wins"
    return (True, f"no {MODEL_SETTINGS} sets it") if models else (None, _NO_MODELS)


def _models(service: Service, facts: Facts) -> list[ModelSettings]:
    return models_of(front(service), server_environment(service, facts), facts)


def environment_models(processes: Sequence[Process], facts: Facts) -> list[ModelSettings]:
    """The models of a server by its processes, front-end first."""
    return models_of(processes[0], environment_of(processes, facts), facts)


def _origin(server: ServerSettings, key: str) -> str:
    if server.in_file(key):
        return f"file {SETTINGS}"
    return "default" if server.text(key) is None else f"env {variable_of(key)}"


def _number(value: Value, kind: type[int] | type[float]) -> int | float | None:
    try:
        return kind(str(value))
    except ValueError:
        return None
