"""`/metrics` parses, its names say their units, and no label grows with time."""

import re
from collections.abc import Mapping
from typing import Annotated, ClassVar

import msgspec
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from agent.http.exposition import Exposition
from agent.http.sample_families import sample_metric_name
from collectors.collector import all_collectors
from collectors.gpu.samples import KINDS as GPU_KINDS
from collectors.sample import Sample, fields_of, metric
from collectors.sources.serving import ServingSample
from tests.agent.http.example import example_deps
from tests.snapshots import HEALTHY, HEALTHY_ID, LOADED, example_snapshot

OPENMETRICS = {"Accept": "application/openmetrics-text; version=1.0.0"}
UNITS = (
    "seconds", "bytes", "ratio", "cores", "connections", "threads", "processes", "per_second", "info", "weight",
    "total", "finding", "missing", "pages", "requests", "models",
    "per_hour", "series", "hertz", "watts", "celsius", "lanes", "links", "rows", "multiprocessors", "bits",
)  # fmt: skip
LABELS = {
    "core",
    "resource",
    "port",
    "service",
    "slot",
    "role",
    "thread_class",
    "collector",
    "version",
    "rule",
    "severity",
    "kind",
    "needs",
    "currency",
}


class Core(Sample, frozen=True, kw_only=True, gc=False):
    kind: ClassVar[str] = "core"
    user_ticks: Annotated[int | None, metric("seconds", "In user mode.", counter=True, scale=0.01)]


class Work(Sample, frozen=True, kw_only=True, gc=False):
    kind: ClassVar[str] = "worker"
    user_ticks: Annotated[int | None, metric("seconds", "In user mode.", counter=True, scale=0.01)]
    resident_kib: Annotated[int | None, metric("bytes", "Resident.", scale=1024)]
    threads: Annotated[int | None, metric("threads", "Threads.")]
    name: Annotated[str | None, metric("", "A text.")]


class Listen(Sample, frozen=True, kw_only=True, gc=False):
    kind: ClassVar[str] = "listen"
    accept_queue: Annotated[int | None, metric("connections", "Waiting.")]


def work(entity: str, ticks: int | None) -> Work:
    return Work(entity=entity, user_ticks=ticks, resident_kib=2, threads=4, name="secret \udcff")


def samples() -> Mapping[str, Mapping[str, Sample]]:
    workers = (
        work("worker:101:40101", 250),
        work("worker:102:40102", None),
        work("worker:102:1", 999),  # the pid's former owner
        work("worker:4000:5", 999),  # of no service
    )
    return {
        "core": {f"core:{n}": Core(entity=f"core:{n}", user_ticks=n * 100) for n in range(2)},
        "worker": {one.entity: one for one in workers},
        "listen": {f"listen:{n}": Listen(entity=f"listen:{n}", accept_queue=7) for n in (8000, 35139)},
        "cgroup": {
            "cgroup:/a.slice": Core(entity="cgroup:/a.slice", user_ticks=5),
            "cgroup:/b.slice": Core(entity="cgroup:/b.slice", user_ticks=6),
        },
        "thread": {"thread:101:40101:7": Core(entity="thread:101:40101:7", user_ticks=5)},
        "thread_class": {
            "worker:101:40101:compute": Core(entity="worker:101:40101:compute", user_ticks=50),
            "worker:101:40101:main": Core(entity="worker:101:40101:main", user_ticks=60),
        },
        "serving": {f"service:{HEALTHY_ID}": Core(entity=f"service:{HEALTHY_ID}", user_ticks=1)},
        "none": {},
    }


@pytest.fixture
async def page(make_client) -> str:
    deps = example_deps(latest=samples, service_cgroups=lambda: {LOADED: "cgroup:/a.slice"})
    client = await make_client(deps)
    answer = await client.get("/metrics", headers=OPENMETRICS)
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
    return await answer.text()


def values(page: str, name: str) -> dict[frozenset[tuple[str, str]], float]:
    found = [one for family in parse_openmetrics(page) for one in family.samples if one.name == name]
    return {frozenset(one.labels.items()): one.value for one in found}


def one_value(page: str, name: str, **labels: str) -> float:
    return values(page, name)[frozenset(labels.items())]


async def test_counters_are_in_base_units_and_end_in_total(page):
    assert one_value(page, "nodewright_core_user_seconds_total", core="1") == 1.0
    labels = {"service": LOADED, "slot": "1", "role": "worker"}
    assert one_value(page, "nodewright_worker_user_seconds_total", **labels) == 2.5
    assert one_value(page, "nodewright_worker_resident_bytes", **labels) == 2048


async def test_what_is_not_readable_is_left_out_and_a_former_owner_of_a_pid_too(page):
    assert len(values(page, "nodewright_worker_user_seconds_total")) == 1
    assert len(values(page, "nodewright_worker_threads")) == 2
    assert "999" not in page


async def test_entities_are_named_by_bounded_labels(page):
    assert one_value(page, "nodewright_listen_accept_queue_connections", service=LOADED, port="8000") == 7
    assert len(values(page, "nodewright_listen_accept_queue_connections")) == 1, "the port of no service is left out"
    assert one_value(page, "nodewright_cgroup_user_seconds_total", service=LOADED) == 0.05
    assert one_value(page, "nodewright_serving_user_seconds_total", service=HEALTHY) == 0.01
    labels = {"service": LOADED, "slot": "1", "role": "worker", "thread_class": "compute"}
    assert one_value(page, "nodewright_thread_class_user_seconds_total", **labels) == 0.5
    assert not values(page, "nodewright_thread_user_seconds_total")


async def test_services_findings_and_our_own_cost_are_there(page):
    assert one_value(page, "nodewright_service_used_cores", service=LOADED) == 1.94
    assert one_value(page, "nodewright_service_waiting_cores", service=LOADED) == 1.9
    assert one_value(page, "nodewright_service_accept_queue_connections", service=LOADED) == 7
    high = {"rule": "cpu-oversubscribed-openmp", "service": LOADED, "severity": "high"}
    assert one_value(page, "nodewright_finding", **high) == 1
    assert len(values(page, "nodewright_finding")) == 4, "the acknowledged one is not open"
    assert one_value(page, "nodewright_self_cpu_seconds_total") == 4.2
    assert one_value(page, "nodewright_self_resident_memory_bytes") == 41 << 20
    assert one_value(page, "nodewright_collector_duration_seconds", collector="cpu") == 0.0001
    assert one_value(page, "nodewright_build_info", version="0.1.0") == 1


async def test_every_family_has_help_a_unit_in_its_name_and_known_labels(page):
    for family in parse_openmetrics(page):
        assert family.documentation, family.name
        for sample in family.samples:
            assert sample.name.startswith("nodewright_")
            assert sample.name.endswith(UNITS), sample.name
            assert set(sample.labels) <= LABELS, sample


async def test_no_label_holds_a_pid(page):
    pids = {str(one.pid) for one in example_snapshot().workers}
    for family in parse_openmetrics(page):
        for sample in family.samples:
            assert not pids & set(sample.labels.values()), sample


async def test_no_series_is_there_twice(page):
    lines = [line.rpartition(" ")[0] for line in page.splitlines() if not line.startswith("#")]
    assert len(lines) == len(set(lines))


async def test_the_text_format_is_answered_to_others(make_client):
    client = await make_client(example_deps(latest=samples))
    answer = await client.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain")
    names = {one.name for family in parse_text(await answer.text()) for one in family.samples}
    assert {"nodewright_core_user_seconds_total", "nodewright_build_info"} <= names


def test_two_processes_in_one_slot_show_the_younger():
    snapshot = example_snapshot()
    old = msgspec.structs.replace(snapshot.workers[1], pid=900, started=1)
    both = msgspec.structs.replace(snapshot, workers=(*snapshot.workers, old))
    latest = {"worker": {e: work(e, t) for e, t in (("worker:101:40101", 250), ("worker:900:1", 70000))}}
    families = {family.name: family for family in Exposition(both, latest, {}).collect()}
    assert [one.value for one in families["nodewright_worker_user_seconds"].samples] == [2.5]


def test_two_services_of_one_name_add_up():
    snapshot = example_snapshot()
    twin = msgspec.structs.replace(snapshot.services[0], id="other", latency_seconds=0.5)
    both = msgspec.structs.replace(snapshot, services=(*snapshot.services, twin))
    families = {family.name: family for family in Exposition(both, {}, {}).collect()}
    used = {one.labels["service"]: one.value for one in families["nodewright_service_used_cores"].samples}
    assert used[LOADED] == pytest.approx(3.88)
    assert [one.value for one in families["nodewright_service_latency_seconds"].samples] == [0.5]


def test_a_model_has_families_of_its_own_and_a_foreign_one_none():
    snapshot = example_snapshot()
    own = snapshot.services[0].id
    entities = (f"service:{own}", f"model:{own}/org/bert {chr(0xDCFF)}", "model:gone/bert", "model:x")
    latest = {"serving": {entity: serving(entity, number) for number, entity in enumerate(entities, 1)}}
    families = {family.name: family for family in Exposition(snapshot, latest, {}).collect()}
    of_service, of_model = families["nodewright_serving_requests"], families["nodewright_model_serving_requests"]
    assert [(one.labels, one.value) for one in of_service.samples] == [({"service": LOADED}, 1.0)]
    assert [(one.labels, one.value) for one in of_model.samples] == [({"service": LOADED, "model": "org/bert ?"}, 2.0)]
    assert [one.value for one in families["nodewright_serving_kv_cache_ratio"].samples] == [0.5]
    assert [one.value for one in families["nodewright_model_serving_latency_p99_seconds"].samples] == [0.25]


def serving(entity: str, requests: int) -> ServingSample:
    values = dict.fromkeys(ServingSample.__struct_fields__[1:], None)
    known = {"requests": requests, "kv_cache_ppm": 500_000, "latency_p99_us": 250_000}
    return ServingSample(entity=entity, **values | known)


def test_every_declared_field_has_a_name_with_a_unit_and_a_help_text():
    for collector in all_collectors():
        for kind in collector.samples:
            if kind.kind == "thread":
                continue
            for spec in fields_of(kind):
                if spec.text:
                    continue
                name = sample_metric_name(kind.kind, spec)
                assert re.fullmatch(r"nodewright_[a-z0-9_]+", name)
                numbered = spec.unit in ("", "flag") and kind in GPU_KINDS  # a generation, a state, an index
                assert spec.counter or numbered or name.endswith(UNITS), name
                assert spec.help, name
