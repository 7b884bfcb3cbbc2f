"""R48 on built hosts."""

import pytest
from msgspec.structs import replace

from advisor.facts import ServiceFacts
from advisor.finding import Severity
from advisor.migration.estimate import estimate
from advisor.rules.gpu_migration_candidate import GpuMigrationCandidate
from advisor.rules.gpu_migration_not_worth import GpuMigrationNotWorth
from advisor.view import View
from tests.advisor.built import concluded, judged, numbers, verdict
from tests.advisor.migration.migrating import NODE, encoder, known, market

RULE = GpuMigrationNotWorth()


def told(seen: View, facts: ServiceFacts, *devices: str, **prices: float) -> ServiceFacts:
    return replace(facts, migration=estimate(seen, facts, market(seen, *devices, **prices)))


def test_a_forest_stays_with_what_would_change_that():
    seen = encoder()
    found = concluded(RULE, seen, told(seen, known(seen, trees=0.7, glue=0.2)))
    assert found.title == "leave it on the CPUs: decision trees: a device does not speed up requests of a few rows"
    assert "1000 rows or more a request" in found.summary
    assert numbers(found)["trees_share"] == pytest.approx(0.7, abs=0.01)
    assert found.confidence == 0.8


def test_it_is_never_more_than_worth_knowing():
    seen = encoder()
    facts = told(seen, known(seen, trees=0.7, glue=0.2))
    assert [j.severity for j in judged([RULE], seen, facts).judged] == [Severity.INFO]


def test_below_the_break_even_load_it_names_that_load():
    seen = encoder(0.3)
    facts = told(seen, replace(known(seen), price=NODE), "L4", L4=1.2)
    found = concluded(RULE, seen, facts)
    assert "it costs ×1.50" in found.title
    assert "above" in found.summary


def test_just_enough_that_could_move_is_no_reason_against_it():
    seen = encoder()
    assert verdict(RULE, seen, told(seen, known(seen, kernel=0.58, serialise=0.42))) is not None
    assert verdict(RULE, seen, told(seen, known(seen, kernel=0.62, serialise=0.38))) is None


def test_where_one_of_several_devices_would_be_of_use_it_says_nothing():
    seen = encoder()
    facts = told(seen, replace(known(seen), price=NODE), "L4", "H100", L4=1.2, H100=60.0)
    assert facts.migration is not None
    assert {one.verdict for one in facts.migration.devices} == {"candidate", "not worth it"}
    assert verdict(RULE, seen, facts) is None
    assert [j.rule for j in judged([RULE, GpuMigrationCandidate()], seen, facts).judged] == ["gpu-migration-candidate"]


def test_without_an_estimate_it_says_nothing():
    seen = encoder()
    assert verdict(RULE, seen, known(seen)) is None
    idle = encoder(0.002)
    assert verdict(RULE, idle, told(idle, known(idle))) is None
