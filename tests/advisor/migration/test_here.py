"""Which other forms are told of a service on its own CPUs, and of what weights."""

import pytest
from msgspec.structs import replace

from advisor.facts import ServiceFacts
from advisor.migration.estimate import estimate
from advisor.migration.forms import Way
from advisor.migration.work import streamed_bytes
from advisor.view import View
from collectors.compute_threads import ThreadsSetting
from tests.advisor.migration.migrating import AVX512, encoder, market
from tests.advisor.profiles_built import profiled, worker_profile

ONE = ThreadsSetting(value=1, known=True, variable="OMP_NUM_THREADS", origin="env")


def ways(seen: View, **known: object) -> dict[str, Way]:
    profiles = [
        worker_profile(w.key.pid, w.cores_used, {"kernel": 0.9, "array": 0.1}, samples=1000, phases={"predict": 1.0})
        for w in seen.workers[:2]
    ]
    facts: ServiceFacts = replace(profiled(seen, *profiles), cpu=AVX512, **known)
    return {one.kind: one for one in estimate(seen, facts, market(seen)).here}


def test_threads_are_told_where_a_worker_has_one_and_cores_are_idle():
    assert "threads" in ways(encoder(workers=4), threads=ONE)
    assert 1.2 < ways(encoder(workers=4), threads=ONE)["threads"].throughput.p50 <= 2.0
    assert "threads" not in ways(encoder(workers=12), threads=ONE), "no two cores for each"
    assert "threads" not in ways(encoder(workers=4), threads=replace(ONE, value=4))
    assert "threads" not in ways(encoder(workers=4), threads=None)


def test_batches_are_told_where_there_are_none_yet():
    assert "batches" in ways(encoder(workers=4))
    assert "batches" not in ways(replace(encoder(workers=4), batch_size=8.0))


def test_a_pass_reads_no_rows_of_the_table_that_it_does_not_look_up():
    model = encoder().service.models[0]
    whole, table = 109_482_240, 30522 * 768
    assert streamed_bytes((model,)) == pytest.approx(438e6 * (whole - table) / whole, rel=0.02), (
        "positions, norms, pooler"
    )
    assert streamed_bytes(()) is None
