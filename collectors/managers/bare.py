"""Processes that nobody manages: started by hand, by a script, or by something not known here."""

from collections.abc import Sequence
from typing import ClassVar

from collectors.containers.container import Container
from collectors.entities import Process, Service
from collectors.levers import Place
from collectors.manager import Manager


class Bare(Manager):
    order: ClassVar[int] = 100

    def owns(self, process: Process, container: Container | None) -> bool:
        return True

    def owner(self, process: Process, container: Container | None) -> str | None:
        return None

    def render(self, place: Place, service: Service) -> Sequence[Place]:
        return ()
