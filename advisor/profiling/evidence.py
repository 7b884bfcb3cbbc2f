"""How is a number of the profiles shown as evidence, and how sure do the profiles make a finding?"""

from advisor.finding import Evidence
from advisor.profiling.view import ProfileView, Share

ENOUGH_SAMPLES = 300
"""CPU samples from which more of them make a finding no surer: an error of at most 0.03 of a share."""


def seen_in_profile(
    seen: ProfileView, metric: str, unit: str, observed: float, threshold: float | None = None
) -> Evidence:
    """An observed number of the profiles. The window is the mean length of a profile, `samples` its CPU samples."""
    seconds = sum(w.seconds for w in seen.workers) / len(seen.workers) if seen.workers else 0.0
    return Evidence(
        metric=metric,
        unit=unit,
        observed=round(observed, 4),
        threshold=None if threshold is None else round(threshold, 4),
        window_seconds=round(seconds, 1),
        samples=seen.samples,
    )


def share_evidence(
    seen: ProfileView, name: str, share: Share, threshold: float | None = None
) -> tuple[Evidence, Evidence]:
    """A share and, beside it, its sampling error (one standard error)."""
    return (
        seen_in_profile(seen, f"{name}_share", "ratio", share.value, threshold),
        seen_in_profile(seen, f"{name}_share_error", "ratio", share.error),
    )


def told(share: Share) -> str:
    """`87 % ± 2 %`, as a sentence has it."""
    return f"{share.value:.0%} ± {share.error:.0%}"


def sureness(most: float, seen: ProfileView) -> float:
    """Confidence that grows to `most` with the samples and falls with the CPU time that nothing is known of."""
    counted = 0.7 + 0.3 * min(1.0, seen.samples / ENOUGH_SAMPLES)
    return round(most * counted * (1 - 0.5 * seen.share("unknown").value), 3)
