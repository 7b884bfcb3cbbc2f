"""R38 on built hosts: models that are split, models that will not load, and those that only seem to be."""

from typing import Any

import msgspec
import pytest

from advisor.board import Board
from advisor.catalogue import all_rules
from advisor.engine import Engine
from advisor.facts import ServiceFacts
from advisor.finding import Conclusion
from advisor.gpu.view import GpuView
from advisor.rules.model_exceeds_vram import ModelExceedsVram
from advisor.view import View
from collectors.entities import Model
from collectors.model_geometry import Geometry
from collectors.reading import Instant
from tests.advisor import built
from tests.advisor.built import concluded, gains, numbers, verdict
from tests.advisor.gpus_built import GIB, gpu, hidden, on_gpus, process
from tests.advisor.llm_built import LLAMA_8B, LLAMA_8B_BYTES, LLAMA_8B_PARAMETERS, gguf, known, safetensors, server

RULE = ModelExceedsVram()
Q4 = 4_920_000_000
ON_GPU = Q4 * (1 - 128256 * 4096 / LLAMA_8B_PARAMETERS)
"""Without the table of input embeddings, which stays in the node's memory."""
TOKEN = 131072
REST = 0.65 * GIB + 512 * 4 * 128256


def still(held: int) -> tuple[tuple[float, int], ...]:
    return tuple((10.0 * (29 - n), held) for n in range(30))


def card(size: int, processes: Any = (), **changed: Any) -> GpuView:
    held = sum(p.memory_bytes or 0 for p in processes)
    fields = {
        "memory_total_bytes": size,
        "memory_reserved_bytes": 0,
        "memory_seen": still(held),
        "architecture": "ampere",
    }
    return gpu(processes, **{**fields, **changed})


def llama(
    size: int,
    held: int,
    *,
    model: Model | None = None,
    framework: str = "llama-server",
    sm: float | None = 0.15,
    **said: Any,
) -> View:
    """A llama-server that keeps its CPU threads busy all the time, alone on a card."""
    seen = server(framework, models=(model or gguf(Q4),), used=1.0, **said)
    return on_gpus(seen, card(size, [process(101, held, sm)], busy_ratio=sm))


def found_on(seen: View, **levers: Any) -> Conclusion:
    return concluded(RULE, seen, known(seen, **levers))


def test_layers_that_are_asked_for_tell_the_split_and_more_fit():
    seen = llama(6 * GIB, 4 * GIB)
    found = found_on(seen, gpu_layers=20, context_length=8192)
    assert numbers(found)["weights_off_gpu_at_least"] == pytest.approx(13 / 33, abs=1e-4)
    assert "20 of 33 layers" in found.summary
    cache, output = 8192 * TOKEN, ON_GPU / 33
    left = 6 * GIB - GIB - REST
    fit = int((left - output) / ((ON_GPU - output + cache) / 32)) + 1
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [("gpu_layers", 20, fit)]
    assert fit == 25
    assert numbers(found)["model_needs_bytes"] == pytest.approx(ON_GPU + cache + REST, rel=1e-6)
    assert f"{8 * (left - cache) / LLAMA_8B_PARAMETERS:.1f} bits a weight (now 4.9)" in found.summary


def test_a_shorter_context_comes_before_anything_else():
    seen = llama(13 * GIB, 4 * GIB)
    found = found_on(seen, gpu_layers=20, context_length=65536)  # 8 GiB of cache
    missing = ON_GPU + 65536 * TOKEN + REST + GIB - 13 * GIB
    context = int((65536 - missing / TOKEN) / 256) * 256
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [
        ("context_length", 65536, context), ("gpu_layers", 20, 33),
    ]  # fmt: skip
    assert f"fits whole with a context of {context}" in found.title


@pytest.mark.parametrize(
    ("missing", "changes"),
    [
        (1.4, [("context_length", 37632), ("gpu_layers", 33)]),
        (1.6, [("kv_cache_precision", "q8_0"), ("gpu_layers", 33)]),
        (2.9, [("gpu_layers", 23)]),
    ],
)
def test_a_quarter_of_the_context_goes_first_then_half_of_its_bits_then_layers(missing, changes):
    """6 GiB of cache: a quarter is 1.5 GiB, 8 bits give back 2.8."""
    size = round(ON_GPU + 6 * GIB + REST + GIB - missing * GIB)
    found = found_on(llama(size, 4 * GIB), gpu_layers=20, context_length=49152, kv_cache_precision="f16")
    assert [(c.lever, c.proposed) for c in found.changes] == changes


def test_where_all_of_it_fits_all_layers_are_proposed():
    seen = llama(24 * GIB, 4 * GIB)
    found = found_on(seen, gpu_layers=20, context_length=8192)
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [("gpu_layers", 20, 33)]
    assert "It fits." in found.summary


def test_what_others_hold_is_not_to_be_had():
    seen = server("llama-server", models=(gguf(Q4),), used=1.0)
    seen = on_gpus(seen, card(24 * GIB, [process(101, 4 * GIB, 0.15), process(999, 17 * GIB)]))
    found = found_on(seen, gpu_layers=20, context_length=8192)
    assert numbers(found)["gpu_memory_to_be_had"] == 7 * GIB
    assert [c.proposed for c in found.changes] != [33]


def test_all_layers_but_the_output_just_miss():
    seen = llama(24 * GIB, 6 * GIB)
    for layers in (32, 33, 99):
        assert verdict(RULE, seen, known(seen, gpu_layers=layers, context_length=8192)) is None
    assert verdict(RULE, seen, known(seen, gpu_layers=32, context_length=8192), standing=True) is not None
    assert verdict(RULE, seen, known(seen, gpu_layers=31, context_length=8192)) is not None


def test_the_gain_follows_from_the_devices_part_of_the_working_time():
    seen = llama(24 * GIB, 4 * GIB, sm=0.15)
    low, likely, high = gains(found_on(seen, gpu_layers=20, context_length=8192))["throughput_ratio"]
    whole = 1 / (0.15 / (20 / 33))  # all of the time is work, 15 % of it on the device for 20 of 33 layers
    assert high == pytest.approx(whole, abs=1e-3)
    assert low == pytest.approx((1 + whole) / 2, abs=1e-3)
    assert likely == pytest.approx((low + high) / 2, abs=1e-3)


@pytest.mark.parametrize("sm", [None, 0.0, 0.9])
def test_without_the_devices_part_or_where_it_is_the_slower_one_no_gain_is_stated(sm):
    seen = llama(24 * GIB, 4 * GIB, sm=sm)
    assert found_on(seen, gpu_layers=20, context_length=8192).gains == ()


def test_less_memory_than_the_weights_shows_a_split_that_nobody_asked_for():
    seen = llama(5 * GIB, round(3.2 * GIB))
    found = found_on(seen, gpu_layers=None, context_length=4096)
    shown = numbers(found)
    assert shown["weights_off_gpu_at_least"] == pytest.approx(1 - 3.2 * GIB / ON_GPU, abs=1e-3)
    assert shown["weights_off_gpu_at_most"] == pytest.approx(1 - 1.2 * GIB / ON_GPU, abs=1e-3)
    assert "its weights alone are 4.3 GiB" in found.summary
    assert found.changes == ()  # it takes as many layers as fit by itself
    assert "bits a weight" in found.summary


def test_memory_that_still_moves_is_a_model_being_loaded():
    seen = llama(4 * GIB, 3 * GIB)
    rising = tuple((10.0 * (29 - n), n * GIB // 10) for n in range(30))
    loading = on_gpus(seen, card(4 * GIB, [process(101, 3 * GIB)], memory_seen=rising))
    assert verdict(RULE, loading, known(loading, gpu_layers=None)) is None
    fresh = on_gpus(seen, card(4 * GIB, [process(101, 3 * GIB)], memory_seen=((10.0, 3 * GIB), (0.0, 3 * GIB))))
    assert verdict(RULE, fresh, known(fresh, gpu_layers=None)) is None


def test_memory_or_sizes_that_are_not_known_are_not_guessed():
    hides = llama(4 * GIB, 3 * GIB)
    hides = on_gpus(hides, card(4 * GIB, [process(101, None), process(9, GIB)]))
    assert verdict(RULE, hides, known(hides, gpu_layers=None)) is None
    nameless = llama(4 * GIB, 3 * GIB, model=Model(name="m"))
    assert verdict(RULE, nameless, known(nameless, gpu_layers=20)) is None
    shapeless = llama(4 * GIB, 3 * GIB, model=gguf(Q4, None))
    found = found_on(shapeless, gpu_layers=None)
    assert found.changes == ()
    assert "cannot be told" in found.summary


def test_ollama_says_it_itself():
    seen = llama(8 * GIB, 6 * GIB, framework="ollama", model_bytes=6_654_289_920.0, model_gpu_bytes=5_137_025_024.0)
    found = found_on(seen, context_length=8192, max_requests_in_flight=1, gpu_layers=None)
    assert numbers(found)["weights_off_gpu_at_least"] == pytest.approx(1 - 5137025024 / 6654289920, abs=1e-4)
    assert "4.8 GiB of 6.2 GiB are on the GPU" in found.summary
    whole = llama(8 * GIB, 6 * GIB, framework="ollama", model_bytes=6e9, model_gpu_bytes=6e9)
    assert verdict(RULE, whole, known(whole)) is None


def test_fewer_slots_come_after_the_context():
    seen = llama(8 * GIB, 6 * GIB, framework="ollama", model_bytes=12e9, model_gpu_bytes=6e9)
    found = found_on(seen, context_length=8192, max_requests_in_flight=3, gpu_layers=None)  # 1 GiB a slot
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [("max_requests_in_flight", 3, 1)]
    little = llama(9 * GIB, 6 * GIB, framework="ollama", model_bytes=12e9, model_gpu_bytes=6e9)
    found = found_on(little, context_length=8192, max_requests_in_flight=3, gpu_layers=None)
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [("context_length", 8192, 7680)]


def test_gigabytes_that_are_asked_to_stay_out_are_a_split():
    seen = on_gpus(server("vllm", models=(safetensors(),)), card(24 * GIB, [process(101, 20 * GIB)]))
    found = found_on(seen, cpu_offload=4, tensor_parallel=1, gpu_memory_share=0.9)
    assert numbers(found)["weights_off_gpu_at_least"] == pytest.approx(1 - _there(4), abs=1e-4)
    assert "over PCIe" in found.summary
    assert found.gains == ()
    assert verdict(RULE, seen, known(seen, cpu_offload=0, gpu_memory_share=0.9)) is None


def _there(out: int) -> float:
    """Its table of embeddings is on the device too, other than llama.cpp's."""
    return 1 - out * GIB / LLAMA_8B_BYTES


def engine(*cards: GpuView, model: Model | None = None, framework: str = "vllm", **said: Any) -> View:
    """A server that has not loaded its model yet: no process of it is on a device."""
    return on_gpus(server(framework, models=(model or safetensors(),), **said), *cards)


RTX_3090 = round(23.58 * GIB)


def test_the_published_context_of_llama_does_not_fit_a_24_gib_card():
    """A measured run: 0.90 of 23.58 GiB, 14.99 GiB of weights; 20000 tokens were taken, 29000 refused with room for 23648."""
    seen = engine(card(RTX_3090))
    facts = {"gpu_memory_share": 0.9, "context_length": None, "precision": None}
    found = found_on(seen, **facts)
    weights, room = LLAMA_8B_BYTES, 0.9 * RTX_3090
    assert numbers(found)["model_needs_bytes"] == pytest.approx(weights + 131072 * TOKEN + 0.3 * GIB, rel=1e-6)
    assert numbers(found)["gpu_memory_to_be_had"] == pytest.approx(room, rel=1e-6)
    ((lever, now, context),) = [(c.lever, c.current, c.proposed) for c in found.changes]
    assert (lever, now) == ("context_length", None)
    assert 20000 < context < 23648
    assert found.harm == "runs-out-of-memory"
    taken = known(seen, **{**facts, "context_length": 20000})
    assert verdict(RULE, seen, taken) is None


def test_a_context_that_is_refused_by_a_little_is_not_claimed_to_be():
    seen = engine(card(RTX_3090))
    assert verdict(RULE, seen, known(seen, gpu_memory_share=0.9, context_length=29000)) is None


def test_weights_that_do_not_fit_are_halved_where_the_device_computes_with_eight_bits():
    facts = {"gpu_memory_share": 0.9, "context_length": 4096, "precision": None, "tensor_parallel": 1}
    small = engine(card(16 * GIB, architecture="ada"))
    found = found_on(small, **facts)
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [("precision", None, "fp8")]
    older = engine(card(16 * GIB, architecture="ampere"), memory_available_bytes=2 * GIB)
    found = found_on(older, **facts)
    assert found.changes == ()
    assert "smaller quantisation" in found.summary


def test_two_cards_hold_half_each():
    facts = {"gpu_memory_share": 0.9, "context_length": 4096, "precision": None, "tensor_parallel": 1}
    seen = engine(card(16 * GIB), card(16 * GIB, uuid="GPU-2", index=1))
    found = found_on(seen, **facts)
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [("tensor_parallel", 1, 2)]
    assert verdict(RULE, seen, known(seen, **{**facts, "tensor_parallel": 2})) is None
    odd = Geometry(layers=32, hidden_size=4096, heads=33, kv_heads=11, head_size=128, context=8192)
    uneven = engine(*seen.node_gpus, model=safetensors(LLAMA_8B_BYTES, odd))
    assert "tensor_parallel" not in [c.lever for c in found_on(uneven, **facts).changes]


L70 = Geometry(
    layers=80, hidden_size=8192, heads=64, kv_heads=8, head_size=128, vocabulary=128256, context=131072
)  # fmt: skip
L70_BYTES = 141_107_412_992
L70_TOKEN = 2 * 80 * 8 * 128 * 2


def node(count: int, size: int) -> tuple[GpuView, ...]:
    return tuple(card(size, uuid=f"GPU-{number}", index=number) for number in range(count))


@pytest.mark.parametrize(
    "spread",
    [{"pipeline_parallel": 2}, {"data_parallel": 8}, {"pipeline_parallel": "unread"}, {"tensor_parallel": "unread"},
     {"cpu_offload": "unread"}, {"precision": "unread"}],
)  # fmt: skip
def test_weights_that_are_spread_in_other_ways_or_unknown_ones_give_no_claim(spread):
    seen = engine(*node(8, 24 * GIB), model=safetensors(L70_BYTES, L70))
    facts = {"tensor_parallel": 4, "pipeline_parallel": 1, "data_parallel": 1, "gpu_memory_share": 0.9,
             "context_length": 8192, "precision": None, "cpu_offload": 0}  # fmt: skip
    assert verdict(RULE, seen, known(seen, **facts)) is not None
    assert verdict(RULE, seen, unread(seen, **{**facts, **spread})) is None


def unread(seen: View, **levers: Any) -> ServiceFacts:
    """Facts in which the levers that are `unread` are set by what nobody could read."""
    facts = known(seen, **{name: None if value == "unread" else value for name, value in levers.items()})
    hidden = {name for name, value in levers.items() if value == "unread"}
    settings = tuple(
        msgspec.structs.replace(s, origin="--config is not readable") if s.lever in hidden else s
        for s in facts.settings
    )
    return msgspec.structs.replace(facts, settings=settings)


@pytest.mark.parametrize("context", ["auto", -1, 0, "unread"])
def test_a_context_that_is_chosen_by_what_fits_needs_no_memory_of_its_own(context):
    facts = {"gpu_memory_share": 0.9, "context_length": context, "precision": None}
    fits = engine(card(24 * GIB))
    assert verdict(RULE, fits, unread(fits, **facts)) is None
    small = engine(card(16 * GIB))
    found = concluded(RULE, small, unread(small, **facts))
    assert numbers(found)["model_needs_bytes"] == pytest.approx(LLAMA_8B_BYTES + 0.3 * GIB, rel=1e-6)
    assert "context_length" not in [c.lever for c in found.changes]


def test_a_cache_type_that_could_not_be_read_is_not_taken_for_sixteen_bits():
    seen = engine(card(RTX_3090))
    facts = {"gpu_memory_share": 0.9, "context_length": None, "precision": None}
    assert verdict(RULE, seen, unread(seen, **facts, kv_cache_precision="auto")) is not None
    assert verdict(RULE, seen, unread(seen, **facts, kv_cache_precision="unread")) is None


def test_heads_of_the_cache_are_repeated_where_they_are_fewer_than_devices():
    few = msgspec.structs.replace(L70, kv_heads=4)
    seen = engine(*node(8, 80 * GIB), model=safetensors(L70_BYTES, few))
    facts = {"gpu_memory_share": 0.9, "context_length": 1_500_000, "precision": None, "tensor_parallel": 8}
    found = found_on(seen, **facts)
    token = L70_TOKEN / 2  # of four heads instead of eight
    need = L70_BYTES / 8 + 1_500_000 * token / 4 + 0.3 * GIB
    assert numbers(found)["model_needs_bytes"] == pytest.approx(need, rel=1e-6)
    (change,) = found.changes
    assert change.lever == "context_length"
    left = 0.9 * 80 * GIB - 1.2 * L70_BYTES / 8 - 0.65 * GIB
    assert change.proposed == int(left / (token / 4) / 256) * 256
    assert verdict(RULE, seen, known(seen, **{**facts, "context_length": change.proposed})) is None
    front = seen.service.workers[0]
    split = msgspec.structs.replace(front.process, argv=("vllm", "serve", "m", "-dcp", "2"))
    workers = (msgspec.structs.replace(front, process=split), *seen.service.workers[1:])
    by_tokens = msgspec.structs.replace(seen, service=msgspec.structs.replace(seen.service, workers=workers))
    assert verdict(RULE, by_tokens, known(by_tokens, **facts)) is None


def judged_at(board: Board, seen: View, second: float, **levers: Any) -> list[str]:
    now = Instant(int(second * 10**9), 0)
    board.update(
        seen.service, Engine([RULE]).judge(seen, known(seen, **levers), board.standing(seen.service)), seen, now
    )
    return [found.rule for found in board.findings(now)]


def test_a_predecessor_that_still_ends_is_waited_for():
    beside = engine(card(80 * GIB, [process(999, 72 * GIB)]))
    facts = {"gpu_memory_share": 0.9, "context_length": 8192}
    board = Board()
    assert [judged_at(board, beside, second, **facts) for second in (0, 2, 28)] == [[], [], []]
    assert judged_at(board, engine(card(80 * GIB)), 29, **facts) == []
    assert judged_at(board, beside, 40, **facts) == []
    assert judged_at(board, beside, 69, **facts) == []
    assert judged_at(board, beside, 70, **facts) == ["model-exceeds-vram"]


def test_what_would_not_fit_an_empty_device_either_is_said_at_once():
    small, board = engine(card(12 * GIB, [process(999, GIB)])), Board()
    assert [judged_at(board, small, second, context_length=4096) for second in (0, 2)] == [[], ["model-exceeds-vram"]]


def test_it_is_over_soon_after_the_model_is_there():
    small, board = engine(card(16 * GIB)), Board()
    for second in (0, 2):
        judged_at(board, small, second, context_length=4096)
    loaded = msgspec.structs.replace(small, metrics_age_seconds=2.0)
    assert judged_at(board, loaded, 12, context_length=4096) == ["model-exceeds-vram"]
    assert judged_at(board, loaded, 23, context_length=4096) == []


def test_the_nodes_memory_comes_last():
    seen = engine(card(16 * GIB), memory_available_bytes=64 * GIB)
    facts = {"gpu_memory_share": 0.9, "context_length": 4096, "precision": None, "cpu_offload": 0}
    found = found_on(seen, **facts)
    out = -(-(LLAMA_8B_BYTES * 1.2 + 0.65 * GIB + GIB - 0.9 * 16 * GIB) // GIB)
    assert [(c.lever, c.proposed) for c in found.changes] == [("cpu_offload", out)]
    assert verdict(RULE, seen, known(seen, **{**facts, "cpu_offload": out})) is not None  # a split from then on


def test_what_others_hold_counts_against_it():
    seen = engine(card(80 * GIB, [process(999, 70 * GIB)]))
    found = found_on(seen, gpu_memory_share=0.9, context_length=4096)
    assert numbers(found)["gpu_memory_to_be_had"] == 10 * GIB
    over = engine(card(80 * GIB, [process(999, 81 * GIB)]))
    assert numbers(found_on(over, gpu_memory_share=0.9, context_length=4096))["gpu_memory_to_be_had"] == 0


@pytest.mark.parametrize(
    "one",
    [
        card(16 * GIB, [hidden(7)], used=15 * GIB),
        card(16 * GIB, processes_known=False),
        card(16 * GIB, unknown_memory_bytes=None),
        card(16 * GIB, memory_used_bytes=None),
        card(16 * GIB, memory_total_bytes=None),
        card(16 * GIB, memory_total_bytes=0, memory_reserved_bytes=GIB),
    ],
)
def test_a_device_that_may_hold_the_model_unseen_gives_no_claim(one):
    seen = engine(one)
    assert verdict(RULE, seen, known(seen, gpu_memory_share=0.9, context_length=4096)) is None


def test_a_server_that_answers_has_loaded_its_model():
    seen = engine(card(16 * GIB), metrics_age_seconds=3.0)
    assert verdict(RULE, seen, known(seen, gpu_memory_share=0.9, context_length=4096)) is None
    holds = on_gpus(server("vllm", models=(safetensors(),)), card(16 * GIB, [process(101, 14 * GIB)]))
    assert verdict(RULE, holds, known(holds, gpu_memory_share=0.9, context_length=4096)) is None


def test_weights_that_get_smaller_at_loading_are_counted_so():
    seen = engine(card(12 * GIB))
    assert verdict(RULE, seen, known(seen, context_length=4096, precision="bitsandbytes")) is None
    wide = engine(card(24 * GIB), model=safetensors(2 * LLAMA_8B_BYTES, LLAMA_8B, "F32"))
    assert verdict(RULE, wide, known(wide, context_length=4096, precision=None)) is None


def test_without_files_nothing_is_claimed():
    seen = engine(card(GIB), model=Model(name="m"))
    assert verdict(RULE, seen, known(seen)) is None


def test_among_all_rules_a_split_model_is_the_only_thing_above_info():
    seen = llama(24 * GIB, 4 * GIB, sm=0.15)
    found = Engine(all_rules()).judge(seen, known(seen, gpu_layers=20, context_length=8192))
    assert {j.rule: j.severity for j in found.judged if j.severity != "info"} == {"model-exceeds-vram": "high"}
    assert found.broken == ()
    (own,) = (j for j in found.judged if j.rule == "model-exceeds-vram")
    assert "--n-gpu-layers" in {place.key for c in own.conclusion.changes for place in c.how}


@pytest.mark.parametrize("host", [built.healthy, built.too_many_workers])
def test_services_without_a_gpu_are_asked_for_nothing(host):
    assert verdict(RULE, host()) is None


def test_a_node_without_readable_devices_gives_no_claim():
    seen = msgspec.structs.replace(engine(card(16 * GIB)), node_gpus=())
    assert verdict(RULE, seen, known(seen, gpu_memory_share=0.9)) is None
