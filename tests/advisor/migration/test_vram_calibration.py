"""What models of a kind hold of devices corrects what is predicted of the next one of that kind."""

from math import exp, log
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from advisor.facts import ServiceFacts
from advisor.migration.estimate import estimate
from advisor.migration.fit import CONTEXT_BYTES, Layers, Need, fit
from advisor.migration.vram_calibration import (
    LEAST_TO_LOWER,
    MOST_ENTRIES,
    MOST_SERVICES,
    Correction,
    Key,
    Observed,
    VramCalibration,
)
from advisor.migration.vram_observed import compared, key_of
from advisor.view import View
from collectors.levers import Lever, Value
from collectors.model_file import ModelFile
from tests.advisor.built import thread, view, worker
from tests.advisor.gpu_services import with_settings
from tests.advisor.gpus_built import GIB, TOTAL, gpu, on_gpus, process
from tests.advisor.llm_built import LLAMA_8B, gguf
from tests.advisor.migration.migrating import AVX512, BERT, encoder, known, market

WEIGHTS = 438_000_000
PREDICTED = 1.05 * (1.2 * WEIGHTS + CONTEXT_BYTES)
KEY = Key("gunicorn", "BertModel", "F32")
SEEN = ((120.0, 1), (60.0, 1), (0.0, 1))


def bert(**changes: Any) -> ModelFile:
    file = ModelFile(
        path="/m/model.safetensors", format="safetensors", size_bytes=WEIGHTS + 9_000, parameters=109_482_240,
        weights_bytes=WEIGHTS, dtypes={"F32": 109_482_240}, architecture="BertModel", geometry=BERT,
    )  # fmt: skip
    return replace(file, **changes)


def on_device(
    held: int, *more: int, file: ModelFile | None = None, framework: str = "gunicorn", copies: int | None = None,
    seen: tuple[tuple[float, int], ...] | None = None, settings: dict[Lever, Value] | None = None, **known_of_gpu: Any,
) -> tuple[View, ServiceFacts]:  # fmt: skip
    """Workers that hold so much of one device, and have for two minutes."""
    workers = [worker(101 + n, [thread(101 + n, 0.5)]) for n in range(1 + len(more))]
    each = [
        replace(process(w, m), memory_seen=tuple((age, m) for age, _ in SEEN) if seen is None else seen)
        for w, m in zip(workers, (held, *more), strict=True)
    ]
    found = on_gpus(view(workers), gpu(each, **known_of_gpu))
    model = replace(encoder().service.models[0], files=(file or bert(),), instances=copies)
    service = replace(found.service, models=(model,), framework=framework)
    found = replace(found, service=service, requests_per_second=10.0)
    return found, with_settings(ServiceFacts(service=service), settings or {})


def ratio(*arguments: Any, **said: Any) -> float | None:
    found = compared(*on_device(*arguments, **said))
    return None if found is None else found.ratio


def test_the_largest_process_is_held_against_the_need_of_one():
    found = compared(*on_device(round(1.18 * PREDICTED), round(0.9 * PREDICTED)))
    assert found is not None
    assert (found.key, found.predicted) == (KEY, pytest.approx(PREDICTED))
    assert found.ratio == pytest.approx(1.18)


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({"settings": {Lever.GPU_MEMORY_SHARE: 0.9}}, "it reserves a share of the device"),
        ({"framework": "tensorflow-serving", "settings": {Lever.GPU_MEMORY_SHARE: None}}, "so does this one"),
        ({"copies": 2}, "two copies of the model are in a process"),
        ({"seen": ()}, "how long it has held it is not known"),
        ({"seen": ((30.0, GIB), (0.0, GIB))}, "it was loaded half a minute ago"),
        ({"seen": ((90.0, GIB), (50.0, GIB), (0.0, 2 * GIB))}, "it grew in the last minute"),
        ({"unified_memory": True}, "the device's memory is the node's"),
        ({"file": bert(architecture=None, geometry=None)}, "nobody knows what it is"),
        ({"file": bert(dtypes={})}, "nobody knows of what type its weights are"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_compared_is_left_out(changes: dict[str, Any], because: str):
    assert ratio(round(PREDICTED), **changes) is None


def test_memory_that_the_driver_hides_or_that_may_be_reserved_is_left_out():
    seen, facts = on_device(round(PREDICTED))
    (one,) = seen.gpus
    hidden = replace(one, own=tuple(replace(p, memory_bytes=None) for p in one.own))
    assert compared(replace(seen, gpus=(hidden,)), facts) is None
    assert compared(replace(seen, gpus=(one, one)), facts) is None, "its model may be spread over two devices"
    assert compared(replace(seen, gpus=()), facts) is None
    assert compared(replace(seen, samples=14), facts) is None
    assert ratio(round(0.75 * TOTAL)) is None
    small = bert(weights_bytes=WEIGHTS, dtypes={"F16": WEIGHTS // 2})
    assert ratio(WEIGHTS - 1, file=small) is None, "not all of it can be there"
    assert ratio(WEIGHTS - 1) is not None, "32 bits may be held as 16"


def test_llama_server_is_compared_with_the_context_that_it_reserves():
    stored, context = 4_900_000_000, 8192
    file = replace(gguf(stored).files[0], architecture="llama", dtypes={"Q4_K": 8_030_261_248})
    said: dict[str, Any] = {"file": file, "framework": "llama-server"}
    settings: dict[Lever, Value] = {Lever.CONTEXT_LENGTH: context, Lever.GPU_LAYERS: 99}
    found = compared(*on_device(8 * GIB, settings=settings, **said))
    assert found is not None
    cache = 131072 * context
    assert LLAMA_8B.kv_elements_per_token == 131072 / 2
    assert found.predicted == pytest.approx(1.05 * (1.2 * stored + cache + CONTEXT_BYTES))
    assert found.key == Key("llama-server", "llama", "Q4_K")
    assert compared(*on_device(8 * GIB, settings={**settings, Lever.GPU_LAYERS: 20}, **said)) is None, "a part of it"
    assert compared(*on_device(8 * GIB, settings={Lever.GPU_LAYERS: 99}, **said)) is None, "it took what was free"


def test_a_type_that_was_asked_for_is_another_kind():
    _, facts = on_device(1, settings={Lever.PRECISION: "bfloat16"})
    assert key_of(facts) == Key("gunicorn", "BertModel", "bfloat16")
    two = replace(facts.service, models=facts.service.models * 2)
    assert key_of(replace(facts, service=two)) is None


def learnt(*ratios: float, key: Key = KEY) -> VramCalibration:
    found = VramCalibration()
    for number, value in enumerate(ratios):
        found.learn(key, f"s{number}", value)
    return found


def test_an_entry_has_count_last_and_median():
    (one,) = learnt(1.1, 1.5, 1.18).entries
    assert (one.count, one.key) == (3, KEY)
    assert exp(one.last) == pytest.approx(1.18, rel=1e-4)
    assert exp(one.median) == pytest.approx(1.18, rel=1e-4)
    found = learnt(1.1, 1.5, 1.18).correction(KEY)
    assert found == Correction(ratio=exp(round(log(1.18), 4)), services=3)
    assert found.told(KEY) == "memory: observed 1.18 × the prediction in 3 services (gunicorn, BertModel, F32)"
    assert (
        Correction(ratio=2.0, services=1).told(KEY).startswith("memory: observed 2.00 × the prediction in 1 service (")
    )


def test_one_service_raises_a_prediction_and_three_lower_it():
    assert learnt(1.3).correction(KEY) is not None
    assert learnt(0.6, 0.6).correction(KEY) is None
    lowered = learnt(*[0.6] * LEAST_TO_LOWER).correction(KEY)
    assert lowered is not None
    assert lowered.ratio == pytest.approx(0.6, rel=1e-3)
    assert VramCalibration().correction(None) is None


def test_the_newest_of_a_service_counts_and_a_little_is_no_news():
    seen = learnt(1.2, 1.3)
    before, given = seen.entries, seen.corrections
    seen.learn(KEY, "s0", 1.21)
    assert (seen.entries, seen.corrections is given) == (before, True)
    seen.learn(KEY, "s0", 2.0)
    (one,) = seen.entries
    assert [name for name, _ in one.ratios] == ["s1", "s0"]
    assert exp(one.last) == pytest.approx(2.0, rel=1e-4)
    assert seen.corrections is not given


@pytest.mark.parametrize("value", [0.0, 0.1, 7.0, float("inf"), float("nan"), -1.0])
def test_what_cannot_be_of_the_same_is_no_observation(value: float):
    assert learnt(value).entries == ()


def test_a_changed_configuration_begins_anew():
    seen = learnt(1.2, 1.4)
    seen.learn(Key("gunicorn", "ViT", "F16"), "s0", 1.1)
    seen.restart("s0")
    assert [(one.key.architecture, one.count) for one in seen.entries] == [("BertModel", 1)]
    seen.restart("s1")
    assert (seen.entries, seen.corrections) == ((), {})


def test_it_stays_small():
    seen = VramCalibration()
    for number in range(3 * MOST_ENTRIES):
        seen.learn(Key("r", f"a{number}", "F16"), "s", 1.2)
    for number in range(3 * MOST_SERVICES):
        seen.learn(Key("r", "last", "F16"), f"s{number}", 1.2 + number / 10)
    assert len(seen.entries) == MOST_ENTRIES
    assert {one.key.architecture for one in seen.entries} == {"last", *(f"a{n}" for n in range(97, 144))}
    (last,) = (one for one in seen.entries if one.key.architecture == "last")
    assert last.count == MOST_SERVICES


def test_it_outlives_a_restart_and_nonsense_does_not():
    seen = learnt(1.1, 1.5, 1.18)
    body = msgspec.json.encode(seen.entries)
    again = VramCalibration()
    again.recall(msgspec.json.decode(body, type=tuple[Observed, ...]))
    assert (again.entries, again.corrections) == (seen.entries, seen.corrections)
    wild = Observed(key=Key("a", "b", "c"), ratios=(("s", 1e308), ("t", -1e308), ("u", 5.0)), turn=1)
    again.recall((wild,))
    assert again.entries == seen.entries


def test_a_need_is_multiplied_and_never_less_than_what_is_stored():
    plain = Need(weights=1e9, cache=1e9)
    assert replace(plain, ratio=1.18).total == pytest.approx(1.18 * plain.total)
    assert replace(plain, ratio=0.2).total == 2e9
    layers = Layers(count=32, layer=0.03, output=0.04)
    counts = [fit(Need(weights=2e10, ratio=ratio), 1.2e10, layers).on_device or 0 for ratio in (0.9, 1.0, 1.2, 1.5)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[-1]
    assert fit(Need(weights=6e9), 1e10).verdict == "fits"
    assert fit(Need(weights=6e9, ratio=1.18), 1e10).verdict == "tight"
    assert fit(Need(weights=6e9, ratio=1.5), 1e10).verdict == "no room"


def test_the_next_estimate_of_the_same_kind_is_corrected_and_says_so():
    seen = encoder()
    seen = replace(seen, service=replace(seen.service, models=(replace(seen.service.models[0], files=(bert(),)),)))
    facts = known(seen)
    before = estimate(seen, facts, market(seen))
    corrected = replace(market(seen), seen=learnt(1.1, 1.5, 1.18).corrections)
    after = estimate(seen, facts, corrected)
    assert after.devices[0].fit.need == pytest.approx(1.18 * before.devices[0].fit.need, rel=1e-3)
    assert after.devices[0].fit.need == pytest.approx(1.18 * PREDICTED, rel=1e-3)
    assert "memory: observed 1.18 × the prediction in 3 services (gunicorn, BertModel, F32)" in after.assumes
    assert not any("observed" in one for one in before.assumes)
    other = replace(market(seen), seen=learnt(1.5, key=Key("gunicorn", "BertModel", "F16")).corrections)
    assert estimate(seen, facts, other).devices == before.devices
    assert AVX512.flags is not None
