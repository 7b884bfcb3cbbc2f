"""How does a rule get at the profiles: the view of them, or the need that makes the agent take one?"""

from advisor.facts import ServiceFacts
from advisor.finding import Need
from advisor.profiling.view import ProfileView

FRESH_SECONDS = 300.0
"""A profile older than this says little of the present load."""
LEAST_SAMPLES = 60
"""CPU samples without which shares are too uncertain for a finding."""
LEAST_CPU_SECONDS = 2.4
"""CPU time that gives twice as many at 50 looks a second. Where profiles of so much have fewer, this process is looked at too
seldom (single looks, many threads), and another profile would have no more."""


def profile_of(facts: ServiceFacts, why: str, part: str = "python") -> ProfileView | Need:
    """The fresh profiles of the service, or what is missing.

    `why` says what the profile would settle (`which frames fill the loop`). `part` is what the rule cannot do without
    (`python`, `gil`, `native`, `states`): where the profiles lack it, the need is the privilege or switch that gives it.
    """
    seen = facts.profile
    if seen is None or seen.age_seconds > FRESH_SECONDS:
        return Need(kind="profile", text=f"a profile of its workers: {why}")
    lacking = next((m for m in seen.missing if m.part == part), None)
    if lacking is not None:
        return Need(kind="privilege", text=f"{lacking.reason}: {lacking.hint}")
    if seen.workers and (part != "python" or seen.samples >= LEAST_SAMPLES):
        return seen
    spent = sum(w.cores * w.seconds for w in seen.workers)
    if spent >= LEAST_CPU_SECONDS:
        few = f"only {seen.samples} looks in {spent:.1f} s of CPU time"
        return Need(kind="privilege", text=f"{few}: perf events for the sidecar (CAP_PERFMON)")
    return Need(kind="profile", text=f"more samples of its workers under load: {why}")
