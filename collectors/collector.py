"""What is a collector, and which ones are there?

A collector is one file in `collectors/sources/` that defines exactly one `Collector`; it is found by scanning the
folder. It raises what it meets; `collectors.runner` owns deadline, timing and errors.
"""

import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import Any, ClassVar

from collectors.entities import Service
from collectors.host import Host
from collectors.sample import Sample


class Collector(ABC):
    """Reads one kind of thing. May keep descriptors and the last reading between calls; one thread calls it."""

    samples: ClassVar[tuple[type[Sample], ...]]
    """The sample types that it produces."""
    cadence_seconds: ClassVar[float] = 1.0
    """How often it is worth running."""
    cost: ClassVar[str]
    """What one run costs and on what it depends, for the reference docs."""
    own_thread: ClassVar[bool] = False
    """True for what may block (a request to a server): it runs outside the sampler thread."""
    process: ClassVar[str | None] = None
    """Name of the process in which it runs, for what may hang in a driver or loads a large library; collectors of one name
    share it. Its readings come whenever they are there."""
    needs: ClassVar[str] = "nothing"
    """Privilege or kernel feature that it needs, for `doctor` and the docs."""

    @property
    def doing(self) -> str:
        """What it waits for at this moment, for whoever notices that a run does not end; empty = it does not say."""
        return ""

    @property
    def name(self) -> str:
        return type(self).__module__.rpartition(".")[2].replace("_", "-")

    @abstractmethod
    def collect(self, host: Host, services: Sequence[Service]) -> Iterable[Sample]:
        """One raw reading. Raises Unreadable where the host lacks something, OSError where a read failed.

        A process that vanishes meanwhile is left out, it is no error.
        """

    def present(self, host: Host) -> None:  # noqa: B027 - most are on every host
        """Of a collector with a process of its own: raises Unreadable where it is of no use to start one. Cheap, and asked
        again every now and then: what is not here may come."""

    def close(self) -> None:  # noqa: B027 - most keep nothing
        """Give back what is kept between calls."""


def only_subclass(module: ModuleType, base: type[Any]) -> type[Any]:
    """The one concrete subclass of `base` that `module` itself defines; TypeError if there is none or several."""
    found = [
        thing
        for thing in vars(module).values()
        if isinstance(thing, type) and issubclass(thing, base) and thing is not base
        and thing.__module__ == module.__name__
    ]  # fmt: skip
    if len(found) != 1:
        raise TypeError(f"{module.__name__} must define exactly one {base.__name__}, found {len(found)}")
    return found[0]


def scan(package: ModuleType, base: type[Any]) -> list[type[Any]]:
    """One class per module of `package`, sorted by module name."""
    names = sorted(info.name for info in pkgutil.iter_modules(package.__path__))
    return [only_subclass(importlib.import_module(f"{package.__name__}.{name}"), base) for name in names]


def all_collectors() -> list[Collector]:
    """A fresh instance of every collector below `collectors/sources/`."""
    from collectors import sources

    return [kind() for kind in scan(sources, Collector)]
