"""R11 on built hosts: CPU k and k + 4 are one core, of four."""

import pytest
from msgspec.structs import replace

from advisor.facts import ServiceFacts
from advisor.finding import Conclusion, Need
from advisor.rules.smt_sibling_sharing import SmtSiblingSharing
from advisor.view import View
from tests.advisor.built import concluded, facts, gains, numbers, quota, thread, verdict, view, worker
from tests.advisor.cores_built import paired
from tests.advisor.profiles_built import profiled, worker_profile
from tests.advisor.trends_built import past, steady

RULE = SmtSiblingSharing()
EVERY = range(8)


def host(
    on: tuple[int, ...] = (0, 4, 1, 5), *, used: float = 0.95, others: float = 0.0, libraries=("openblas",)
) -> View:
    """A worker whose threads ran on these CPUs, one each, of a mask of all."""
    pool = [
        thread(101 + k, used, 0.01, kind="compute" if k else "main", allowed=EVERY, seen={cpu: 1.0})
        for k, cpu in enumerate(on)
    ]
    seen = view([worker(101, pool)], cores=8, others=others, libraries=libraries, cgroup=quota(None, cpus=EVERY))
    return paired(seen)


def looked(seen: View, kernel: float = 0.9) -> ServiceFacts:
    return profiled(seen, worker_profile(101, 3.8, {"kernel": kernel}))


def test_two_full_cores_beside_two_idle_ones_get_one_thread_each() -> None:
    seen = host()
    found = concluded(RULE, seen, looked(seen))
    assert [(c.lever, c.current, c.proposed) for c in found.changes] == [("affinity", "0-7", "0-3")]
    shown = numbers(found)
    assert (shown["paired_share"], shown["idle_cores"]) == (pytest.approx(0.95), 2)
    assert shown["kernel_share"] == pytest.approx(0.9)
    assert "2 cores run two computing threads each while 2 are idle" in found.title


def test_a_mask_that_is_too_small_for_the_busiest_minute_is_not_proposed() -> None:
    """Four threads of one worker have a core each; when two workers were busy, eight had not."""
    seen = host()
    calm, noon = (past(seen, minutes=[steady(1.0), steady(1.0, peak=peak)]) for peak in (1.0, 2.0))
    assert isinstance(verdict(RULE, calm, looked(calm)), Conclusion)
    assert verdict(RULE, noon, looked(noon)) is None


def test_the_gain_is_half_the_shared_time_of_kernels_at_most() -> None:
    seen = host()
    relieved = 0.95 * 0.9
    assert gains(concluded(RULE, seen, looked(seen)))["throughput_ratio"] == pytest.approx(
        (1.0, 1 / (1 - relieved / 4), 1 / (1 - relieved / 2)), abs=1e-3
    )


def test_only_as_many_pairs_are_relieved_as_cores_are_idle() -> None:
    seen = host((0, 4, 1, 5, 2, 6))
    assert verdict(RULE, seen, looked(seen)) is None  # six threads have no core each on four
    busy = replace(host(), cores=tuple(replace(c, busy=0.5) if c.cpu in (3, 7) else c for c in host().cores))
    relieved = 0.95 * 0.9 / 2
    found = concluded(RULE, busy, looked(busy))
    assert gains(found)["throughput_ratio"][2] == pytest.approx(1 / (1 - relieved / 2), abs=1e-3)


def test_what_kind_of_work_it_is_takes_a_profile_with_native_functions() -> None:
    seen = host()
    need = verdict(RULE, seen, facts(seen, environ={}))
    assert isinstance(need, Need)
    assert (need.kind, "multiply matrices" in need.text) == ("profile", True)


@pytest.mark.parametrize("kernel", [0.1, 0.5])
def test_work_that_waits_gets_more_done_on_two_hardware_threads(kernel: float) -> None:
    """Half and its error is less than half for sure."""
    seen = host()
    assert verdict(RULE, seen, looked(seen, kernel)) is None


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(host((0, 1, 2, 3)), id="a core each"),
        pytest.param(host((0, 4, 1, 2)), id="one pair of four threads"),
        pytest.param(host(others=2.5), id="no core is idle"),
        pytest.param(host(used=0.4), id="threads that are seldom there together"),
        pytest.param(
            replace(host(), cores=tuple(replace(c, siblings=frozenset()) for c in host().cores)), id="pairs hidden"
        ),
        pytest.param(replace(host(), cgroup=quota(None, cpus=(0, 1, 4, 5))), id="a cpuset without idle cores"),
        pytest.param(host(libraries=()), id="no library with compute threads"),
    ],
)
def test_look_alikes_are_not_taken_for_it(seen: View) -> None:
    assert verdict(RULE, seen, looked(seen)) is None


def test_libraries_that_nobody_could_see_are_settled_by_the_profile() -> None:
    seen = host(libraries=None)
    assert isinstance(verdict(RULE, seen, looked(seen)), Conclusion)
