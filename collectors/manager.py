"""What does a file in `collectors/managers/` say: how is something set where a service runs?"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from collectors.containers.container import Container
from collectors.entities import Process, Service
from collectors.levers import Place


class Manager(ABC):
    """One deployment manager. The file's name is its id."""

    order: ClassVar[int] = 50
    """Managers are asked in this order; the first that owns a process has it. `bare` comes last."""

    @property
    def name(self) -> str:
        return type(self).__module__.rpartition(".")[2].replace("_", "-")

    @abstractmethod
    def owns(self, process: Process, container: Container | None) -> bool:
        """Whether this manager runs the process. `container` None: it runs in none."""

    @abstractmethod
    def owner(self, process: Process, container: Container | None) -> str | None:
        """The unit, workload or service by which this manager knows a process that it owns, without what changes at a
        restart; None if no such name is visible."""

    @abstractmethod
    def render(self, place: Place, service: Service) -> Sequence[Place]:
        """`place` in this manager's own words, to be added after it; empty where it has none."""
