"""Which environment does the code of a service see, where its server sets variables of its own?

/proc shows what a process started with. gunicorn's `--env`, uvicorn's `--env-file` and Ray's thread count come later.
"""

from collections.abc import Mapping, Sequence

import msgspec

from collectors.entities import Role, Service
from collectors.facts import Environ, Facts, ProcessFacts
from collectors.reading import Unsupported

Sets = Sequence[tuple[str, str | None]]


def as_seen(service: Service, facts: Facts) -> Facts:
    """`facts` with what the server sets laid over the environment of the processes that serve."""
    if not service.sets:
        return facts
    serving = {worker.key for worker in service.serving if worker.role is Role.WORKER}
    return {key: _with(known, service.sets) if key in serving else known for key, known in facts.items()}


def hidden_in(values: Mapping[str, str], sets: Sets) -> str:
    """Why an environment that starts with `values` is not known in the end; empty if it is."""
    hidden = [name for name, value in sets if value is None and name not in values]
    return f"the server sets {', '.join(hidden)} to a value that is not visible" if hidden else ""


def _with(known: ProcessFacts, sets: Sets) -> ProcessFacts:
    if not isinstance(known.environ, Environ):
        return known
    values = known.environ.values
    environ: Environ | Unsupported = Environ(values | {name: value for name, value in sets if value is not None})
    if reason := hidden_in(values, sets):
        environ = Unsupported(reason, "set it before the server starts")
    return msgspec.structs.replace(known, environ=environ)
