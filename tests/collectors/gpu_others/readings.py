"""One reading of a collector on a machine made of files."""

from typing import Any

from collectors.collector import Collector
from collectors.gpu.states import state_of
from collectors.reading import Ok, Reading, Unreadable, Unsupported
from collectors.runner import collect_one
from tests.hosttree import HostTree


def run(collector: Collector, machine: HostTree) -> Reading:
    return collect_one(collector, machine.host, (), machine.clock.mono_ns)


def samples(collector: Collector, machine: HostTree) -> list[Any]:
    reading = run(collector, machine)
    assert isinstance(reading.outcome, Ok), reading.outcome
    return list(reading.samples)


def why(collector: Collector, machine: HostTree) -> tuple[str, str]:
    """State and hint of a reading that brought nothing."""
    outcome = run(collector, machine).outcome
    assert isinstance(outcome, Unsupported), outcome
    return state_of(outcome), outcome.hint


def seen(collector: Collector, machine: HostTree) -> tuple[str, str]:
    """Why no process is started for it, `("present", "")` where one is."""
    try:
        collector.present(machine.host)
    except Unreadable as error:
        return error.reason, error.hint
    return "present", ""


def in_outermost_namespace(machine: HostTree, name: str = "pid:[4026531836]") -> None:
    """Let the agent be in the node's own PID namespace, or in another one of that name."""
    link = machine.root / "proc/self/ns/pid"
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(name)
