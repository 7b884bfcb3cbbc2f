"""What are a service's settings now, and where is each lever set on it?"""

from collectors.cpu_limits import cpu_limit_places
from collectors.entities import Service
from collectors.facts import Facts
from collectors.levers import Lever, Place, Setting, Value
from collectors.registry import framework_named, manager_named


def places_for(lever: Lever, value: Value, service: Service, facts: Facts) -> tuple[Place, ...]:
    """Every place in which `lever` can be set to `value`, the one that wins first, each followed by its rendering for
    what manages the service."""
    framework, manager = framework_named(service.framework), manager_named(service.manager)
    own = framework.places(lever, value, service, facts) if framework else ()
    found = []
    for place in (*own, *cpu_limit_places(lever, value, service)):
        found.append(place)
        found += manager.render(place, service) if manager else ()
    return tuple(found)


def time_as_set(lever: Lever, seconds: float, service: Service) -> Value:
    """A time in the unit in which the service's framework has `lever`: a whole number of units shorter than a second."""
    framework = framework_named(service.framework)
    knob = framework.knob(lever) if framework else None
    unit = knob.unit_seconds if knob else 1.0
    return round(seconds, 4) if unit >= 1 else round(seconds / unit)


def settings_of(service: Service, facts: Facts) -> tuple[Setting, ...]:
    """The present value of every lever that the service's framework knows."""
    framework = framework_named(service.framework)
    if framework is None:
        return ()
    settings = (framework.setting(lever, service, facts) for lever in Lever)
    return tuple(setting for setting in settings if setting is not None)
