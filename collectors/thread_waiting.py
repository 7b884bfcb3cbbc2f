"""How do idle threads of compute pools wait, and which variable makes them sleep rather than spin?

libgomp spins 300 000 rounds after a parallel region unless OMP_WAIT_POLICY or GOMP_SPINCOUNT say otherwise, Intel's and
LLVM's runtimes for KMP_BLOCKTIME (200 ms), OpenBLAS's own pool for 2^OPENBLAS_THREAD_TIMEOUT cycles (26; 4 is its least).
ONNX Runtime spins too and reads none of them: its session is told in code.
"""

from collections.abc import Iterable, Mapping

from collectors.compute_threads import mapped_kinds
from collectors.entities import Service
from collectors.facts import Facts
from collectors.learned import Environment, worker_environment
from collectors.levers import Place, Value

ACTIVE, PASSIVE = "active", "passive"
"""Values of the lever: threads spin before they sleep, or sleep at once."""

_SLEEP: Mapping[str, tuple[str, str]] = {
    "libgomp": ("OMP_WAIT_POLICY", "PASSIVE"),
    "torch": ("OMP_WAIT_POLICY", "PASSIVE"),
    "libiomp": ("KMP_BLOCKTIME", "0"),
    "libomp": ("KMP_BLOCKTIME", "0"),
    "mkl": ("KMP_BLOCKTIME", "0"),
    "openblas": ("OPENBLAS_THREAD_TIMEOUT", "4"),
}
"""Kind of library -> the variable that it reads, and what makes its threads sleep."""
_IN_CODE = {"onnxruntime": ("session.intra_op.allow_spinning", "0")}
"""Kinds that read no variable -> the entry of their session's options."""
_OVERRULING = "GOMP_SPINCOUNT"
SPINNERS = frozenset(_SLEEP) | frozenset(_IN_CODE)


def already_passive(kind: str, values: Mapping[str, str]) -> bool:
    """Whether the threads of this library are told to sleep at once by now."""
    if kind not in _SLEEP:
        return False
    name, wanted = _SLEEP[kind]
    passive = values.get("OMP_WAIT_POLICY", "").strip().lower() == PASSIVE
    if name == "OMP_WAIT_POLICY":
        return passive and values.get(_OVERRULING, "0").strip() == "0"
    if name == "KMP_BLOCKTIME":  # the runtimes that read it obey the standard variable too, where it is not set
        return values.get(name, "0" if passive else "").strip() == wanted
    return values.get(name, "").strip() == wanted


def thread_waiting_places(value: Value, service: Service, facts: Facts) -> tuple[Place, ...]:
    """What makes the mapped pools sleep; nothing for another value, as spinning is what they do by themselves."""
    if value != PASSIVE:
        return ()
    environment = worker_environment(service, facts)
    kinds = _mapped(service, facts)
    held: dict[tuple[str, str], list[str]] = {}
    for kind in ("libgomp",) if kinds is None else kinds:
        if kind in _SLEEP and not already_passive(kind, environment.values or {}):
            held.setdefault(_SLEEP[kind], []).append(kind)
    places = []
    for (name, wanted), readers in held.items():
        wins, because = _why(name, readers, environment, known=kinds is not None)
        places.append(_env(name, wanted, service, wins, because))
        if name == "OMP_WAIT_POLICY" and (environment.values or {}).get(_OVERRULING, "0") != "0":
            places.append(_env(_OVERRULING, None, service, True, f"{_OVERRULING} wins over OMP_WAIT_POLICY: remove it"))
    for kind in kinds or ():
        if kind in _IN_CODE:
            key, wanted = _IN_CODE[kind]
            because = f"{kind} reads no variable: the options with which the code makes the session"
            places.append(
                Place(kind="code", target=service.framework, key=key, value=wanted, effective=True, because=because)
            )
    return tuple(places)


def _mapped(service: Service, facts: Facts) -> tuple[str, ...] | None:
    """Kinds of mapped libraries whose threads spin; None where no process could be looked into."""
    known = [mapped_kinds(facts[w.key]) for w in service.serving if w.key in facts]
    found = [kinds for kinds in known if kinds is not None]
    if not found:
        return None
    return tuple(dict.fromkeys(kind for kinds in found for kind in kinds if kind in SPINNERS))


def _why(name: str, readers: Iterable[str], environment: Environment, *, known: bool) -> tuple[bool | None, str]:
    if environment.values is None:
        return None, environment.reason
    if not known:
        return None, "the mapped libraries are not readable"
    return True, f"{', '.join(readers)} reads it when it is loaded; {name} is {environment.values.get(name, 'not set')}"


def _env(name: str, value: Value, service: Service, effective: bool | None, because: str) -> Place:
    return Place(kind="env", target=service.framework, key=name, value=value, effective=effective, because=because)
