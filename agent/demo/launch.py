"""With which settings is the demo's server started, and what may be changed about them?"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from collectors.levers import Value

COMPUTE_KEYS = ("OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "BLIS_", "NUMEXPR_", "VECLIB_")
"""Environment keys of compute libraries, by how they begin."""

SERVER_KEYS = ("MLSERVER_",)


SEE_LOG = "its log stays with --keep-environment"


class DemoError(Exception):
    """The demo cannot go on. `hint` says what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """Everything that decides how the server runs, and nothing that does not (ports, folders)."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    """Only what is set on purpose."""
    files: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    """Settings files in JSON, by path inside the server's folder."""
    cpus: frozenset[int] | None = None
    """The CPUs that the server may run on; None = those of this process."""


def clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` without what would decide the server's threads, workers or modules behind the demo's back."""
    foreign = (*COMPUTE_KEYS, *SERVER_KEYS, "PYTHON")
    return {key: value for key, value in environment.items() if not key.startswith(foreign)}


def allowed_cpus() -> tuple[int, ...]:
    """The CPUs of this process, in order."""
    return tuple(sorted(os.sched_getaffinity(0)))


def relative_to(folder: Path, target: str) -> str | None:
    """`target` as a path inside `folder`; None if it lies elsewhere."""
    path = (folder / target).resolve()
    return str(path.relative_to(folder.resolve())) if path.is_relative_to(folder.resolve()) else None
