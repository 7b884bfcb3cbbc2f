"""R26 on built hosts: a server of language models on CPUs, with the numbers of its own metrics page."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from advisor.facts import ServiceFacts
from advisor.finding import Conclusion, Need
from advisor.rules.memory_bandwidth_bound import MemoryBandwidthBound
from advisor.view import View
from collectors.entities import Model
from collectors.levers import Lever, Setting
from collectors.model_geometry import Geometry
from tests.advisor.built import concluded, facts, judged, numbers, thread, verdict, view, worker
from tests.advisor.gpus_built import GIB, gpu, on_gpus, process
from tests.advisor.llm_built import LLAMA_8B, gguf

RULE = MemoryBandwidthBound()
PAGE = Path(__file__).parents[2] / "fixtures/metrics/llama_server.prom"
Q8_BYTES = 8_540_775_424
"""Llama 3.1 8B in Q8_0."""
EIGHT_CHANNELS = 204_800_000_000
"""DDR4-3200 on eight channels."""


def page() -> dict[str, float]:
    rows = (line.split() for line in PAGE.read_text().splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, value in rows}


def decoding(*, model: Model | None = None, threads: int = 8, waiting: float = 0.01, **said: float | None) -> View:
    """llama-server with a thread on each of eight CPUs, and the time between tokens that the recorded page gives."""
    rows = page()
    between = rows["llamacpp:tokens_predicted_seconds_total"] / rows["llamacpp:tokens_predicted_total"]
    pool = [
        thread(101 + k, 0.98, waiting, kind="compute" if k else "main", allowed=range(8), seen={k % 8: 1.0})
        for k in range(threads)
    ]
    seen = view([worker(101, pool)], cores=8, libraries=())
    service = replace(seen.service, framework="llama-server", models=(model or gguf(Q8_BYTES),))
    fields = {"tokens_out_per_second": 1 / between, "inter_token_seconds": between}
    return replace(seen, service=service, **{**fields, **said})


def known(seen: View, bandwidth: int | None = EIGHT_CHANNELS, elasticity: float | None = None) -> ServiceFacts:
    return replace(facts(seen, environ={}), memory_bandwidth_bytes_per_second=bandwidth, thread_elasticity=elasticity)


def test_decoding_at_what_the_memory_gives_needs_no_more_threads() -> None:
    """50.06 ms between tokens over 8.54 GB is 170.6 GB/s of 204.8."""
    seen = decoding()
    found = concluded(RULE, seen, known(seen))
    assert numbers(found)["estimated_traffic"] == pytest.approx(Q8_BYTES * 7800 / 390.5, rel=1e-6)
    assert numbers(found)["bandwidth_share"] == pytest.approx(0.833, abs=0.001)
    assert (found.changes, found.gains) == ((), ())
    assert "do not add threads (inferred)" in found.title
    assert "83% of what the memory gives" in found.summary


def test_advice_against_something_is_worth_knowing_and_no_more() -> None:
    seen = decoding()
    (one,) = judged([RULE], seen, known(seen)).judged
    assert one.severity == "info"


def test_a_second_sign_makes_it_surer() -> None:
    seen = decoding()
    alone, both = (concluded(RULE, seen, known(seen, elasticity=e)).confidence for e in (None, 0.05))
    assert (alone, both) == (0.5, 0.75)


def test_threads_that_brought_nothing_tell_it_without_a_stated_bandwidth() -> None:
    seen = decoding()
    found = concluded(RULE, seen, known(seen, None, 0.05))
    assert found.confidence == 0.4
    assert numbers(found)["thread_elasticity"] == 0.05
    assert "bandwidth_share" not in numbers(found)
    assert "grew by 0.05" in found.summary


def test_without_a_stated_bandwidth_the_owner_is_asked_for_it() -> None:
    seen = decoding()
    need = verdict(RULE, seen, known(seen, None))
    assert isinstance(need, Need)
    assert "[node] memory_bandwidth" in need.text
    assert "158.9 GiB/s" in need.text


def test_tokens_made_together_read_the_weights_once() -> None:
    """Four slots make four times the tokens in the same steps."""
    one, four = decoding(), decoding(tokens_out_per_second=4 * 7800 / 390.5)
    assert numbers(concluded(RULE, four, known(four))) == numbers(concluded(RULE, one, known(one))) | {
        "tokens_out_per_second": pytest.approx(79.9, abs=0.01)
    }
    slots = decoding(tokens_out_per_second=4 * 7800 / 390.5, inter_token_seconds=None, in_flight=4.0)
    assert numbers(concluded(RULE, slots, known(slots)))["bandwidth_share"] == pytest.approx(0.833, abs=0.001)


def test_of_experts_only_the_active_ones_are_read() -> None:
    shape = replace(LLAMA_8B, experts=8, active_experts=2)
    seen = decoding(model=gguf(Q8_BYTES * 4, shape))
    assert numbers(concluded(RULE, seen, known(seen)))["bandwidth_share"] == pytest.approx(0.833, abs=0.001)


def test_a_model_of_texts_reads_its_weights_for_each_call() -> None:
    bert = gguf(1 << 30, Geometry(layers=24, hidden_size=1024, heads=16))
    said = {"tokens_out_per_second": None, "inter_token_seconds": None, "requests_per_second": 140.0}
    seen = decoding(model=bert, **said)
    assert numbers(concluded(RULE, seen, known(seen)))["bandwidth_share"] == pytest.approx(
        140 * (1 << 30) / EIGHT_CHANNELS, abs=1e-4
    )
    batched = decoding(model=bert, batch_size=4.0, **said)
    assert verdict(RULE, batched, known(batched)) is None
    untold = replace(known(seen), settings=(Setting(lever=Lever.MAX_BATCH_SIZE, value=8, origin="file"),))
    assert verdict(RULE, seen, untold) is None


SMALL = gguf(400 << 20, Geometry(layers=12, hidden_size=768, heads=12))


@pytest.mark.parametrize(
    ("seen", "bandwidth", "elasticity"),
    [
        pytest.param(decoding(), 400_000_000_000, None, id="less than half of what the memory gives"),
        pytest.param(decoding(), 100_000_000_000, None, id="more than the memory gives: not all is read"),
        pytest.param(decoding(), EIGHT_CHANNELS, 0.7, id="threads bring what they should"),
        pytest.param(decoding(), 900_000_000_000, 0.05, id="threads bring nothing, far from what the memory gives"),
        pytest.param(decoding(waiting=0.5), EIGHT_CHANNELS, None, id="threads wait for a CPU"),
        pytest.param(decoding(threads=1), EIGHT_CHANNELS, None, id="one thread"),
        pytest.param(decoding(model=SMALL), 10_000_000_000, 0.0, id="weights that a cache holds"),
        pytest.param(decoding(model=gguf(Q8_BYTES, None)), EIGHT_CHANNELS, None, id="a model of unknown shape"),
        pytest.param(decoding(model_gpu_bytes=1e9), EIGHT_CHANNELS, None, id="partly on a GPU"),
        pytest.param(
            on_gpus(decoding(), gpu([process(decoding().workers[0], 4 * GIB)])), EIGHT_CHANNELS, None, id="on a GPU"
        ),
        pytest.param(
            decoding(tokens_out_per_second=None, inter_token_seconds=None), EIGHT_CHANNELS, None, id="no page"
        ),
    ],
)  # fmt: skip
def test_look_alikes_are_not_taken_for_it(seen: View, bandwidth: int, elasticity: float | None) -> None:
    assert not isinstance(verdict(RULE, seen, known(seen, bandwidth, elasticity)), Conclusion)
