"""R27 on built hosts."""

import msgspec
import pytest

from advisor.catalogue import all_rules
from advisor.engine import Engine
from advisor.finding import Need
from advisor.rules.serialisation_heavy import SerialisationHeavy, form_of
from collectors.entities import Role
from tests.advisor import built, profiled_hosts
from tests.advisor.built import concluded, facts, gains, numbers, thread, verdict, view, worker
from tests.advisor.profiled_hosts import json_rows
from tests.advisor.profiles_built import profile_view, profiled, worker_profile

RULE = SerialisationHeavy()


def test_json_rows_should_be_sent_as_bytes():
    found = concluded(RULE, *json_rows())
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [("payload_format", "JSON", "bytes")]
    shown = numbers(found)
    assert shown["serialise_share"] == pytest.approx(0.85)
    assert shown["serialise_share_error"] == pytest.approx((0.85 * 0.15 / 600) ** 0.5, abs=1e-4)
    assert shown["allocation_and_gc_share"] == pytest.approx(0.04)
    assert shown["cores_full_ratio"] == pytest.approx(1.92 / 2)


def test_its_intervals_hold_what_was_measured_with_bytes():
    """Measured: throughput x8.25 (7.54 to 8.45), median latency / 9.13, 99 % latency / 7.4."""
    found = gains(concluded(RULE, *json_rows()))
    for metric, measured in (
        ("throughput_ratio", 8.25), ("latency_p50_ratio", 1 / 9.13), ("latency_p99_ratio", 1 / 7.4),
    ):  # fmt: skip
        low, _, high = found[metric]
        assert low <= measured <= high, metric
    error = (0.85 * 0.15 / 600) ** 0.5
    part = 0.85 + 0.04 * 0.85 / 0.96
    assert found["throughput_ratio"] == pytest.approx(
        (1 / (1 - 0.75 * (0.85 - error)), 1 / (1 - 0.98 * part), 1 / (1 - 0.85 - error - 0.04 - 0.25 * 0.08)), abs=0.002
    )


def test_what_is_of_no_known_class_widens_the_bounds_upwards_and_makes_it_less_sure():
    seen, _ = json_rows()
    known = [
        profiled(seen, *(worker_profile(k, 0.96, {"serialise": 0.4, other: 0.3}) for k in (101, 102)))
        for other in ("python", "unknown")
    ]
    clear, dark = (concluded(RULE, seen, each) for each in known)
    assert gains(dark)["throughput_ratio"][2] > 1.8 * gains(clear)["throughput_ratio"][2]
    assert gains(dark)["throughput_ratio"][0] == gains(clear)["throughput_ratio"][0]
    assert dark.confidence < clear.confidence


def test_a_share_that_its_error_may_explain_just_misses():
    assert verdict(RULE, *json_rows(0.205)) is None
    assert verdict(RULE, *json_rows(0.23)) is not None


def test_a_service_with_cpu_time_to_spare_is_left_alone_and_asked_nothing():
    seen, known = profiled_hosts.healthy_profiled()
    assert verdict(RULE, seen, known) is None
    assert verdict(RULE, seen, facts(seen, environ={})) is None
    assert verdict(RULE, built.far_below()) is None


def test_full_cores_without_a_profile_ask_for_one():
    need = verdict(RULE, json_rows()[0])
    assert isinstance(need, Need)
    assert (need.kind, "parsing and writing payloads" in need.text) == ("profile", True)


def test_an_old_profile_or_one_of_few_samples_counts_as_none():
    seen, known = json_rows()
    old = msgspec.structs.replace(known, profile=msgspec.structs.replace(known.profile, age_seconds=900.0))
    assert isinstance(verdict(RULE, seen, old), Need)
    few = profiled(seen, worker_profile(101, 0.96, {"serialise": 0.85}, samples=30, seconds=1.0))
    assert "more samples" in verdict(RULE, seen, few).text


def test_a_saturated_front_end_gains_only_until_its_worker_is_saturated():
    """Nine tenths of the front-end's time is parsing, but its worker is busy 0.5 of the time already."""
    front = worker(100, [thread(100, 0.97, 0.03)], role=Role.FRONT_END)
    seen = view([front, worker(101, [thread(101, 0.49, 0.01)])], cores=4)
    known = profiled(
        seen, worker_profile(100, 0.97, {"serialise": 0.9}), worker_profile(101, 0.49, {"kernel": 0.9})
    )  # fmt: skip
    assert gains(concluded(RULE, seen, known))["throughput_ratio"] == pytest.approx((2.0, 2.0, 2.0))


def test_parsing_in_a_process_that_limits_nothing_is_not_its_case():
    front = worker(100, [thread(100, 0.5, 0.0)], role=Role.FRONT_END)
    seen = view([front, worker(101, [thread(101, 0.97, 0.03)])], cores=4)
    known = profiled(seen, worker_profile(100, 0.5, {"serialise": 0.9}), worker_profile(101, 0.97, {"kernel": 0.9}))
    assert verdict(RULE, seen, known) is None


def test_text_as_the_product_is_not_its_case():
    seen, known = json_rows()
    assert verdict(RULE, msgspec.structs.replace(seen, tokens_out_per_second=120.0), known) is None
    tokens = profiled(seen, *(worker_profile(k, 0.96, {"serialise": 0.3, "tokenise": 0.5}) for k in (101, 102)))
    assert verdict(RULE, seen, tokens) is None


def test_what_a_request_costs_is_shown_where_the_server_counts_requests():
    seen, known = json_rows()
    counted = msgspec.structs.replace(seen, requests_per_second=424.8)
    assert numbers(concluded(RULE, counted, known))["serialise_cpu_per_request"] == pytest.approx(0.0038, abs=1e-4)


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("upb_Decode (_message.abi3.so)", "protobuf fields"),
        ("orjson.loads", "JSON"),
        ("base64.b64decode", "base64"),
        ("PyArray_DiscoverDTypeAndShape (_multiarray_umath.so)", "JSON"),
        ("something else", "Payload conversion"),
    ],
)
def test_the_form_of_the_payload_is_told_by_the_functions(name: str, form: str):
    assert form_of(profile_view(worker_profile(1, 1.0, {"serialise": 0.9}, calls={name: 0.5}))) == form


def test_look_alikes_are_listed_with_their_numbers():
    listed = {r.cause: r.because for r in concluded(RULE, *json_rows()).rejected}
    assert listed["preprocess-heavy"] == "tokenising and decoding took 0% ± 0%"
    assert listed["event-loop-blocked"] == "90% of what its loop computes is this"


@pytest.mark.parametrize("host", [h for h in profiled_hosts.ALL if h is not json_rows], ids=lambda h: h.__name__)
def test_look_alikes_are_not_taken_for_it(host):
    assert verdict(RULE, *host()) is None


def test_it_ranks_first_on_its_host():
    ranked = Engine(all_rules()).judge(*json_rows()).judged
    assert (ranked[0].rule, ranked[0].severity) == ("serialisation-heavy", "high")
    assert [j.rule for j in ranked if j.cause is None] == ["serialisation-heavy"]
