"""R58 on built hosts."""

from advisor.rules.affinity_overlapping_pins import AffinityOverlappingPins
from advisor.rules.thread_pins_collide import ThreadPinsCollide
from tests.advisor.built import concluded, facts, fighting_pools, judged, numbers, overlapping_pins, verdict, view

RULE = ThreadPinsCollide()
BOUND = {"OMP_PROC_BIND": "true"}


def test_binding_that_puts_two_workers_on_cpu_0_is_switched_off():
    seen = overlapping_pins(mixed=True)
    found = concluded(RULE, seen, facts(seen, environ=BOUND))
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [("thread_binding", "true", "false")]
    assert numbers(found)["shared_cpus"] == 1
    assert "OMP_PROC_BIND=true" in found.summary


def test_it_and_overlapping_pins_never_speak_of_the_same_host():
    seen = overlapping_pins(mixed=True)
    for environ in (BOUND, {}, None):
        judgement = judged([RULE, AffinityOverlappingPins()], seen, facts(seen, environ=environ))
        assert len(judgement.judged) == 1


def test_without_a_binding_variable_it_is_not_its_case():
    seen = overlapping_pins()
    assert verdict(RULE, seen, facts(seen, environ={"OMP_PROC_BIND": "false"})) is None


def test_an_unreadable_environment_leaves_the_pattern_of_masks_at_low_confidence():
    seen = overlapping_pins(mixed=True)
    assert concluded(RULE, seen, facts(seen, environ=None)).confidence == 0.6
    plain = overlapping_pins()
    assert verdict(RULE, plain, facts(plain, environ=None)) is None


def test_bound_pools_without_an_idle_cpu_just_miss():
    seen = view(overlapping_pins(mixed=True).workers, busy=(1.0, 0.5))
    assert verdict(RULE, seen, facts(seen, environ=BOUND)) is None


def test_unbound_pools_that_fight_are_oversubscription():
    seen = fighting_pools()
    assert verdict(RULE, seen, facts(seen, environ=BOUND)) is None
