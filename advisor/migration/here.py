"""What would make a service's model faster on the CPUs that it is on, before anything is moved?"""

from advisor.facts import ServiceFacts
from advisor.finding import Need
from advisor.gpu.holding import geometry_of
from advisor.migration.anatomy import Anatomy, anatomy_of
from advisor.migration.cpu import HostCpu
from advisor.migration.forms import Kind, Way, in_batches, in_int8, in_runtime, on_threads
from advisor.migration.parameters import parameters_of
from advisor.migration.precisions import INT8, on_cpu
from advisor.migration.spread import Percentiles, Spread
from advisor.migration.work import Work, streamed_bytes
from advisor.profiling.asking import profile_of
from advisor.service_demand import effective_cores
from advisor.view import View
from collectors.entities import Model

TRIED_ROWS = 8
"""Requests in one call of which is told what they would bring: more help less and less, and wait longer for each other."""
MORE_THREADS = 2
"""Of a worker that computes with one, where as many cores are left for each."""
LEAST_KERNELS = 0.3
"""Of a request's time, for 8 bits to be worth a word."""
_GRAPHS = frozenset(("onnxruntime", "openvino", "tensorflow", "llama"))
"""Libraries that run whole graphs already."""
_COMPILED = ("torchinductor", "torch_compile", "/inductor", "xgboost", "lightgbm", "catboost", "treelite")
"""In names of functions and files: graphs that are compiled, and libraries that walk all trees in one call."""
_WIDE = frozenset(("F32", "F64", "FLOAT", "DOUBLE", "float32", "float64"))
_COUNTS = frozenset(("I64", "I32", "U8", "BOOL", "INT64", "INT32", "UINT8"))
"""Types of a few numbers beside the weights: positions, shapes, masks."""
MOSTLY = 0.95
_NARROW_KERNELS = ("fbgemm", "qgemm", "gemm_s8", "s8s8", "u8s8", "int8", "quantized", "qlinear")
"""In names of functions: products of 8 bits are made already, whatever the files say."""


def ways_here(view: View, facts: ServiceFacts, work: Work, host: HostCpu) -> tuple[Way, ...]:
    """In other forms; nothing where no profile tells what its time goes into."""
    profile = facts.profile
    rows = max(1.0, view.batch_size or 1.0)
    streamed = streamed_bytes(view.service.models)
    weights = work.weights if streamed is None else streamed
    read = weights * work.generation.steps
    anatomy = (
        anatomy_of(profile, work.cpu_seconds * rows, read, host, convolutional=work.family == "convolutional")
        if profile is not None
        else None
    )
    if anatomy is None:
        return ()
    seed = f"{view.service.id} here"
    found = [_runtime(facts, work, anatomy, host, seed), _int8(facts, anatomy, host, weights, seed)]
    if rows < TRIED_ROWS / 2:
        throughput = in_batches(anatomy, host, TRIED_ROWS, seed)
        found.append(_told("batches", f"{TRIED_ROWS} requests in one call of the model", throughput, anatomy))
    if (
        facts.threads is not None
        and facts.threads.value == 1
        and effective_cores(view) >= MORE_THREADS * len(view.serving)
    ):
        found.append(
            _told("threads", f"on {MORE_THREADS} threads a worker", on_threads(anatomy, MORE_THREADS, seed), anatomy)
        )
    return tuple(one for one in found if one is not None)


def eager_library(facts: ServiceFacts) -> str | None:
    """The library that calls each operation, or each tree, by itself, as its functions in the profile tell; None where a graph
    runtime or a compiled predictor does the work, or where the maps of the workers are not readable."""
    hot = _hot(facts)
    if not may_be_eager(facts) or any(word in where for where in hot for word in _COMPILED):
        return None
    if "torch" in (facts.compute_libraries or ()) and any("torch" in where for where in hot):
        return "PyTorch"
    return "scikit-learn" if any("sklearn" in where for where in hot) else None


def may_be_eager(facts: ServiceFacts) -> bool:
    """As far as mapped libraries tell: a profile may tell more."""
    kinds = facts.compute_libraries
    return kinds is not None and not kinds & _GRAPHS


def _hot(facts: ServiceFacts) -> list[str]:
    """Names of the functions in which its workers spend their time."""
    return [spot.where for one in (facts.profile.workers if facts.profile is not None else ()) for spot in one.hot]


def _runtime(facts: ServiceFacts, work: Work, anatomy: Anatomy, host: HostCpu, seed: str) -> Way | None:
    library = eager_library(facts)
    if library is None or work.generation.steps > 1:
        return None
    if library == "scikit-learn" and work.family != "trees":
        return None
    return _told("runtime", "in ONNX Runtime", in_runtime(anatomy, host, seed), anatomy)


def could_be_int8(facts: ServiceFacts) -> bool:
    """Whether nearly all weights are stored in 32 bits or more, nothing multiplies 8 yet, and the CPUs could."""
    types: dict[str, int] = {}
    for model in facts.service.models:
        for one in model.files:
            for name, count in one.dtypes.items():
                types[name] = types.get(name, 0) + count
    wide = sum(count for name, count in types.items() if name in _WIDE)
    if not wide or wide < MOSTLY * sum(types.values()) or types.keys() - _WIDE - _COUNTS:
        return False
    narrow = any(word in where.lower() for where in _hot(facts) for word in _NARROW_KERNELS)
    return on_cpu(INT8, facts.cpu.flags or ()) and not narrow


def _int8(facts: ServiceFacts, anatomy: Anatomy, host: HostCpu, weights: float, seed: str) -> Way | None:
    """Of weights of 32 bits whose products the CPU's instructions do in 8; `weights`: bytes that a pass reads."""
    if anatomy.kernel < LEAST_KERNELS or not could_be_int8(facts):
        return None
    throughput = in_int8(anatomy, host, weights, quantised_part(facts.service.models), seed)
    if throughput is None:
        return None
    what = "with weights and products of 8 bits"
    return _told("int8", what + (" (calibrated)" if anatomy.convolves else ""), throughput, anatomy)


def quantised_part(models: tuple[Model, ...]) -> Spread:
    """Of the weights that a pass reads, those that tools put into 8 bits: a table of embeddings that is the output layer,
    too, may stay."""
    shape = geometry_of(models[0]) if len(models) == 1 else None
    counted = parameters_of(shape) if shape is not None else None
    if counted is None or not counted.tied:
        return Spread(0.97, 0.99, 1.0)
    layers = counted.active_layers / counted.computed
    return Spread(0.98 * layers, layers, 1.0)


def way_of(facts: ServiceFacts, kind: Kind) -> Way | Need | None:
    """As it was worked out for the service, or what is missing for it."""
    native = profile_of(facts, "what the library's own functions do", "native")
    if isinstance(native, Need):
        return native
    known = facts.migration
    if known is None or known.situation is None:
        return known.needs if known is not None else None
    return next((one for one in known.here if one.kind == kind), None)


def _told(kind: Kind, what: str, throughput: Percentiles, anatomy: Anatomy) -> Way:
    return Way(kind=kind, what=what, throughput=throughput, ceiling=1 / max(1e-3, anatomy.outside.low))
