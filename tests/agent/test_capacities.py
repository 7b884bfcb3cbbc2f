"""What a load test found holds for the configuration in which it was measured, across restarts too."""

import msgspec
import pytest

from advisor.measured import LoadStep, MeasuredCapacity
from agent.capacities import Capacities, CapacityRequest, StaleCapacity
from collectors.entities import Role, Service
from tests.captures import process, service_of

AT = "2026-11-20T10:00:00Z"
LEVERS = {"workers": 2, "affinity": "0-1", "cpu_quota": None}
TOLD = CapacityRequest(
    generation=3,
    knee_per_second=47.0,
    upper_per_second=51.0,
    bound="measured",
    unloaded_p50_seconds=0.0205,
    steps=(
        LoadStep(
            offered_per_second=47.0, answered_per_second=47.0, errors_ratio=0.0, latency_p50_seconds=0.021,
            latency_p99_seconds=0.03, kept_up=True,
        ),
    ),
)  # fmt: skip


class Disk:
    """What was saved; forgotten documents are gone."""

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}

    def save(self, kind: str, key: str, body: bytes) -> None:
        assert kind == "capacity"
        self.bodies[key] = body

    def forget(self, kind: str, key: str) -> None:
        assert kind == "capacity"
        self.bodies.pop(key, None)

    def capacities(self) -> Capacities:
        found = Capacities(self.save, self.forget)
        found.restore(self.bodies)
        return found


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def service() -> Service:
    front, one, two = (process(pid, "gunicorn") for pid in (10, 11, 12))
    return service_of("gunicorn", (front, Role.FRONT_END), (one, Role.WORKER), (two, Role.WORKER))


def holds(capacities: Capacities, service: Service, generation: int, **levers: object) -> float | None:
    found = capacities.measured(service.id, generation, lambda: LEVERS | levers)
    assert found is None or found.generation == generation
    return None if found is None else found.knee_per_second


def test_it_holds_in_its_generation_with_the_workers_of_then(disk, service):
    capacities = disk.capacities()
    learnt = capacities.learn(service, 3, LEVERS, TOLD, AT)
    assert learnt == MeasuredCapacity(
        at=AT, knee_per_second=47.0, upper_per_second=51.0, bound="measured", workers=2, generation=3,
        unloaded_p50_seconds=0.0205, steps=TOLD.steps,
    )  # fmt: skip
    assert holds(capacities, service, 3) == 47.0
    assert holds(capacities, service, 3, affinity="0") is None
    assert holds(capacities, service, 3, affinity=None) == 47.0
    assert capacities.measured("another", 3, lambda: LEVERS) is None


def test_once_the_configuration_changes_it_is_forgotten_for_good(disk, service):
    capacities = disk.capacities()
    capacities.learn(service, 3, LEVERS, TOLD, AT)
    assert holds(capacities, service, 4) is None
    assert holds(capacities, service, 3) is None
    assert disk.bodies == {}


def test_a_result_from_before_a_change_is_refused(disk, service):
    with pytest.raises(StaleCapacity, match=service.name):
        disk.capacities().learn(service, 4, LEVERS, TOLD, AT)
    assert disk.bodies == {}


def test_after_a_restart_it_holds_where_no_known_lever_differs(disk, service):
    disk.capacities().learn(service, 3, LEVERS, TOLD, AT)
    after = disk.capacities()
    assert holds(after, service, 0) == 47.0
    assert holds(after, service, 0, affinity=None) == 47.0
    assert holds(after, service, 0, workers=4) is None
    assert holds(after, service, 0) == 47.0
    assert holds(after, service, 1) is None
    assert disk.bodies == {}


def test_what_cannot_be_read_is_left_out(disk, service):
    disk.bodies[service.id] = b'{"capacity": {}}'
    assert holds(disk.capacities(), service, 0) is None


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"knee_per_second": 0}, "knee_per_second"),
        ({"upper_per_second": 40.0}, "not above"),
        ({"bound": "lower bound"}, "lower bound has no upper"),
        ({"upper_per_second": None}, "lower bound has no upper"),
        ({"steps": [msgspec.to_builtins(TOLD.steps[0])] * 101}, "steps"),
        ({"workers": 3}, "workers"),
    ],
)
def test_a_body_that_contradicts_itself_is_refused(change, named):
    body = msgspec.json.encode(msgspec.to_builtins(TOLD) | change)
    with pytest.raises(msgspec.ValidationError, match=named):
        msgspec.json.decode(body, type=CapacityRequest)
