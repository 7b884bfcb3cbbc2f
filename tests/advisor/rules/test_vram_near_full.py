"""R34 on built hosts: memory that runs full, memory that is reserved on purpose, and memory of others."""

import msgspec
import pytest

from advisor.board import Board
from advisor.catalogue import all_rules
from advisor.engine import Engine
from advisor.finding import Conclusion, Need
from advisor.gpu.view import GpuProcessView
from advisor.rules.vram_near_full import VramNearFull
from advisor.view import View
from collectors.entities import Model, Process, Service
from collectors.reading import Instant
from tests.advisor import built
from tests.advisor.built import concluded, gains, numbers, verdict
from tests.advisor.gpus_built import GIB, RESERVED, TOTAL, gpu, hidden, on_gpus, process
from tests.advisor.gpus_replayed import used_bytes
from tests.advisor.llm_built import gguf, known, pages, safetensors, server

RULE = VramNearFull()
USABLE = TOTAL - RESERVED
MINUTE = 60


def seen_memory(now: int, per_minute: int = 0) -> tuple[tuple[float, int], ...]:
    """Five minutes of it, a reading each ten seconds."""
    return tuple((10.0 * (29 - n), now - round(per_minute * (29 - n) / 6)) for n in range(30))


def one(pid: int, held: int | None, per_minute: int = 0) -> GpuProcessView:
    found = process(pid, held, 0.1)
    return found if held is None else msgspec.structs.replace(found, memory_seen=seen_memory(held, per_minute))


def torch(held: int, per_minute: int = 0, workers: int = 1, **device: object) -> View:
    """A PyTorch service alone on the recorded H100: each worker holds as much of it."""
    pids = tuple(range(101, 101 + workers))
    seen = server("gunicorn", pids, used=0.2, requests_per_second=5.0, latency_seconds=0.1)
    own = [one(pid, held // workers, per_minute // workers) for pid in pids]
    return on_gpus(seen, gpu(own, memory_seen=seen_memory(held, per_minute), **device))


def found_on(seen: View, **levers: object) -> Conclusion:
    return concluded(RULE, seen, known(seen, **levers))


def test_four_workers_that_fill_it_become_three():
    seen = torch(round(0.94 * USABLE), workers=4)
    found = found_on(seen, workers=4)
    assert "94% full" in found.title
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [("workers", 4, 3)]
    shown = numbers(found)
    assert shown["gpu_memory_used_ratio"] == pytest.approx(0.94, abs=1e-3)
    assert shown["gpu_memory_free"] == pytest.approx(0.06 * USABLE, rel=1e-6)
    assert gains(found)["memory_ratio"][1] == pytest.approx(0.75)
    assert found.harm is None


def test_workers_whose_work_keeps_all_of_them_busy_stay():
    seen = torch(round(0.94 * USABLE), workers=4)
    busy = msgspec.structs.replace(
        seen, workers=tuple(msgspec.structs.replace(w, cores_used=0.7) for w in seen.workers)
    )  # fmt: skip
    assert found_on(busy).changes == ()
    unseen = msgspec.structs.replace(seen, samples=5)
    assert found_on(unseen).changes == ()


def test_the_reserve_of_the_driver_is_not_to_be_had():
    """89.6 % of what the card has, 90.1 % of what can be used."""
    seen = torch(round(0.896 * TOTAL))
    assert numbers(found_on(seen))["gpu_memory_used_ratio"] == pytest.approx(0.9013, abs=1e-3)


def test_nine_tenths_just_miss_and_keep_a_standing_finding():
    seen = torch(round(0.89 * USABLE))
    assert verdict(RULE, seen, known(seen)) is None
    assert verdict(RULE, seen, known(seen), standing=True) is not None
    low = torch(round(0.79 * USABLE))
    assert verdict(RULE, low, known(low), standing=True) is None


def test_a_smaller_batch_gives_back_at_most_its_part():
    held = round(0.94 * USABLE)
    seen = torch(held)
    seen = msgspec.structs.replace(
        seen, service=msgspec.structs.replace(seen.service, models=(safetensors(16 * GIB),))
    )  # fmt: skip
    found = found_on(seen, max_batch_size=64)
    beside, missing = held - 16 * GIB, held - round(0.8 * USABLE)
    proposed = int(64 * (1 - missing / beside))
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [("max_batch_size", 64, proposed)]
    low, likely, high = gains(found)["memory_ratio"]
    assert low == pytest.approx(1 - beside * (1 - proposed / 64) / held, abs=1e-3)
    assert high == 1.0
    assert likely == pytest.approx((1 + low) / 2, abs=1e-3)


def test_growth_tells_when_it_is_full_and_is_a_harm():
    seen = torch(70 * GIB, per_minute=GIB)
    found = found_on(seen)
    free = USABLE - 70 * GIB
    assert numbers(found)["gpu_full_in"] == pytest.approx(free / GIB * MINUTE, abs=1)
    assert "full in about 9 min" in found.title
    assert "Provisional: seen for 5 min" in found.summary
    assert found.harm == "runs-out-of-memory"
    assert found.confidence == pytest.approx(0.35 + 0.4 * 290 / (free / GIB * MINUTE), abs=1e-3)
    (own,) = (j for j in Engine(all_rules()).judge(seen, known(seen)).judged if j.rule == "vram-near-full")
    assert own.severity == "high"


def test_growth_that_takes_an_hour_is_less_sure_and_counts_for_less():
    seen = torch(30 * GIB, per_minute=GIB)
    found = found_on(seen)
    assert found.confidence < 0.5
    (own,) = (j for j in Engine(all_rules()).judge(seen, known(seen)).judged if j.rule == "vram-near-full")
    assert own.severity == "low"


def test_growth_that_takes_more_than_an_hour_just_misses_and_keeps_a_standing_finding():
    seen = torch(10 * GIB, per_minute=GIB)
    assert verdict(RULE, seen, known(seen)) is None
    assert verdict(RULE, seen, known(seen), standing=True) is not None


def test_a_model_that_loads_does_not_grow():
    seen = torch(20 * GIB, per_minute=4 * GIB)
    loading = msgspec.structs.replace(
        seen, service=msgspec.structs.replace(seen.service, models=(safetensors(60 * GIB),))
    )
    assert verdict(RULE, seen, known(seen)) is not None
    assert verdict(RULE, loading, known(loading)) is None
    silent = msgspec.structs.replace(seen, requests_per_second=0.0)
    assert verdict(RULE, silent, known(silent)) is None


@pytest.mark.parametrize(
    ("came", "loads"),
    [(4 * GIB / 60, True), (12 * GIB / 60, True), (20 * GIB / 60, False), (1 * GIB / 60, False), (None, False)],
)
def test_what_comes_in_over_the_link_and_is_kept_is_a_model_that_loads(came: float | None, loads: bool):
    """4 GiB a minute, the model's files unknown. More than comes in is no copy, a fifth of what comes in is no load."""
    seen = torch(60 * GIB, per_minute=4 * GIB, pcie_rx_bytes_per_second=came)
    unknown = msgspec.structs.replace(seen, requests_per_second=None)
    assert (verdict(RULE, unknown, known(unknown)) is None) is loads


@pytest.mark.parametrize("framework", ["llama-server", "ollama"])
def test_what_grows_in_a_server_that_reserves_at_its_start_is_its_model(framework: str):
    seen = torch(60 * GIB, per_minute=4 * GIB)
    service = msgspec.structs.replace(seen.service, framework=framework)
    loading = msgspec.structs.replace(seen, service=service, requests_per_second=None)
    assert verdict(RULE, loading, known(loading)) is None


@pytest.mark.parametrize(
    ("signs", "harm"),
    [
        ({"established": 0.0, "accept_queue": (0.0,) * 15}, None),
        ({"established": None, "accept_queue": ()}, None),
        ({"established": 2.0}, "runs-out-of-memory"),
        ({"established": None, "accept_queue": (0.0, 1.0)}, "runs-out-of-memory"),
        ({"requests_per_second": 5.0, "established": 0.0}, "runs-out-of-memory"),
    ],
)
def test_growth_without_a_sign_of_requests_is_no_harm(signs: dict[str, object], harm: str | None):
    seen = msgspec.structs.replace(torch(70 * GIB, per_minute=GIB), **{"requests_per_second": None, **signs})
    assert found_on(seen).harm == harm


def test_it_is_over_soon_after_it_is_no_longer_seen():
    growing, still = torch(70 * GIB, per_minute=GIB), torch(30 * GIB)
    board, engine = Board(), Engine([RULE])
    for second, seen in [(0, growing), (2, growing), (4, still), (21, still)]:
        board.update(seen.service, engine.judge(seen, known(seen)), seen, Instant(second * 10**9, 0))
        assert [f.rule for f in board.findings(Instant(second * 10**9, 0))] == (["vram-near-full"] if second else [])
    board.update(still.service, engine.judge(still, known(still)), still, Instant(23 * 10**9, 0))
    assert board.findings(Instant(23 * 10**9, 0)) == ()


def test_a_step_is_no_growth():
    held = 40 * GIB
    steps = tuple((10.0 * (29 - n), held if n > 20 else 20 * GIB) for n in range(30))
    seen = on_gpus(server("gunicorn", requests_per_second=5.0), gpu([process(101, held)], memory_seen=steps))
    assert verdict(RULE, seen, known(seen)) is None


def test_the_recorded_growth_is_far_from_full_and_too_short_to_draw_out():
    held = used_bytes("h100", "grow")
    readings = tuple((float(4 - n), amount) for n, amount in enumerate(held))
    seen = on_gpus(server("gunicorn", requests_per_second=5.0), gpu([process(101, held[-1])], memory_seen=readings))
    assert seen.gpus[0].gpu.memory_used_bytes == 11_193_352_192
    assert verdict(RULE, seen, known(seen)) is None


def shared(own: GpuProcessView, other: GpuProcessView, *, used: int | None = None, per_minute: int = 0) -> View:
    total = used if used is not None else (own.memory_bytes or 0) + (other.memory_bytes or 0)
    device = gpu([own, other], used=total, memory_seen=seen_memory(total, per_minute))
    return on_gpus(server("gunicorn", requests_per_second=5.0), device)


def test_of_two_the_one_that_grows_is_told():
    grower = shared(one(101, 30 * GIB, GIB), one(999, 40 * GIB), per_minute=GIB)
    found = found_on(grower)
    assert found.harm == "runs-out-of-memory"
    assert "what grows are its processes" in found.summary
    beside = shared(one(101, 30 * GIB), one(999, 40 * GIB, GIB), per_minute=GIB)
    assert verdict(RULE, beside, known(beside)) is None


def test_of_two_that_fill_it_the_larger_is_told():
    larger = shared(one(101, 50 * GIB), one(999, 25 * GIB))
    found = found_on(larger)
    assert ("other processes on the device", "the largest of others holds 25.0 GiB") in {
        (r.cause, r.because) for r in found.rejected
    }
    smaller = shared(one(101, 25 * GIB), one(999, 50 * GIB))
    assert verdict(RULE, smaller, known(smaller)) is None


def test_memory_of_nobody_known_is_named_and_asked_for():
    seen = shared(one(101, 20 * GIB), hidden(9), used=75 * GIB)
    need = verdict(RULE, seen, known(seen))
    assert isinstance(need, Need)
    assert (need.kind, "55.0 GiB of it are of no process" in need.text) == ("privilege", True)
    some = shared(one(101, 60 * GIB), hidden(9), used=75 * GIB)
    assert "15.0 GiB are of no process that is known" in found_on(some).summary


def test_a_driver_that_hides_whose_it_is_leaves_a_question():
    seen = shared(one(101, None), one(999, 50 * GIB), used=75 * GIB)
    assert isinstance(verdict(RULE, seen, known(seen)), Need)
    alone = on_gpus(server("gunicorn", requests_per_second=5.0), gpu([process(101, None)], used=75 * GIB))
    assert numbers(found_on(alone))["gpu_memory_of_service"] == 75 * GIB


def test_what_is_not_readable_is_not_taken_for_full_or_empty():
    none_usable = {"memory_total_bytes": 0, "memory_reserved_bytes": RESERVED}
    for unread in ({"memory_used_bytes": None}, {"memory_total_bytes": None}, {"unified_memory": True}, none_usable):
        seen = torch(round(0.95 * USABLE), **unread)
        assert verdict(RULE, seen, known(seen)) is None
    growing = torch(70 * GIB, per_minute=GIB, **none_usable)
    assert verdict(RULE, growing, known(growing)) is None


def test_no_more_than_all_of_it_is_used():
    """Where the driver counts its own reserve as used."""
    seen = torch(USABLE + RESERVED // 2)
    assert numbers(found_on(seen))["gpu_memory_used_ratio"] == 1.0


def pool(kv: float | None = 0.97, *, count: int = 7, **said: object) -> View:
    """A vLLM whose pool takes 92 % of the device by design."""
    fields = {"pages": pages(*[0] * count, kv=kv), "kv_cache_ratio": kv, "in_flight": 20.0, "server_queue": 10.0,
              "preemptions_per_second": 0.0}  # fmt: skip
    seen = server("vllm", models=(safetensors(),), **(fields | said))
    return on_gpus(seen, gpu([process(101, round(0.92 * USABLE))], architecture="hopper"))


def test_a_pool_that_fills_the_device_by_design_is_not_full():
    seen = pool(0.6)
    assert verdict(RULE, seen, known(seen, gpu_memory_share=0.92)) is None


def test_a_full_cache_inside_the_pool_is_told_and_gets_what_is_free():
    seen = pool()
    found = found_on(seen, gpu_memory_share=0.92, kv_cache_precision="auto")
    assert found.title == "its KV cache is 97% full: give it 95% of the device"
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [("gpu_memory_share", 0.92, 0.95)]
    assert numbers(found)["kv_cache_ratio_p50"] == 0.97
    larger = 1 + 0.03 * USABLE / (round(0.92 * USABLE) - 16_060_522_496)
    assert gains(found)["throughput_ratio"] == pytest.approx((1.0, (1 + larger) / 2, larger), abs=2e-3)


def test_without_room_the_cache_holds_twice_as_many_in_eight_bits():
    seen = on_gpus(pool(), gpu([process(101, round(0.92 * USABLE)), process(9, 5 * GIB)], architecture="hopper"))
    found = found_on(seen, gpu_memory_share=0.92, kv_cache_precision="auto")
    assert [(c.lever, c.proposed) for c in found.changes] == [("kv_cache_precision", "fp8")]
    assert gains(found)["throughput_ratio"] == (1.0, 1.25, 1.5)  # ten of thirty wait
    sglang = running(seen, framework="sglang")
    found = found_on(sglang, gpu_memory_share=0.92, kv_cache_precision="auto")
    assert [(c.lever, c.proposed) for c in found.changes] == [("kv_cache_precision", "fp8_e4m3")]
    nim = running(seen, framework="nim")
    assert found_on(nim, gpu_memory_share=0.92, kv_cache_precision=None).changes == ()
    older = on_gpus(pool(), gpu([process(101, round(0.92 * USABLE)), process(9, 5 * GIB)], architecture="ampere"))
    assert found_on(older, gpu_memory_share=0.92, kv_cache_precision="auto").changes == ()


def test_a_cache_of_no_known_size_promises_nothing():
    seen = on_gpus(pool(), gpu([process(101, 0)], used=0, architecture="hopper"))
    assert gains(found_on(seen, gpu_memory_share=0.5))["throughput_ratio"] == (1.0, 1.0, 1.0)


def test_where_nobody_waits_a_full_cache_gains_nothing():
    assert found_on(pool(server_queue=0.0), gpu_memory_share=0.92).gains == ()


def test_a_cache_just_below_misses_and_keeps_a_standing_finding():
    seen = pool(0.94)
    facts = known(seen, gpu_memory_share=0.92)
    assert verdict(RULE, seen, facts) is None
    assert verdict(RULE, seen, facts, standing=True) is not None


def test_a_minute_of_pages_is_needed():
    seen = pool(count=3)
    assert verdict(RULE, seen, known(seen, gpu_memory_share=0.92)) is None


def test_a_pool_without_a_page_is_a_question_only_where_the_server_would_tell():
    seen = pool(None, count=0)
    need = verdict(RULE, seen, known(seen, gpu_memory_share=0.92))
    assert isinstance(need, Need)
    assert need.kind == "metrics"
    tgi = msgspec.structs.replace(seen, service=msgspec.structs.replace(seen.service, framework="tgi"))
    assert verdict(RULE, tgi, known(tgi, gpu_memory_share=1.0)) is None


def test_tensorflow_reserves_the_device_unless_it_is_told_not_to():
    seen = torch(round(0.97 * USABLE))
    workers = tuple(msgspec.structs.replace(w, compute_libraries=("tensorflow",)) for w in seen.service.workers)
    seen = msgspec.structs.replace(seen, service=msgspec.structs.replace(seen.service, workers=workers))
    assert verdict(RULE, seen, known(seen)) is None
    grows = known(seen, environ={"TF_FORCE_GPU_ALLOW_GROWTH": "true"})
    assert isinstance(verdict(RULE, seen, grows), Conclusion)


def running(seen: View, **changed: object) -> View:
    return msgspec.structs.replace(seen, service=msgspec.structs.replace(seen.service, **changed))


def titled(service: Service, title: str) -> Service:
    """The service whose last process gave itself this title."""
    last = service.workers[-1]
    process = Process(key=last.key, ppid=1, uid=0, comm=title[:15], argv=(title,))
    return msgspec.structs.replace(
        service, workers=(*service.workers[:-1], msgspec.structs.replace(last, process=process))
    )  # fmt: skip


@pytest.mark.parametrize("backend", ["tensorrtllm", "vllm", "tensorflow"])
def test_a_backend_that_reserves_a_share_fills_the_device_by_design(backend: str):
    full = running(torch(round(0.95 * USABLE)), framework="triton", models=(Model(name="m", runtime=backend),))
    assert verdict(RULE, full, known(full)) is None
    other = running(full, models=(Model(name="m", runtime="tensorrt"),))
    assert isinstance(verdict(RULE, other, known(other)), Conclusion)


@pytest.mark.parametrize("title", ["VLLM::EngineCore", "VLLM::EngineCore_DP0", "sglang::scheduler_TP0"])
def test_an_engine_that_an_application_embeds_does_so_too(title: str):
    full = torch(round(0.95 * USABLE))
    embedded = msgspec.structs.replace(full, service=titled(full.service, title))
    assert verdict(RULE, embedded, known(embedded)) is None
    replica = msgspec.structs.replace(full, service=titled(full.service, "ray::ServeReplica:app:Model"))
    assert isinstance(verdict(RULE, replica, known(replica)), Conclusion)
    served = running(full, models=(Model(name="LLMServer:qwen", runtime="ray-serve"),))
    assert verdict(RULE, served, known(served)) is None


def test_what_is_known_of_pools_is_told_as_no_more_than_that():
    listed = {r.cause: r.because for r in found_on(torch(round(0.95 * USABLE))).rejected}
    assert "that are known of it" in listed["a pool that is reserved on purpose"]
    blind = torch(round(0.95 * USABLE))
    workers = tuple(msgspec.structs.replace(w, compute_libraries=None) for w in blind.service.workers)
    blind = running(blind, workers=workers)
    assert "a pool that is reserved on purpose" not in {r.cause for r in found_on(blind).rejected}


def llama(left: int, *, framework: str = "llama-server", total: int = 24 * GIB) -> View:
    """A llama-server that has reserved nearly all of a 24 GiB card when it loaded its model."""
    seen = server(framework, models=(gguf(5 * GIB),))
    return on_gpus(seen, gpu([process(101, total - left)], memory_total_bytes=total, memory_reserved_bytes=0))


def test_a_server_that_reserves_at_its_start_is_judged_by_what_it_left():
    by_design = llama(GIB)
    assert verdict(RULE, by_design, known(by_design, context_length=131072)) is None
    seen = llama(GIB // 4)
    found = found_on(seen, context_length=131072)
    # 0.75 GiB are missing to llama.cpp's own margin of 1 GiB, at 128 KiB a token
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [("context_length", 131072, 131072 - 6144)]
    assert gains(found)["memory_ratio"][1] == pytest.approx(1 - 0.75 / 23.75, abs=1e-3)


def test_slots_go_before_a_context_is_cut_by_more_than_a_quarter():
    seen = llama(0, framework="ollama")
    found = found_on(seen, context_length=3072, max_requests_in_flight=4)  # 384 MiB a slot
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [("max_requests_in_flight", 4, 1)]
    one_slot = found_on(seen, context_length=65536, max_requests_in_flight=1)
    assert [(c.lever, c.proposed) for c in one_slot.changes] == [("context_length", 65536 - 8192)]
    short = found_on(seen, context_length=8192, max_requests_in_flight=1)
    assert short.changes == ()  # the whole cache is no more than is missing


def test_eight_bits_come_last():
    seen = llama(GIB // 2 - 1)
    found = found_on(seen, context_length=7000, kv_cache_precision="f16")
    assert found.changes == ()  # 47 % of 0.85 GiB are not enough
    found = found_on(seen, context_length=9000, kv_cache_precision="f16")
    assert [(c.lever, c.proposed) for c in found.changes] == [("kv_cache_precision", "q8_0")]


def test_a_cache_whose_keys_and_values_differ_in_type_is_not_sized():
    seen = llama(0)
    facts = known(seen, context_length=131072, kv_cache_precision=None)
    assert concluded(RULE, seen, facts).changes != ()
    differ = tuple(
        msgspec.structs.replace(s, origin="keys are q8_0, values f16") if s.lever == "kv_cache_precision" else s
        for s in facts.settings
    )
    assert concluded(RULE, seen, msgspec.structs.replace(facts, settings=differ)).changes == ()


def test_without_the_shape_of_the_model_no_value_is_guessed():
    seen = llama(0)
    blind = msgspec.structs.replace(
        seen, service=msgspec.structs.replace(seen.service, models=(gguf(5 * GIB, None),))
    )  # fmt: skip
    found = found_on(blind, context_length=131072)
    assert (found.changes, found.gains) == ((), ())


def test_it_yields_to_preemption():
    seen = msgspec.structs.replace(
        pool(), pages=pages(*[2] * 30), preemptions_per_second=0.2, requests_per_second=2.0, tokens_in_per_second=2000.0,
        tokens_out_per_second=400.0,
    )  # fmt: skip
    found = Engine(all_rules()).judge(seen, known(seen, gpu_memory_share=0.92))
    assert "vram-near-full" not in [j.rule for j in found.judged]
    assert "kv-cache-preemption" in [j.rule for j in found.judged]


def test_it_speaks_without_load():
    seen = msgspec.structs.replace(torch(round(0.95 * USABLE)), samples=0, loaded_now=False)
    found = Engine(all_rules()).judge(seen, known(seen))
    assert [j.rule for j in found.judged] == ["vram-near-full"]
    assert found.broken == ()


@pytest.mark.parametrize("host", [built.healthy, built.too_many_workers])
def test_services_without_a_gpu_are_asked_for_nothing(host):
    assert verdict(RULE, host()) is None
