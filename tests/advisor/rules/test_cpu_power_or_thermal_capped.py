"""R21 on built hosts."""

import pytest
from msgspec.structs import replace

from advisor.finding import Need
from advisor.rules.cpu_power_or_thermal_capped import CpuPowerOrThermalCapped
from advisor.view import View
from tests.advisor.built import concluded, facts, gains, judged, numbers, thread, verdict, view, worker
from tests.advisor.cores_built import clocked

RULE = CpuPowerOrThermalCapped()


def busy(used: float = 0.97, waiting: float = 0.02) -> View:
    """Two single-threaded workers that fill two CPUs."""
    members = [worker(101 + k, [thread(101 + k, used, waiting, seen={k: 1.0})]) for k in range(2)]
    return view(members)


def test_a_limit_below_base_is_lifted() -> None:
    found = concluded(RULE, clocked(busy(), 1.2, limit=1.2))
    assert [(c.lever, c.current, c.proposed, c.restart) for c in found.changes] == [
        ("cpu_clock_limit", 1_200_000, 3_900_000, False)
    ]
    assert numbers(found)["clock_ratio"] == pytest.approx(0.5)
    assert numbers(found)["clock_limit"] == pytest.approx(1.2e9)
    assert "50% of their base clock, 1.20 GHz" in found.title


def test_heat_is_told_without_a_setting_and_before_a_limit() -> None:
    found = concluded(RULE, clocked(busy(), 1.8, limit=1.8, events=7))
    assert found.changes == ()
    assert numbers(found)["throttle_events"] == 14
    assert "cool the node" in found.title


def test_a_governor_that_keeps_the_cores_slow_is_changed() -> None:
    found = concluded(RULE, clocked(busy(), 0.8, governor="powersave"))
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [("cpu_governor", "powersave", "performance")]
    assert found.confidence == 0.5


def test_the_gain_is_at_most_the_ratio_of_the_clocks() -> None:
    assert gains(concluded(RULE, clocked(busy(), 1.2, limit=1.2)))["throughput_ratio"] == pytest.approx(
        (1.0, 1 / 0.75, 2.0), abs=1e-3
    )
    assert gains(concluded(RULE, clocked(busy(), 2.1, events=1)))["throughput_ratio"][2] == pytest.approx(
        2.4 / 2.1, abs=1e-3
    )


def test_heat_with_no_base_clock_to_compare_promises_nothing() -> None:
    found = concluded(RULE, clocked(busy(), None, base=None, events=2))
    assert found.gains == ()
    (one,) = judged([RULE], clocked(busy(), None, base=None, events=2)).judged
    assert one.severity == "info"


@pytest.mark.parametrize("governor", ["performance", "powersave", None])
def test_a_low_clock_that_nothing_explains_is_a_question(governor: str | None) -> None:
    """AVX-512 lowers the clock by design, and `powersave` is what intel_pstate has by default."""
    need = verdict(RULE, clocked(busy(), 1.7, governor=governor))
    assert isinstance(need, Need)
    assert "1.70 GHz with a base of 2.40 GHz" in need.text
    assert "AVX-512" in need.text


def test_a_limit_that_the_clock_does_not_reach_is_not_what_holds_it() -> None:
    assert isinstance(verdict(RULE, clocked(busy(), 1.5, limit=2.0)), Need)


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(busy(), id="a virtual machine tells no clock"),
        pytest.param(clocked(busy(), 2.4), id="at its base"),
        pytest.param(clocked(busy(), 1.95), id="just above 80 % of it"),
        pytest.param(clocked(busy(), 3.2, events=5), id="heat that only took the turbo"),
        pytest.param(clocked(busy(), 3.0, governor="powersave"), id="powersave at a high clock"),
        pytest.param(clocked(busy(), 2.4, limit=2.4), id="turbo switched off"),
        pytest.param(clocked(busy(0.5, 0.0), 1.2, limit=1.2), id="cores half idle: a governor saves power"),
        pytest.param(clocked(busy(0.84, 0.0), 1.2, limit=1.2), id="busy, and nothing waits"),
        pytest.param(clocked(busy(), None), id="clock not known, no heat"),
        pytest.param(clocked(busy(), 1.2, base=None, limit=1.2), id="base not known"),
    ],
)  # fmt: skip
def test_look_alikes_are_not_taken_for_it(seen: View) -> None:
    assert verdict(RULE, seen) is None


def test_cores_of_others_do_not_count() -> None:
    """A neighbour's core is hot, the service's own is at its base."""
    seen = clocked(view([worker(101, [thread(101, 0.97, 0.01, seen={0: 1.0})])], busy=(0.97, 1.0)))
    slow = clocked(seen, 1.2, limit=1.2, events=9).cores[1]
    assert verdict(RULE, replace(seen, cores=(seen.cores[0], slow))) is None


def test_it_stands_until_the_clock_is_well_above_the_threshold() -> None:
    at = clocked(busy(), 2.05, limit=2.05)
    assert verdict(RULE, at, facts(at), standing=False) is None
    assert verdict(RULE, at, facts(at), standing=True) is not None
