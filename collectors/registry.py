"""Which serving frameworks and deployment managers are there?"""

from collections.abc import Mapping
from functools import cache

from collectors.collector import scan
from collectors.framework import Framework
from collectors.manager import Manager


@cache
def all_frameworks() -> tuple[Framework, ...]:
    """Every framework below `collectors/frameworks/`, in the order in which they are asked."""
    from collectors import frameworks

    found: list[Framework] = [kind() for kind in scan(frameworks, Framework)]
    return tuple(sorted(found, key=lambda framework: framework.order))


@cache
def all_managers() -> tuple[Manager, ...]:
    """Every manager below `collectors/managers/`, in the order in which they are asked."""
    from collectors import managers

    found: list[Manager] = [kind() for kind in scan(managers, Manager)]
    return tuple(sorted(found, key=lambda manager: manager.order))


def framework_named(name: str) -> Framework | None:
    return _frameworks_by_name().get(name)


def manager_named(name: str) -> Manager | None:
    return next((manager for manager in all_managers() if manager.name == name), None)


@cache
def _frameworks_by_name() -> Mapping[str, Framework]:
    return {framework.name: framework for framework in all_frameworks()}
