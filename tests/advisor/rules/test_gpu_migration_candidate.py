"""R47 on built hosts."""

import pytest
from msgspec.structs import replace

from advisor.facts import ServiceFacts
from advisor.finding import Severity
from advisor.migration.estimate import estimate
from advisor.rules.cpu_oversubscribed_openmp import CpuOversubscribedOpenmp
from advisor.rules.gpu_migration_candidate import GpuMigrationCandidate
from advisor.view import View
from tests.advisor.built import concluded, fighting_pools, gains, judged, numbers, verdict
from tests.advisor.migration.migrating import NODE, encoder, known, market

RULE = GpuMigrationCandidate()


def told(seen: View, facts: ServiceFacts, *devices: str, **prices: float) -> ServiceFacts:
    return replace(facts, migration=estimate(seen, facts, market(seen, *devices, **prices)))


def priced(busy: float = 1.0) -> tuple[View, ServiceFacts]:
    seen = encoder(busy)
    return seen, told(seen, replace(known(seen), price=NODE, slo_p99_seconds=0.1), "L4", L4=1.2)


def test_a_saturated_encoder_that_misses_its_latency_is_moved():
    seen, facts = priced()
    found = concluded(RULE, seen, facts)
    assert facts.migration is not None
    (device,) = facts.migration.devices
    assert device.simulated is not None
    assert device.costs is not None
    assert found.title.startswith("move its model to L4: throughput ×")
    assert "not validated" in found.summary
    assert numbers(found)["throughput_ratio_p10"] == pytest.approx(device.simulated.throughput.p10, abs=1e-3)
    assert numbers(found)["amdahl_ceiling"] == pytest.approx(device.ceiling, abs=1e-3)
    assert gains(found)["throughput_ratio"][1] == pytest.approx(device.simulated.throughput.p50, rel=1e-3)
    assert device.simulated.at_load is not None
    there, alone = device.simulated.at_load.seconds, 0.2
    ratios = [one / alone for one in (there.p10, there.p50, there.p90)]
    assert gains(found)["latency_p50_ratio"] == pytest.approx(tuple(ratios), rel=0.02), "with what waits for a batch"
    assert device.simulated.latency.p50 < ratios[1] < ratios[2] < 1
    assert gains(found)["cost_ratio"][1] == pytest.approx(device.costs.ratio.p50, rel=1e-3)
    assert found.confidence == 0.4


def test_without_objective_and_prices_it_is_worth_knowing_only():
    seen = encoder()
    facts = told(seen, known(seen))
    found = concluded(RULE, seen, facts)
    assert (found.gains, found.title.startswith("its model would be faster on L4")) == ((), True)
    (one,) = [j for j in judged([RULE], seen, facts).judged if j.rule == RULE.id]
    assert one.severity is Severity.INFO


def test_on_a_device_that_nobody_measured_it_is_low_at_most():
    seen, facts = priced()
    (one,) = [j for j in judged([RULE], seen, facts).judged if j.rule == RULE.id]
    assert (one.severity, one.surest) == (Severity.LOW, 0.4)
    assert facts.migration is not None
    (device,) = facts.migration.devices
    present = replace(device, grade="B", present=True)
    here = replace(facts, migration=replace(facts.migration, devices=(present,)))
    (sure,) = [j for j in judged([RULE], seen, here).judged if j.rule == RULE.id]
    assert (sure.severity, sure.surest) == (Severity.CRITICAL, 0.7), "it misses its objective twice over"


def test_just_below_the_share_that_could_move_it_says_nothing():
    seen = encoder()
    assert verdict(RULE, seen, told(seen, known(seen, kernel=0.62, serialise=0.38))) is not None
    assert verdict(RULE, seen, told(seen, known(seen, kernel=0.58, serialise=0.42))) is None


def test_below_the_break_even_load_it_says_nothing():
    seen = encoder(0.3)
    facts = told(seen, replace(known(seen), price=NODE), "L4", L4=1.2)
    assert verdict(RULE, seen, facts) is None


def test_without_an_estimate_or_a_profile_it_says_nothing():
    seen = encoder()
    assert verdict(RULE, seen, known(seen)) is None
    blind = replace(known(seen), profile=None)
    assert verdict(RULE, seen, told(seen, blind)) is None


def test_the_cheapest_of_several_devices_is_named():
    seen = encoder()
    facts = told(seen, replace(known(seen), price=NODE), "H100", "L4", H100=6.0, L4=1.2)
    assert "L4" in concluded(RULE, seen, facts).title


def test_threads_that_fight_are_mended_first():
    seen = fighting_pools()
    facts = replace(known(seen), migration=priced()[1].migration)
    said = [j.rule for j in judged([RULE, CpuOversubscribedOpenmp()], seen, facts).judged]
    assert said == ["cpu-oversubscribed-openmp"]
