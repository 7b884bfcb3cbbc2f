"""R36 on built hosts: a vLLM whose cache puts requests out, and what looks like it."""

import msgspec
import pytest

from advisor.catalogue import all_rules
from advisor.engine import Engine
from advisor.finding import Need
from advisor.rules.kv_cache_preemption import KvCachePreemption
from advisor.view import PageView, View
from tests.advisor import built
from tests.advisor.built import concluded, gains, numbers, verdict
from tests.advisor.gpus_built import GIB, RESERVED, TOTAL, gpu, hidden, on_gpus, process
from tests.advisor.llm_built import answering, known, pages, safetensors, server

RULE = KvCachePreemption()
USABLE = TOTAL - RESERVED
POOL = round(0.85 * USABLE)


def preempting(said: tuple[PageView, ...] = pages(*(1, 0, 2, 1, 1, 2) * 5), **changed: object) -> View:
    """As on the recorded page: 21 run, 5 wait; answers of 200 tokens to prompts of 1000, 2 a second."""
    fields = {
        "pages": said, "preemptions_per_second": 0.2, "kv_cache_ratio": 0.97, "in_flight": 21.0, "server_queue": 5.0,
        "requests_per_second": 2.0, "tokens_in_per_second": 2000.0, "tokens_out_per_second": 400.0,
    }  # fmt: skip
    said_too = fields | changed
    told = (said_too[name] for name in ("requests_per_second", "tokens_in_per_second", "tokens_out_per_second"))
    return server("vllm", **{**said_too, "pages": answering(said, *told)})


def alone(seen: View, held: int = POOL, **known: object) -> View:
    return on_gpus(seen, gpu([process(101, held)], architecture="ampere", **known))


def crowded(seen: View) -> View:
    """The pool fills what another service's process leaves."""
    return on_gpus(seen, gpu([process(101, POOL), process(999, USABLE - POOL - GIB)], architecture="ampere"))


def test_free_memory_that_nobody_uses_is_given_to_the_cache():
    seen = alone(preempting())
    found = concluded(RULE, seen, known(seen, gpu_memory_share=0.85, max_requests_in_flight=None))
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [("gpu_memory_share", 0.85, 0.95)]
    shown = numbers(found)
    assert shown["preempted_per_minute"] == pytest.approx(60 * 35 / 300)
    assert shown["pages_with_preemptions"] == pytest.approx(25 / 30, abs=1e-4)
    assert "nobody used" in found.summary


def test_the_share_leaves_what_has_to_stay_free():
    seen = alone(preempting(), round(0.9 * USABLE), memory_used_max_bytes=round(0.94 * USABLE))
    found = concluded(RULE, seen, known(seen, gpu_memory_share=0.9))
    assert [c.proposed for c in found.changes] == [0.94]  # a fiftieth of the device stays


def test_of_a_device_with_nothing_to_be_had_no_share_is_proposed():
    seen = alone(preempting(), memory_total_bytes=0)
    found = concluded(RULE, seen, known(seen, gpu_memory_share=None))
    assert found.changes == ()
    assert "is not known" in found.summary


def test_a_share_that_is_not_set_is_measured():
    seen = alone(preempting(), round(0.6 * USABLE))
    found = concluded(RULE, seen, known(seen, gpu_memory_share=None))
    assert [(c.current, c.proposed) for c in found.changes] == [(None, 0.95)]


@pytest.mark.parametrize(
    ("others", "why"),
    [
        ([process(999, USABLE - POOL - GIB)], "1.0 GiB are free beside it"),
        ([process(999, None)], "what they hold is not known"),
        ([hidden(77)], "what they hold is not known"),
    ],
)
def test_others_on_the_device_are_not_pushed_out(others, why):
    seen = on_gpus(preempting(), gpu([process(101, POOL), *others]))
    found = concluded(RULE, seen, known(seen, gpu_memory_share=0.85, max_requests_in_flight=None))
    assert [c.lever for c in found.changes] == ["max_requests_in_flight"]
    assert why in found.summary


def test_memory_of_nobody_known_keeps_the_share():
    one = gpu([process(101, POOL), process(999, GIB)], used=POOL + 6 * GIB)
    found = concluded(RULE, seen := on_gpus(preempting(), one), known(seen, gpu_memory_share=0.85))
    assert found.changes == ()
    assert "is not known" in found.summary


def test_others_that_grow_keep_what_they_need():
    steady = gpu([process(101, POOL), process(999, 2 * GIB)])
    growing = gpu(
        [process(101, POOL), process(999, 2 * GIB)],
        memory_seen=tuple((10.0 * (29 - n), POOL + 2 * GIB - (29 - n) * GIB // 10) for n in range(30)),
    )
    proposed = []
    for one in (steady, growing):
        seen = on_gpus(preempting(), one)
        proposed += [c.proposed for c in concluded(RULE, seen, known(seen, gpu_memory_share=0.85)).changes]
    assert proposed == [0.95, 0.91]  # by its 2.9 GiB of 79.2


def test_on_a_full_device_as_many_run_as_stay_to_their_end():
    seen = crowded(preempting())
    found = concluded(RULE, seen, known(seen, gpu_memory_share=0.85, max_requests_in_flight=None))
    # 21 / 0.97 means fit; two standard deviations of 200 / √12 tokens each beside means of 1100: 21.2; fewer than now
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [("max_requests_in_flight", None, 20)]
    longer = crowded(preempting(tokens_out_per_second=20_000.0))
    found = concluded(RULE, longer, known(longer, gpu_memory_share=0.85, max_requests_in_flight=64))
    assert [(c.current, c.proposed) for c in found.changes] == [(64, 17)]


def test_a_limit_is_one_engines():
    seen = crowded(preempting(in_flight=42.0))
    facts = known(seen, gpu_memory_share=0.85, max_requests_in_flight=None, data_parallel=2)
    found = concluded(RULE, seen, facts)
    assert [c.proposed for c in found.changes] == [20]
    assert "run at most 20 at once on each of 2 engines" in found.title
    assert gains(found)["throughput_ratio"][0] == pytest.approx(2 * 20 / 42, abs=1e-3)


def test_without_the_number_of_engines_no_limit_is_proposed():
    seen = crowded(preempting(in_flight=42.0))
    facts = known(seen, gpu_memory_share=0.85, max_requests_in_flight=None, data_parallel=None)
    unread = tuple(
        msgspec.structs.replace(s, origin="--config is not readable") if s.lever == "data_parallel" else s
        for s in facts.settings
    )
    assert concluded(RULE, seen, msgspec.structs.replace(facts, settings=unread)).changes == ()
    sglang = msgspec.structs.replace(facts.service, framework="sglang")  # its engines may share the limit
    two = known(seen, gpu_memory_share=0.85, max_requests_in_flight=None, data_parallel=2)
    assert concluded(RULE, seen, msgspec.structs.replace(two, service=sglang)).changes == ()


def test_a_limit_that_is_lower_already_is_not_the_cause():
    seen = crowded(preempting())
    found = concluded(RULE, seen, known(seen, gpu_memory_share=0.85, max_requests_in_flight=8))
    assert found.changes == ()
    assert found.gains == ()


def test_what_is_computed_twice_bounds_the_gain():
    seen = alone(preempting())
    found = concluded(RULE, seen, known(seen, gpu_memory_share=0.85))
    twice = 35 / 300 * 1200  # tokens a second of 2400
    share = twice / (twice + 2400)
    assert numbers(found)["tokens_computed_twice_at_most"] == pytest.approx(share, abs=1e-4)
    assert gains(found)["throughput_ratio"] == pytest.approx((1.0, 1 / (1 - share / 2), 1 / (1 - share)), abs=1e-3)


def test_what_is_computed_twice_is_of_the_same_pages_as_what_was_put_out():
    """Five minutes of preemptions beside one page on which hardly anything was answered."""
    seen = preempting(requests_per_second=2.0)
    late = alone(msgspec.structs.replace(seen, requests_per_second=0.05, tokens_in_per_second=50.0))
    found = concluded(RULE, late, known(late, gpu_memory_share=0.85))
    twice = 35 / 300 * 1200
    assert numbers(found)["tokens_computed_twice_at_most"] == pytest.approx(twice / (twice + 2400), abs=1e-4)
    assert "That is 6% of those that it answers." in found.summary


def test_pages_on_which_hardly_anything_was_answered_tell_no_length():
    seen = alone(preempting(requests_per_second=0.03))  # nine answers in five minutes
    found = concluded(RULE, seen, known(seen, gpu_memory_share=0.85))
    assert found.gains == ()
    assert "% of those" not in found.summary
    assert "cannot be told of so few answers" in found.summary


def test_a_request_computes_no_more_again_than_its_context_holds():
    seen = alone(preempting(requests_per_second=0.1))  # 24000 tokens for each that was answered so far
    facts = known(seen, gpu_memory_share=0.85, context_length=8192)
    found = concluded(RULE, seen, facts)
    twice = 35 / 300 * 8192
    assert numbers(found)["tokens_computed_twice_at_most"] == pytest.approx(twice / (twice + 2400), abs=1e-4)
    modelled = msgspec.structs.replace(facts.service, models=(safetensors(),))
    longer = concluded(RULE, seen, msgspec.structs.replace(known(seen, gpu_memory_share=0.85), service=modelled))
    twice = 35 / 300 * 24000  # the model's context of 131072 bounds nothing here
    assert numbers(longer)["tokens_computed_twice_at_most"] == pytest.approx(twice / (twice + 2400), abs=1e-4)


def test_more_put_out_than_answered_is_said_so_and_promises_no_more_than_half():
    seen = alone(preempting(pages(*[5] * 30), requests_per_second=0.1))
    found = concluded(RULE, seen, known(seen, gpu_memory_share=0.85, context_length=24000))
    assert "more than those that it answers" in found.summary
    assert numbers(found)["tokens_computed_twice_at_most"] > 0.8
    assert gains(found)["throughput_ratio"] == (1.0, pytest.approx(4 / 3, abs=1e-3), 2.0)


def test_running_fewer_may_cost_as_much_as_they_are_fewer():
    seen = crowded(preempting())
    found = concluded(RULE, seen, known(seen, gpu_memory_share=0.85, max_requests_in_flight=None))
    assert gains(found)["throughput_ratio"][0] == pytest.approx(20 / 21, abs=1e-3)


def test_without_tokens_no_gain_is_stated():
    seen = alone(preempting(tokens_out_per_second=None))
    found = concluded(RULE, seen, known(seen, gpu_memory_share=0.85))
    assert found.gains == ()
    assert "cannot be told" in found.summary


def test_one_burst_after_a_deployment_is_not_its_case():
    seen = alone(preempting(pages(9, 14, 3, *[0] * 27)))
    assert verdict(RULE, seen, known(seen)) is None


def test_what_is_over_is_not_said():
    seen = alone(preempting(pages(*[2] * 20, 0, 0, 0)))
    assert verdict(RULE, seen, known(seen)) is None


def test_less_than_one_a_minute_just_misses_and_keeps_a_standing_finding():
    seen = alone(preempting(pages(*(0, 0, 1) * 5, *(0,) * 13, 0, 1)))
    assert verdict(RULE, seen, known(seen)) is None
    rare = alone(preempting(pages(*(0, 0.3, 0.01) * 10)))  # of a page each minute
    assert verdict(RULE, rare, known(rare)) is None
    assert verdict(RULE, rare, known(rare), standing=True) is not None


def test_a_few_pages_ask_for_more():
    need = verdict(RULE, alone(preempting(pages(1, 2, 1))))
    assert isinstance(need, Need)
    assert (need.kind, need.text) == ("time", "30 more seconds of its metrics pages")


def test_more_pages_make_it_surer():
    short, long = alone(preempting(pages(*[1] * 6))), alone(preempting(pages(*[1] * 30)))
    sure = [concluded(RULE, seen, known(seen)).confidence for seen in (short, long)]
    assert sure == pytest.approx([0.61, 0.85])


def test_a_server_that_counts_none_is_asked_only_with_a_full_cache():
    seen = preempting(pages(*[None] * 6), preemptions_per_second=None)
    need = verdict(RULE, seen, known(seen))
    assert isinstance(need, Need)
    assert need.kind == "metrics"
    assert "97% full" in need.text
    fresh = preempting(pages(None), preemptions_per_second=None)
    assert verdict(RULE, fresh, known(fresh)) is None
    half = preempting(pages(*[None] * 6), preemptions_per_second=None, kv_cache_ratio=0.5)
    assert verdict(RULE, half, known(half)) is None
    blind = preempting((), preemptions_per_second=None, kv_cache_ratio=None)
    assert verdict(RULE, blind, known(blind)) is None


@pytest.mark.parametrize(("architecture", "said"), [("hopper", True), ("ampere", False), (None, False)])
def test_a_cache_of_eight_bits_is_named_where_the_device_computes_with_them(architecture, said):
    seen = on_gpus(preempting(), gpu([process(101, POOL)], architecture=architecture))
    found = concluded(RULE, seen, known(seen, gpu_memory_share=0.85, kv_cache_precision="auto"))
    assert ("fp8" in found.summary) is said
    found = concluded(RULE, seen, known(seen, gpu_memory_share=0.85, kv_cache_precision="fp8"))
    assert "fp8" not in found.summary


@pytest.mark.parametrize(
    ("framework", "spelled"), [("vllm", "fp8 "), ("sglang", "fp8_e4m3 "), ("tgi", "fp8_e4m3fn "), ("nim", None)]
)
def test_eight_bits_are_spelled_as_the_server_takes_them(framework, spelled):
    seen = on_gpus(preempting(), gpu([process(101, POOL)], architecture="hopper"))
    facts = known(seen, gpu_memory_share=0.85, kv_cache_precision=None)
    facts = msgspec.structs.replace(facts, service=msgspec.structs.replace(facts.service, framework=framework))
    summary = concluded(RULE, seen, facts).summary
    assert "fp8" not in summary if spelled is None else f"in {spelled}holds" in summary


def test_a_size_that_wins_over_the_share_is_respected():
    seen = alone(preempting())
    facts = known(seen, gpu_memory_share=None, max_requests_in_flight=None)
    wins = "argument --kv-cache-memory-bytes sets 20G and wins"
    settings = tuple(
        msgspec.structs.replace(s, origin=wins) if s.lever == "gpu_memory_share" else s for s in facts.settings
    )
    found = concluded(RULE, seen, msgspec.structs.replace(facts, settings=settings))
    assert [c.lever for c in found.changes] == ["max_requests_in_flight"]
    assert wins in found.summary


def test_sglang_keeps_more_free_beside_its_share():
    seen = alone(preempting(), round(0.85 * USABLE))
    facts = known(seen, gpu_memory_share=0.85)
    sglang = msgspec.structs.replace(facts, service=msgspec.structs.replace(facts.service, framework="sglang"))
    assert [c.proposed for c in concluded(RULE, seen, sglang).changes] == [0.92]  # 6 of 79.2 GiB stay


def test_it_is_the_only_finding_on_its_host_and_names_the_option():
    seen = alone(preempting())
    found = Engine(all_rules()).judge(seen, known(seen, gpu_memory_share=0.85))
    (own,) = (j for j in found.judged if j.rule == "kv-cache-preemption")
    assert {j.cause for j in found.judged} == {None}
    assert own.conclusion.confidence <= 0.3  # the server is known from documentation only
    assert {j.severity for j in found.judged} == {"info"}
    assert found.broken == ()
    assert "--gpu-memory-utilization" in {
        place.key for j in found.judged for c in j.conclusion.changes for place in c.how
    }


@pytest.mark.parametrize("host", [built.healthy, built.far_below, built.one_saturated_worker])
def test_services_without_a_cache_are_asked_for_nothing(host):
    assert verdict(RULE, host()) is None
