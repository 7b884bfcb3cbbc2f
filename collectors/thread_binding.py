"""Which variables tie compute threads to CPUs now, and what must be set so that none does?"""

from collections.abc import Mapping

from collectors.entities import Service
from collectors.facts import Facts
from collectors.learned import worker_environment
from collectors.levers import Lever, Place, Setting, Value

_UNBOUND = frozenset(("", "false", "none", "disabled"))
_OFF: Mapping[str, str | None] = {
    "OMP_PROC_BIND": "false",
    "OMP_PLACES": None,
    "GOMP_CPU_AFFINITY": None,
    "KMP_AFFINITY": "disabled",
}
"""Variable -> the value that ends binding; None = remove the variable."""


def binding(values: Mapping[str, str]) -> dict[str, str]:
    """The variables that bind threads now. `OMP_PROC_BIND=false` overrules the others but Intel's own."""
    found = {n: values[n] for n in _OFF if values.get(n, "").strip().lower().split(",")[0] not in _UNBOUND}
    if values.get("OMP_PROC_BIND", "").strip().lower() == "false":
        found = {name: value for name, value in found.items() if name == "KMP_AFFINITY"}
    return found


def thread_binding_setting(service: Service, facts: Facts) -> Setting:
    """False where nothing binds, else the variables as text; None if the environment is not known."""
    environment = worker_environment(service, facts)
    if environment.values is None:
        return Setting(lever=Lever.THREAD_BINDING, value=None, origin=environment.reason)
    found = binding(environment.values)
    text = " ".join(f"{name}={value}" for name, value in found.items())
    return Setting(lever=Lever.THREAD_BINDING, value=text or False, origin="env" if found else "default")


def thread_binding_places(service: Service, facts: Facts) -> tuple[Place, ...]:
    """What ends binding: only variables that bind now, `value` None where the variable is to be removed."""
    environment = worker_environment(service, facts)
    if environment.values is None:
        return (_place("OMP_PROC_BIND", service, None, environment.reason),)
    found = binding(environment.values)
    return tuple(_place(name, service, True, f"{name}={value} binds threads now") for name, value in found.items())


def _place(name: str, service: Service, effective: bool | None, because: str) -> Place:
    value: Value = _OFF[name]
    return Place(kind="env", target=service.framework, key=name, value=value, effective=effective, because=because)
