"""A fault in one framework's file costs that framework its answer; every other goes on."""

import logging
from collections.abc import Sequence

import pytest

from collectors.discovery import Discovery
from collectors.entities import Process, Role
from collectors.facts import ProcessFacts
from collectors.framework import Facts, Framework, Gap, Traits
from collectors.levers import Lever
from collectors.places import places_for, settings_of
from collectors.registry import all_frameworks
from tests.captures import process, service_of
from tests.hosttree import HostTree


class Faulty(Framework):
    order = 1
    evidence = "documented"

    def recognise(self, process: Process, parent: Role | None, facts: ProcessFacts | None) -> Role | None:
        if "faulty" in process.argv:
            return Role.FRONT_END
        raise IndexError("no argument")

    def traits(self, processes: Sequence[tuple[Process, Role]], facts: Facts) -> Traits:
        raise KeyError("port")

    def gaps(self, service: object, facts: Facts) -> Sequence[Gap]:
        raise ValueError("gaps")


def test_every_method_that_raises_has_an_answer_and_says_so_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    one, faulty = process(1, "x"), Faulty()
    with caplog.at_level(logging.ERROR):
        assert faulty.recognise(one, None, None) is None
        assert faulty.traits([(one, Role.FRONT_END)], {}).application == faulty.name
        assert faulty.gaps(service_of("x", (one, Role.FRONT_END)), {}) == ()
    assert [record.message for record in caplog.records] == [
        f"Faulty.{name} failed; it goes on without" for name in ("recognise", "traits", "gaps")
    ]


def test_discovery_goes_on_beside_a_faulty_framework(tmp_path) -> None:
    tree = HostTree(tmp_path)
    tree.process(10, argv=("gunicorn", "-b", "127.0.0.1:8000", "app:app"))
    tree.process(20, argv=("faulty",), comm="faulty")
    found = Discovery((Faulty(), *all_frameworks()))
    found.scan(tree.host)
    tree.clock.advance(20)
    found.scan(tree.host)
    assert {service.framework for service in found.services} == {"gunicorn", Faulty().name}


def test_a_fault_in_a_lever_costs_that_lever(monkeypatch: pytest.MonkeyPatch) -> None:
    service = service_of("gunicorn", (process(10, "gunicorn", "app:app"), Role.FRONT_END))
    monkeypatch.setattr("collectors.frameworks.gunicorn.shared_setting", lambda *_: 1 / 0)
    levers = {setting.lever for setting in settings_of(service, {})}
    assert Lever.WORKERS in levers
    assert Lever.COMPUTE_THREADS not in levers
    monkeypatch.setattr("collectors.frameworks.gunicorn.shared_places", lambda *_: 1 / 0)
    assert [p.kind for p in places_for(Lever.AFFINITY, "0", service, {}) if p.kind == "taskset"] == []
