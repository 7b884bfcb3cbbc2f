"""Which samples stand on `/metrics`, in which order, and which are left out where they are too many?

A family is there whole or not at all. Those of `_FIRST` come before all others, so that a large node keeps what rules,
dashboards and `nodewright fleet` rest on; then the rest by kind. What did not fit is counted, by kind.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from agent.http.deps import Latest
from agent.http.family import PREFIX, Family
from agent.http.labels import Labeller, Labels
from collectors.sample import FieldSpec, Sample, fields_of

MODEL = "model:"
"""How the entities of a service's models begin."""
LEFT_OUT = f"{PREFIX}_left_out_series"
_UNITLESS = frozenset(("", "1", "flag"))
_FIRST: dict[str, tuple[str, ...]] = {
    "node_cpu": (), "memory": (), "vm": (), "pressure": (), "listen_drops": (),
    "serving": (
        "requests", "errors", "latency_sum_us", "latency_count", "latency_p99_us", "in_flight", "queue", "tokens_out",
        "first_token_p99_us", "kv_cache_ppm", "preemptions",
    ),
    "cgroup": ("quota_us", "period_us", "periods", "throttled_periods", "memory_limit_bytes", "memory_current_bytes",
               "oom_kills"),
    "listen": ("accept_queue",),
    "gpu": ("memory_total_bytes", "memory_used_bytes", "memory_free_bytes", "busy_ppm", "sm_active_ppm", "dram_active_ppm",
            "power_mw", "temperature_celsius", "power_cap_ns", "software_thermal_ns", "hardware_thermal_ns", "xid_events",
            "last_xid"),
    "gpu_health": ("ecc_uncorrected", "remap_failed"),
    "core": ("user_ticks", "system_ticks", "steal_ticks", "idle_ticks"),
    "worker": ("user_ticks", "system_ticks", "resident_bytes"),
    "gpu_process": ("memory_bytes", "sm_ppm"),
}  # fmt: skip
"""By kind: the fields of use; none named = all of them."""
_THEN = ("serving", "cgroup", "listen", "gpu", "gpu_health", "connections", "frequency", "gpu_info", "core", "gpu_process",
         "thread_class", "worker", "worker_memory")  # fmt: skip
"""Whose other fields come next, in this order; kinds that are not named here come last, and those of models after them."""


def sample_metric_name(kind: str, spec: FieldSpec) -> str:
    """`nodewright_core_user_seconds`: without `_total`, with the unit at a gauge's end."""
    name = f"{PREFIX}_{kind}_{spec.metric_name}"
    if spec.counter or spec.unit in _UNITLESS or name.endswith(f"_{spec.unit}"):
        return name
    return f"{name}_{spec.unit}"


def sample_families(latest: Latest, labeller: Labeller, most_series: int) -> Iterator[Family]:
    """Families of at most `most_series` series together, and one that counts what was left out."""
    labelled = {kind: _latest_by_labels(samples.values(), labeller) for kind, samples in _kinds(latest).items()}
    left = most_series - len(labelled)  # of the family that counts
    out: dict[Labels, float] = {}
    for kind, spec in _in_order({kind: fields_of(type(known[0][1])) for kind, known in labelled.items() if known}):
        known = labelled[kind]
        if len(known) > left:
            series = sum(getattr(sample, spec.name) is not None for _, sample in known)
            if series > left:
                out[("kind", kind),] = out.get((("kind", kind),), 0.0) + series
                continue
        values = {
            labels: round(value * spec.scale, 9)
            for labels, sample in known
            if (value := getattr(sample, spec.name)) is not None
        }
        left -= len(values)
        if values:
            yield Family(sample_metric_name(kind, spec), spec.help, spec.counter, values)
    if out:
        yield Family(LEFT_OUT, "Series of samples that are not on this page, as they are too many.", False, out)


def _kinds(latest: Latest) -> dict[str, Mapping[str, Sample]]:
    """Samples of models are families of their own, so that a sum counts nothing twice."""
    kinds: dict[str, Mapping[str, Sample]] = {}
    for kind, samples in sorted(latest.items()):
        models = {entity: one for entity, one in samples.items() if entity.startswith(MODEL)}
        kinds[kind] = {entity: one for entity, one in samples.items() if entity not in models} if models else samples
        if models:
            kinds[f"model_{kind}"] = models
    return kinds


def _in_order(kinds: Mapping[str, Iterable[FieldSpec]]) -> Iterator[tuple[str, FieldSpec]]:
    numbers = {kind: [one for one in specs if not one.text] for kind, specs in kinds.items()}
    others = sorted((kind for kind in kinds if kind not in _THEN), key=lambda kind: (kind.startswith("model_"), kind))
    first = [
        (kind, one) for kind, names in _FIRST.items() for one in numbers.get(kind, ()) if not names or one.name in names
    ]
    taken = {(kind, one.name) for kind, one in first}
    rest = ((kind, one) for kind in (*_THEN, *others) for one in numbers.get(kind, ()))
    return chain(first, ((kind, one) for kind, one in rest if (kind, one.name) not in taken))


def _latest_by_labels(samples: Iterable[Sample], labeller: Labeller) -> list[tuple[Labels, Sample]]:
    """One sample per set of labels: the youngest of two processes in one slot, of other things the last by name."""
    found: dict[Labels, Sample] = {}
    for sample in sorted(samples, key=_age):
        labels = labeller.labels(sample.entity)
        if labels is not None:
            found[labels] = sample
    return list(found.items())


def _age(sample: Sample) -> tuple[int, str]:
    parts = sample.entity.split(":")
    started = parts[2] if parts[0] == "worker" and len(parts) > 2 else ""
    return (int(started) if started.isdigit() else 0, sample.entity)
