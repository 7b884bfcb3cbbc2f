"""R35 on built hosts: it asks where there is reason to, and never concludes."""

from typing import Any

import msgspec
import pytest

from advisor.catalogue import all_rules
from advisor.engine import Engine
from advisor.finding import Need
from advisor.rules.vram_fragmented import VramFragmented
from advisor.view import View
from tests.advisor import built
from tests.advisor.built import verdict
from tests.advisor.gpus_built import GIB, RESERVED, TOTAL, gpu, on_gpus, process
from tests.advisor.gpus_replayed import replayed
from tests.advisor.llm_built import known, server

RULE = VramFragmented()
USABLE = TOTAL - RESERVED
FULL = round(0.95 * USABLE)


def torch(*held: int, framework: str = "gunicorn", errors: float | None = 0.0, **device: Any) -> View:
    """A PyTorch service alone on a card whose use went like this, a reading each ten seconds."""
    seen_memory = tuple((10.0 * (len(held) - 1 - n), amount) for n, amount in enumerate(held))
    seen = server(framework, errors_per_second=errors)
    return on_gpus(seen, gpu([process(101, held[-1])], **{"memory_seen": seen_memory, **device}))


def activity(phase: str, card: str = "h100") -> dict[str, Any]:
    """What the recorded card counted in a phase."""
    one = replayed(card, phase, first=1 if card == "h100" else 0)
    pcie = {"alloc": 2.4e6, "pinned": 58e9, "graph": 13e6}[phase]
    return {
        "busy_ratio": one.busy_ratio, "sm_active_ratio": one.sm_active_ratio, "dram_active_ratio": one.dram_active_ratio,
        "pcie_rx_bytes_per_second": pcie, "pcie_tx_bytes_per_second": 0.0,
    }  # fmt: skip


def asked_on(seen: View, **levers: Any) -> str:
    need = verdict(RULE, seen, known(seen, **levers))
    assert isinstance(need, Need)
    assert need.kind == "metrics"
    return need.text


SAW = tuple(FULL if n % 6 < 4 else FULL - 10 * GIB for n in range(30))


def test_a_use_that_falls_and_rises_again_near_the_limit_is_asked_about():
    text = asked_on(torch(*SAW))
    assert "up to 95% full" in text
    assert "fell by a twentieth or more 4 times" in text
    assert "num_alloc_retries" in text
    assert "expandable_segments:True" in text


@pytest.mark.parametrize("card", ["h100", "h200"])
def test_a_card_that_clears_memory_instead_of_working_as_recorded_is_asked_about(card):
    assert "busy 100% of the time with clearing memory" in asked_on(torch(FULL, **activity("alloc", card)))


@pytest.mark.parametrize("phase", ["pinned", "graph"])
def test_recorded_copies_and_launches_are_no_allocating(phase):
    seen = torch(FULL, **activity(phase))
    assert verdict(RULE, seen, known(seen)) is None


def test_failing_requests_on_a_full_card_are_asked_about():
    assert "0.50 requests a second fail" in asked_on(torch(FULL, errors=0.5))
    for errors in (0.0, 0.005, None):
        seen = torch(FULL, errors=errors)
        assert verdict(RULE, seen, known(seen)) is None


def test_nine_tenths_just_miss():
    held = round(0.89 * USABLE)
    seen = torch(held, errors=0.5)
    assert verdict(RULE, seen, known(seen)) is None
    assert verdict(RULE, seen, known(seen), standing=True) is not None


def test_a_full_card_alone_is_no_reason_to_ask():
    seen = torch(*[FULL] * 30)
    assert verdict(RULE, seen, known(seen)) is None


def test_a_single_fall_is_a_model_that_was_unloaded():
    seen = torch(*[FULL] * 15, *[FULL - 20 * GIB] * 5, *[FULL] * 10)
    assert verdict(RULE, seen, known(seen)) is None


def test_what_is_not_readable_gives_no_sign():
    for unread in ({"sm_active_ratio": None}, {"dram_active_ratio": None}, {"busy_ratio": None}):
        seen = torch(FULL, **{**activity("alloc"), **unread})
        assert verdict(RULE, seen, known(seen)) is None
    seen = torch(*SAW, memory_used_bytes=None)
    assert verdict(RULE, seen, known(seen)) is None


@pytest.mark.parametrize("variable", ["PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF"])
def test_segments_that_expand_already_are_not_asked_about(variable):
    seen = torch(*SAW)
    facts = known(seen, environ={variable: "max_split_size_mb:64,expandable_segments:True"})
    assert verdict(RULE, seen, facts) is None


def test_a_pool_and_a_server_without_pytorch_are_not_its_case():
    seen = torch(*SAW, framework="vllm")
    assert verdict(RULE, seen, known(seen, gpu_memory_share=0.92)) is None
    workers = tuple(msgspec.structs.replace(w, compute_libraries=("onnxruntime",)) for w in seen.service.workers)
    other = msgspec.structs.replace(seen, service=msgspec.structs.replace(seen.service, workers=workers))
    assert verdict(RULE, other, known(other)) is None


def test_it_is_experimental_and_leaves_a_question_beside_the_finding():
    assert RULE.proven == ()
    seen = torch(*SAW)
    found = Engine(all_rules()).judge(seen, known(seen))
    assert "vram-fragmented" in [i.rule for i in found.inconclusive]
    assert "vram-fragmented" not in [j.rule for j in found.judged]
    assert found.broken == ()


@pytest.mark.parametrize("host", [built.healthy, built.too_many_workers])
def test_services_without_a_gpu_are_asked_for_nothing(host):
    assert verdict(RULE, host()) is None
