"""What can be turned on a service, and in which places it can be set?"""

from enum import StrEnum

import msgspec


class Lever(StrEnum):
    """Something that advice may change, independent of the server that has it."""

    WORKERS = "workers"
    REQUEST_THREADS = "request_threads"
    COMPUTE_THREADS = "compute_threads"
    AFFINITY = "affinity"
    THREAD_BINDING = "thread_binding"
    CPU_QUOTA = "cpu_quota"
    CPU_WEIGHT = "cpu_weight"


Value = int | float | str | bool | None


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """One place in which a lever can be set for a service.

    `kind` is how a program would write it: `env` (environment of `target`), `argument` (command line of `target`),
    `file` (key of a JSON settings file), `taskset` (CPU list of `target` and its children), `cgroup` (file of the
    cgroup folder `target`), `systemd` (directive of the unit `target`), `code`.
    `value` is the text to write for the proposed value. `effective` False: another place wins, and `because` says
    which; None = could not be told.
    """

    kind: str
    target: str
    key: str
    value: Value
    effective: bool | None
    because: str | None
    restart: bool = True


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """The present value of a lever and where it comes from (`argument`, `env`, `file settings.json`, `default`).
    `value` None = not known; `origin` then says what is missing."""

    lever: Lever
    value: Value
    origin: str
