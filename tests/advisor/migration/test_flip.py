"""A saturated encoder with an objective and prices: interval, binding term, break-even load, and a verdict that turns there."""

import pytest
from msgspec.structs import replace

from advisor.finding import Severity
from advisor.migration.another_load import at_load
from advisor.migration.estimate import Market, estimate, on_devices
from advisor.migration.money import AT_CAPACITY
from advisor.migration.result import DeviceEstimate, Situation
from advisor.migration.verdict import CHEAPER, LEAST_SPEEDUP
from advisor.rules.gpu_migration_candidate import GpuMigrationCandidate
from advisor.rules.gpu_migration_not_worth import GpuMigrationNotWorth
from tests.advisor.built import judged
from tests.advisor.migration.migrating import NODE, encoder, known, market

SLO = 0.3
QUEUED = 0.9
"""Seconds that a request takes on saturated CPUs; 0.2 of them are work."""


def saturated(device: str = "L4", hourly: float = 1.2) -> tuple[Situation, Market]:
    seen = replace(encoder(), latency_seconds=QUEUED)
    there = market(seen, device, **{device: hourly})
    found = estimate(seen, replace(known(seen), slo_p99_seconds=SLO, price=NODE), there).situation
    assert found is not None
    return found, there


def verdict(now: Situation, there: Market) -> DeviceEstimate:
    (found,) = on_devices(now, there).devices
    return found


def test_interval_binding_term_and_break_even():
    now, there = saturated()
    found = verdict(now, there)
    assert (found.verdict, found.present, found.validated) == ("candidate", False, False)
    assert found.simulated is not None
    assert (
        LEAST_SPEEDUP < found.simulated.throughput.p10 < found.simulated.throughput.p50 < found.simulated.throughput.p90
    )
    assert found.simulated.terms[found.simulated.binding] == max(found.simulated.terms.values())
    assert found.costs is not None
    even = found.costs.break_even_per_second
    assert even is not None
    node = AT_CAPACITY * found.simulated.cpu_per_second.p50
    assert even.p50 == pytest.approx(node), "one device for 1.2 an hour takes the place of two nodes for 0.8 each"
    assert 0 < even.p10 <= even.p50 <= even.p90 < now.work.per_second
    assert found.simulated.at_load is not None
    there = found.simulated.at_load.p99_seconds
    assert found.reasons[0].endswith(
        f"900 ms miss the 300 ms that are wanted, there 99 of 100 take {there.p10 * 1e3:.3g} to {there.p90 * 1e3:.3g} ms"
    )
    assert found.flips == (
        f"below {even.p50:.3g} requests a second ({even.p10:.3g} to {even.p90:.3g}), or other prices",
    )


def test_it_turns_when_the_load_falls_below_the_break_even():
    now, there = saturated()
    costs = verdict(now, there).costs
    assert costs is not None
    assert costs.break_even_per_second is not None
    even = costs.break_even_per_second.p50
    said = {part: verdict(at_load(now, part * even), there) for part in (1.05, 0.99, 0.5, 0.1)}
    assert {part: one.verdict for part, one in said.items()} == {
        1.05: "candidate", 0.99: "not worth it", 0.5: "not worth it", 0.1: "not worth it",
    }  # fmt: skip
    for part, one in said.items():
        assert one.costs is not None
        assert (one.costs.ratio.p50 <= CHEAPER) == (one.verdict == "candidate")
        assert one.costs.break_even_per_second is not None
        assert one.costs.break_even_per_second.p50 == pytest.approx(even), "it does not depend on the load"
        assert one.verdict == "candidate" or one.flips[0].startswith(f"above {even:.3g} requests a second"), part
        assert one.simulated is not None
        assert one.simulated.throughput == verdict(now, there).simulated.throughput  # type: ignore[union-attr]


def test_the_rules_turn_with_it():
    seen, rules = replace(encoder(), latency_seconds=QUEUED), [GpuMigrationCandidate(), GpuMigrationNotWorth()]
    facts = replace(known(seen), slo_p99_seconds=SLO, price=NODE)
    there = market(seen, "L4", L4=1.2)
    now = estimate(seen, facts, there)
    assert now.situation is not None
    quiet = on_devices(at_load(now.situation, 20.0), there)
    said = {
        name: judged(rules, seen, replace(facts, migration=one)).judged
        for name, one in (("now", now), ("quiet", quiet))
    }
    assert [one.rule for one in said["now"]] == ["gpu-migration-candidate"]
    assert [(one.rule, one.severity) for one in said["quiet"]] == [("gpu-migration-not-worth", Severity.INFO)]


def test_latency_that_no_load_brings_is_told_as_all_that_is_bought():
    now, there = saturated()
    tight = replace(now, slo_p99_seconds=0.1)
    few = verdict(at_load(tight, 10.0), there)
    assert few.verdict == "candidate"
    assert "it costs ×1.50: latency is all that is bought" in few.reasons[0]
    assert few.flips == ("an objective of 200 ms or more: so long takes a request that does not queue",)


def test_fewer_requests_queue_less_and_more_are_not_guessed():
    now, _ = saturated()
    times = [
        at_load(now, part * now.work.per_second).latency_seconds or 0 for part in (0.1, 0.3, 0.6, 0.9, 0.99, 1.0, 1.5)
    ]
    assert times == sorted(times)
    assert times[0] == pytest.approx(now.work.wall_seconds * QUEUED / (now.work.wall_seconds * (1 + 2.9)), rel=0.1)
    assert times[-2:] == [QUEUED, QUEUED]
    assert at_load(replace(now, latency_seconds=None), 1.0).latency_seconds is None


def at_the_edge(now: Situation, there: Market, part: float) -> Situation:
    """With an objective of so much of what 99 of 100 requests take there, in nine of ten draws; the same batches."""
    found = verdict(now, there).simulated
    assert found is not None
    assert found.at_load is not None
    edged = replace(now, slo_p99_seconds=part * found.at_load.p99_seconds.p90)
    again = verdict(edged, there).simulated
    assert again is not None
    assert again.batch == found.batch
    return edged


def test_an_objective_is_met_there_with_all_that_waits_or_it_is_no_reason():
    """At 400 requests a second several are computed together: a lone request would keep to it, 99 of 100 do not."""
    now, there = saturated()
    now, bare = at_load(now, 400.0), replace(there, prices={})
    met, missed = (verdict(at_the_edge(now, bare, part), bare) for part in (1.01, 0.99))
    assert (met.verdict, missed.verdict) == ("candidate", "possible")
    assert missed.simulated is not None
    assert missed.simulated.at_load is not None
    wanted, told = 0.99 * missed.simulated.at_load.p99_seconds.p90, missed.simulated.at_load
    assert told.alone_seconds.p90 < told.seconds.p90 < wanted, "but neither a lone request nor the mean one misses it"
    assert f"{wanted * 1e3:.3g} ms are wanted" in missed.reasons[-1]
    assert missed.flips[0] == f"an objective of {told.p99_seconds.p90 * 1e3:.3g} ms or more"
    assert missed.flips[1].startswith("prices that speak for it")


def test_a_cheaper_device_that_would_miss_what_is_met_here_is_not_worth_it():
    now, there = saturated(hourly=0.1)
    edged = at_the_edge(at_load(now, 400.0), there, 0.99)
    assert edged.slo_p99_seconds is not None
    here = replace(edged, latency_seconds=0.9 * edged.slo_p99_seconds)
    found = verdict(here, there)
    assert found.costs is not None
    assert found.costs.ratio.p50 < CHEAPER
    assert found.verdict == "not worth it"
    assert found.reasons[0].startswith("there 99 of 100 take ")
    unknown = verdict(replace(edged, latency_seconds=None), there)
    assert unknown.verdict == "not worth it"
    missed_here_by_more = verdict(replace(edged, latency_seconds=QUEUED), there)
    assert missed_here_by_more.verdict == "candidate", "it is cheaper, and no slower"
    assert "ms are wanted" in missed_here_by_more.reasons[1]
    dear = replace(there, prices={"L4": replace(there.prices["L4"], hourly=1000.0)})
    assert verdict(replace(edged, latency_seconds=QUEUED), dear).verdict == "not worth it"
