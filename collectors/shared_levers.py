"""Which levers does every server have, whatever its framework?"""

from collectors.clock_levers import clock_places
from collectors.code_levers import code_places
from collectors.compute_threads import compute_threads_places, compute_threads_setting
from collectors.entities import Role, Service
from collectors.facts import Facts
from collectors.levers import Lever, Place, Setting, Value
from collectors.memory_policy import memory_policy_places
from collectors.thread_binding import thread_binding_places, thread_binding_setting
from collectors.thread_waiting import thread_waiting_places


def shared_setting(lever: Lever, service: Service, facts: Facts) -> Setting | None:
    """The present value of a lever that does not depend on the framework."""
    if lever is Lever.COMPUTE_THREADS:
        return compute_threads_setting(service, facts)
    if lever is Lever.THREAD_BINDING:
        return thread_binding_setting(service, facts)
    return None


def shared_places(lever: Lever, value: Value, service: Service, facts: Facts) -> tuple[Place, ...]:
    """The places of a lever that does not depend on the framework."""
    if lever is Lever.COMPUTE_THREADS:
        return compute_threads_places(value, service, facts)
    if lever is Lever.THREAD_BINDING:
        return thread_binding_places(service, facts)
    if lever is Lever.THREAD_WAITING:
        return thread_waiting_places(value, service, facts)
    if lever is Lever.AFFINITY:
        because = "the mask is inherited by every process and thread that the server starts"
        target, text = service.framework, str(value)
        return (Place(kind="taskset", target=target, key="cpu-list", value=text, effective=True, because=because),)
    if lever is Lever.NUMA_POLICY:
        return memory_policy_places(value, service)
    if lever in (Lever.CPU_GOVERNOR, Lever.CPU_CLOCK_LIMIT):
        return clock_places(lever, value)
    return code_places(lever, value, service)


def counted_workers(service: Service, reason: str) -> Setting:
    """The number of workers that run, where the setting itself is not readable; None while there are none."""
    running = sum(1 for worker in service.workers if worker.role is Role.WORKER)
    return Setting(lever=Lever.WORKERS, value=running or None, origin=f"counted; {reason}")


def whole_number(text: object) -> int | None:
    """A setting's value as a number of workers or threads; None if it is none."""
    try:
        return int(str(text))
    except ValueError:
        return None


def argument_place(service: Service, name: str, value: Value, because: str) -> Place:
    """An option on the command line, which wins over everything else."""
    target, text = service.framework, str(value)
    return Place(kind="argument", target=target, key=name, value=text, effective=True, because=because)


def env_place(service: Service, name: str, value: Value, effective: bool | None, because: str) -> Place:
    target, text = service.framework, str(value)
    return Place(kind="env", target=target, key=name, value=text, effective=effective, because=because)
