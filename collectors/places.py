"""What are a service's settings now, and where is each lever set on it?"""

from collectors.cpu_limits import cpu_limit_places
from collectors.entities import Service
from collectors.facts import Facts
from collectors.levers import Lever, Place, Setting, Value
from collectors.memory_limits import memory_limit_places
from collectors.registry import framework_named, manager_named

LEAST_SECONDS = 1e-4
"""Of a time that is written in seconds."""


def places_for(
    lever: Lever, value: Value, service: Service, facts: Facts, model: str | None = None
) -> tuple[Place, ...]:
    """Every place in which `lever` can be set to `value`, the one that wins first, each followed by its rendering for
    what manages the service. `model`: on that model alone, in the files of its own."""
    framework, manager = framework_named(service.framework), manager_named(service.manager)
    own = framework.places(lever, value, service, facts) if framework else ()
    if model is not None:
        own = [place for place in own if _is_of(place, model, service)]
    found = []
    limits = (*cpu_limit_places(lever, value, service), *memory_limit_places(lever, value, service))
    for place in (*own, *limits):
        found.append(place)
        found += manager.render(place, service) if manager else ()
    return tuple(found)


def _is_of(place: Place, name: str, service: Service) -> bool:
    """Whether a place is in a file below the model's folder, or an entry of its own in a file of several."""
    folder = next((one.path for one in service.models if one.name == name and one.path), None)
    below = folder is not None and place.target.startswith(f"{folder.rstrip('/')}/")
    return place.kind == "file" and (below or place.key.startswith(f'"{name}":'))


def time_as_set(lever: Lever, seconds: float, service: Service) -> int | float:
    """A time in the unit in which the service's framework has `lever`: a whole number of units shorter than a second, one at
    least."""
    unit, time = _unit_seconds(lever, service), max(seconds, shortest_time(lever, service))
    return round(time, 4) if unit >= 1 else round(time / unit)


def shortest_time(lever: Lever, service: Service) -> float:
    """The shortest time in seconds that `time_as_set` writes: nothing at all would turn off what waits for so long."""
    unit = _unit_seconds(lever, service)
    return LEAST_SECONDS if unit >= 1 else unit


def _unit_seconds(lever: Lever, service: Service) -> float:
    framework = framework_named(service.framework)
    knob = framework.knob(lever) if framework else None
    return knob.unit_seconds if knob else 1.0


def settings_of(service: Service, facts: Facts) -> tuple[Setting, ...]:
    """The present value of every lever that the service's framework knows."""
    framework = framework_named(service.framework)
    if framework is None:
        return ()
    settings = (framework.setting(lever, service, facts) for lever in Lever)
    return tuple(setting for setting in settings if setting is not None)
