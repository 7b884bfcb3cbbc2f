"""How many threads do a worker's numeric libraries start, which variable says so, and which one would win?

OpenBLAS, MKL, BLIS, OpenMP and torch read the environment once, when they are loaded. Each has an order of variables;
all but the first fall back to OMP_NUM_THREADS. ONNX Runtime reads none of them.
"""

from collections.abc import Iterable, Mapping

import msgspec

from collectors.entities import Service
from collectors.facts import Environ, Facts, ProcessFacts
from collectors.learned import worker_environment
from collectors.levers import Lever, Place, Setting, Value
from collectors.reading import Unsupported

OMP = "OMP_NUM_THREADS"
UNSET = "unset"
"""The value of a `Setting` where nothing limits the threads: each library starts one per allowed CPU."""

PRECEDENCE: Mapping[str, tuple[str, ...]] = {
    "openblas": ("OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS", OMP),
    "mkl": ("MKL_NUM_THREADS", OMP),
    "torch": ("MKL_NUM_THREADS", OMP),
    "blis": ("BLIS_NUM_THREADS", OMP),
    "libgomp": (OMP,),
    "libiomp": (OMP,),
    "libomp": (OMP,),
    "tensorflow": ("TF_NUM_INTRAOP_THREADS",),
}
"""Kind of library -> the variables that it reads, the one that wins first."""

IN_CODE: Mapping[str, str] = {"onnxruntime": "intra_op_num_threads"}
"""Kinds that read no variable -> what the code of the service sets instead."""

_ASSUMED = ("openblas", "libgomp")


class ThreadsSetting(msgspec.Struct, frozen=True, kw_only=True):
    """How many threads the libraries of a worker may start each. `value` None: not known (`known` False), or nothing
    limits them and each starts one per allowed CPU."""

    value: int | None
    known: bool
    variable: str | None
    origin: str


def thread_count(text: str) -> int | None:
    """The number in a variable: OpenMP allows a list per nesting level (`4,2`); what is no positive number is ignored
    by the libraries."""
    first = text.split(",", 1)[0].strip()
    return int(first) if first.isdecimal() and int(first) > 0 else None


def governing(kinds: Iterable[str], values: Mapping[str, str]) -> dict[str, list[str]]:
    """Variable -> the kinds of mapped libraries whose thread count it decides, were it set."""
    found: dict[str, list[str]] = {}
    for kind in dict.fromkeys(kinds):
        order = PRECEDENCE.get(kind, ())
        if order:
            holds = next((name for name in order if thread_count(values.get(name, ""))), order[-1])
            found.setdefault(holds, []).append(kind)
    return found


def mapped_kinds(facts: ProcessFacts | None) -> tuple[str, ...] | None:
    """Kinds of mapped libraries that own threads; None if they are not readable. The OpenMP runtime that torch ships is
    sized by torch itself and left out."""
    if facts is None or isinstance(facts.libraries, Unsupported):
        return None
    libraries = [library for library in facts.libraries if library.kind in PRECEDENCE or library.kind in IN_CODE]
    has_torch = any(library.kind == "torch" for library in libraries)
    own = (lib.kind for lib in libraries if not (has_torch and lib.kind.startswith("lib") and "/torch" in lib.path))
    return tuple(dict.fromkeys(own))


def compute_threads(facts: ProcessFacts, environ: Mapping[str, str] | None = None) -> ThreadsSetting:
    """The present setting of one worker, from its facts; `environ` stands in for an environment that is not readable.
    Where libraries differ, the largest pool counts."""
    values = facts.environ.values if isinstance(facts.environ, Environ) else environ
    if values is None:
        reason = facts.environ.reason if isinstance(facts.environ, Unsupported) else "not read"
        return ThreadsSetting(value=None, known=False, variable=None, origin=f"environment not readable: {reason}")
    kinds = mapped_kinds(facts)
    held = governing(_ASSUMED if kinds is None else kinds or _ASSUMED, values)
    counts = {name: thread_count(values.get(name, "")) for name in held}
    free = [kind for name, count in counts.items() if count is None for kind in held[name]]
    if free or not counts:
        origin = f"default of {', '.join(free) or 'the library'}: one thread per allowed CPU"
        return ThreadsSetting(value=None, known=True, variable=None, origin=origin)
    variable, value = max(((n, c) for n, c in counts.items() if c is not None), key=lambda pair: pair[1])
    return ThreadsSetting(value=value, known=True, variable=variable, origin=f"env {variable}")


def compute_threads_setting(service: Service, facts: Facts) -> Setting:
    """The lever's present value for a service: a number, `unset`, or None if it is not known."""
    environment = worker_environment(service, facts)
    known = _worker_facts(service, facts)
    if known is None:
        return Setting(lever=Lever.COMPUTE_THREADS, value=None, origin=environment.reason)
    threads = compute_threads(known, environment.values)
    value: Value = threads.value if threads.value is not None or not threads.known else UNSET
    return Setting(lever=Lever.COMPUTE_THREADS, value=value, origin=threads.origin)


def compute_threads_places(value: Value, service: Service, facts: Facts) -> tuple[Place, ...]:
    """Where the thread count is decided here, what wins first; OMP_NUM_THREADS is always among them."""
    environment = worker_environment(service, facts)
    values = environment.values
    if values is None:
        return (_env(OMP, value, service, None, environment.reason),)
    kinds = mapped_kinds(_worker_facts(service, facts))
    held = governing(kinds or _ASSUMED, values)
    doubt = "the mapped libraries are not readable" if kinds is None else "no library with own threads is mapped yet"
    winners = sorted(held, key=lambda name: name != OMP)
    places = [
        _env(n, value, service, True if kinds else None, _why(n, held, values) if kinds else doubt) for n in winners
    ]
    places += [_code(kind, value, service) for kind in kinds or () if kind in IN_CODE]
    if OMP not in held:
        places.append(_env(OMP, value, service, False, _overruling(held, values) or "no mapped library reads it"))
    return tuple(places)


def _worker_facts(service: Service, facts: Facts) -> ProcessFacts | None:
    """Those of the worker that has mapped most, of the serving ones if any is known: libraries are mapped late."""
    known = [each for worker in service.serving if (each := facts.get(worker.key))]
    known = known or [each for worker in service.workers if (each := facts.get(worker.key))]
    return max(known, key=lambda each: len(mapped_kinds(each) or ()), default=None)


def _env(name: str, value: Value, service: Service, effective: bool | None, because: str) -> Place:
    text = None if value is None else str(value)
    return Place(kind="env", target=service.framework, key=name, value=text, effective=effective, because=because)


def _code(kind: str, value: Value, service: Service) -> Place:
    because = f"{kind} reads no variable: the code that makes the session sets it"
    key = IN_CODE[kind]
    return Place(kind="code", target=service.framework, key=key, value=value, effective=True, because=because)


def _why(name: str, held: Mapping[str, list[str]], values: Mapping[str, str]) -> str:
    kinds = ", ".join(held[name])
    if name != OMP:
        return f"{name} is {values.get(name, 'not set')} now, and {kinds} reads it first"
    if others := _overruling(held, values):
        return f"{kinds} reads it; {others}"
    own = sorted({variable for kind in held[name] for variable in PRECEDENCE[kind][:-1]})
    return f"{kinds} reads it" + (f"; not set: {', '.join(own)}" if own else "")


def _overruling(held: Mapping[str, list[str]], values: Mapping[str, str]) -> str:
    found = ((name, kinds) for name, kinds in held.items() if name != OMP and name in values)
    return "; ".join(f"{name}={values[name]} wins in {', '.join(kinds)}" for name, kinds in found)
