"""R42 on built hosts whose contexts are as large as the recorded ones."""

import msgspec
import pytest

from advisor.catalogue import all_rules
from advisor.engine import Engine
from advisor.finding import Need
from advisor.rules.gpu_context_multiplied import GpuContextMultiplied
from advisor.view import View
from collectors.entities import Model
from tests.advisor import built
from tests.advisor.built import concluded, gains, numbers, verdict
from tests.advisor.gpu_services import looked_into, on_gpu
from tests.advisor.gpus_built import GIB, RESERVED, TOTAL, gpu, hidden, on_gpus, process
from tests.advisor.gpus_replayed import process_bytes
from tests.advisor.llm_built import gguf, known, safetensors, server

RULE = GpuContextMultiplied()
USABLE = TOTAL - RESERVED
CONTEXT = process_bytes("h100", "idle")[0]
"""1.1 GiB: PyTorch's context with no model at all."""
RESNET = 102_228_128
PIDS = tuple(range(101, 113))


def workers(
    count: int = 12,
    each: int = CONTEXT + RESNET,
    *,
    models: tuple[Model, ...] = (safetensors(RESNET, None, "F32"),),
    sm: float | None = 0.02,
    used: float = 0.1,
    **device: object,
) -> View:
    """Twelve workers of a small model, each with a context of its own on one card."""
    pids = PIDS[:count]
    seen = server("gunicorn", pids, models=models, used=used, requests_per_second=20.0, latency_seconds=0.05)
    return on_gpus(seen, gpu([process(pid, each, sm) for pid in pids], **device))


def test_contexts_of_the_recorded_size_add_up_on_a_large_card():
    seen = workers()
    found = concluded(RULE, seen, known(seen, workers=12))
    shown = numbers(found)
    assert shown["gpu_processes"] == 12
    assert shown["gpu_beside_model_each"] == CONTEXT
    assert shown["gpu_beside_model_ratio"] == pytest.approx(12 * CONTEXT / USABLE, abs=1e-4)
    assert "12 processes hold 13.2 GiB" in found.title
    # 12 × 0.1 cores and 12 × 2 % of the device's time are 1.44 busy workers
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [("workers", 12, 2)]


def test_the_gain_is_between_the_models_alone_and_all_that_the_others_hold():
    seen = workers()
    low, likely, high = gains(concluded(RULE, seen, known(seen)))["memory_ratio"]
    assert low == pytest.approx(2 / 12, abs=1e-3)
    assert high == pytest.approx(1 - 10 * RESNET / (12 * (CONTEXT + RESNET)), abs=1e-3)
    assert likely == pytest.approx((low + high) / 2, abs=1e-3)


def test_ten_of_them_just_miss_and_keep_a_standing_finding():
    seen = workers(10)
    assert 0.1 < 10 * CONTEXT / USABLE < 0.15
    assert verdict(RULE, seen, known(seen)) is None
    assert verdict(RULE, seen, known(seen), standing=True) is not None


def test_two_processes_are_few_however_large():
    card = {"memory_total_bytes": 8 * GIB, "memory_reserved_bytes": 0}
    two, three = workers(2, **card), workers(3, **card)
    assert verdict(RULE, two, known(two)) is None
    assert verdict(RULE, three, known(three)) is not None


def test_weights_that_may_be_held_twice_as_wide_are_no_context():
    half = safetensors(GIB, None, "BF16")
    seen = workers(each=CONTEXT + 2 * GIB, models=(half,))
    assert numbers(concluded(RULE, seen, known(seen)))["gpu_beside_model_each"] == CONTEXT
    as_stored = workers(each=CONTEXT + GIB, models=(half,))  # 0.1 GiB may be all that is beside weights of 32 bits
    assert verdict(RULE, as_stored, known(as_stored)) is None


def test_a_format_that_is_taken_as_it_is_counts_once():
    seen = workers(each=CONTEXT + GIB, models=(gguf(GIB, None, None),))
    assert numbers(concluded(RULE, seen, known(seen)))["gpu_beside_model_each"] == CONTEXT


def test_models_of_unknown_size_are_asked_for_and_not_guessed():
    for models in ((), (Model(name="m"),), (safetensors(RESNET, None, "F32"), Model(name="other"))):
        seen = workers(models=models)
        need = verdict(RULE, seen, known(seen))
        assert isinstance(need, Need)
        assert (need.kind, "size of the models" in need.text) == ("privilege", True)


def test_memory_that_the_driver_hides_is_asked_for():
    seen = workers()
    own = [process(pid, None if pid == 103 else CONTEXT, 0.0) for pid in PIDS]
    blind = on_gpus(seen, gpu(own, used=13 * GIB))
    need = verdict(RULE, blind, known(blind))
    assert isinstance(need, Need)
    assert need.kind == "privilege"


def test_different_models_in_each_are_not_its_case():
    many = tuple(safetensors(2 * GIB, None, "F32") for _ in range(12))
    seen = workers(each=CONTEXT + 2 * GIB, models=many)
    assert verdict(RULE, seen, known(seen)) is None


def test_a_pool_is_reserved_on_purpose():
    seen = workers(each=6 * GIB)
    assert verdict(RULE, seen, known(seen, gpu_memory_share=0.08)) is None


@pytest.mark.parametrize(
    ("changed", "proposed"),
    [({"sm": 0.07}, [3]), ({"used": 0.9}, []), ({"sm": None}, [])],
)  # fmt: skip
def test_as_many_stay_as_the_work_keeps_busy(changed, proposed):
    seen = workers(**changed)
    assert [c.proposed for c in concluded(RULE, seen, known(seen)).changes] == proposed


def test_without_seconds_of_load_no_number_of_workers_is_proposed():
    seen = msgspec.structs.replace(workers(), samples=8)
    found = concluded(RULE, seen, known(seen))
    assert (found.changes, found.gains) == ((), ())
    assert "MPS" in found.summary


def test_under_mps_they_share_it_already():
    seen = workers(mps=True)
    found = concluded(RULE, seen, known(seen))
    assert "by MPS already" in found.summary
    assert found.changes == ()


def test_processes_of_others_are_not_counted():
    seen = workers(2, memory_total_bytes=8 * GIB, memory_reserved_bytes=0)
    own = seen.gpus[0].own
    one = gpu([*own, hidden(9, CONTEXT), process(999, CONTEXT)], memory_total_bytes=8 * GIB, memory_reserved_bytes=0)
    assert verdict(RULE, on_gpus(seen, one), known(seen)) is None


def test_it_is_found_without_load_among_all_rules():
    seen = msgspec.structs.replace(workers(), samples=0, loaded_now=False)
    found = Engine(all_rules()).judge(seen, known(seen))
    assert [(j.rule, j.severity) for j in found.judged] == [("gpu-context-multiplied", "info")]
    assert found.broken == ()


def test_requests_that_wait_for_something_else_keep_their_worker():
    seen = msgspec.structs.replace(workers(), latency_seconds=0.2)  # four in progress, at 0.8
    assert [c.proposed for c in concluded(RULE, seen, known(seen)).changes] == [5]
    queued = msgspec.structs.replace(workers(), accept_queue=(5.0,) * 15)
    assert concluded(RULE, queued, known(queued)).changes == ()
    silent = msgspec.structs.replace(workers(), requests_per_second=None)
    assert concluded(RULE, silent, known(silent)).changes == ()


def test_two_devices_need_the_workers_of_both():
    """Eight workers, four on each of two devices that they keep busy for 80 % of the time."""
    seen = workers(8, 4 * GIB, used=0.1)
    halves = [
        gpu([process(pid, 4 * GIB, 0.2) for pid in PIDS[start : start + 4]], uuid=f"GPU-{start}", index=start)
        for start in (0, 4)
    ]
    both = on_gpus(seen, *halves)
    assert [(c.current, c.proposed) for c in concluded(RULE, both, known(both)).changes] == [(8, 3)]


def test_a_setting_for_each_pool_is_stated_in_its_own_number():
    seen = workers(12)
    pooled = msgspec.structs.replace(seen, service=msgspec.structs.replace(seen.service, framework="mlserver"))
    found = concluded(RULE, pooled, known(pooled, workers=4))  # three pools of four
    assert [(c.current, c.proposed) for c in found.changes] == [(4, 1)]
    assert "run 1 for each pool" in found.title
    assert "no more to do than 3 can" in found.summary
    unknown = known(pooled, workers=12, model_pool=3)
    assert concluded(RULE, pooled, unknown).changes == ()


def test_a_server_without_a_number_of_workers_is_told_none():
    seen = workers()
    triton = msgspec.structs.replace(seen, service=msgspec.structs.replace(seen.service, framework="triton"))
    assert concluded(RULE, triton, known(triton)).changes == ()


def test_workers_that_wait_for_another_server_are_not_too_many_beside_too_few():
    """Eight synchronous workers at 0.05 cores whose requests queue for them, as they wait for another server."""
    seen = on_gpu(0.05, workers=8, queue=5.0, copy=3 * GIB, busy_ratio=0.08, busy_p95=0.2)
    models = (safetensors(RESNET, None, "F32"),)
    seen = msgspec.structs.replace(seen, service=msgspec.structs.replace(seen.service, models=models), established=40.0)
    facts = looked_into(seen, {"cuda-sync": 0.2}, waits={"outbound": 0.93})
    found = Engine(all_rules()).judge(seen, facts)
    assert [j.rule for j in found.judged] == ["io-bound-workers"]
    assert found.broken == ()
    assert concluded(RULE, seen, facts).changes == ()


@pytest.mark.parametrize("host", [built.healthy, built.too_many_workers])
def test_services_without_a_gpu_are_asked_for_nothing(host):
    assert verdict(RULE, host()) is None
