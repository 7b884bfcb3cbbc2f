"""Up to where does a service keep up?"""

from agent.errors import CliError
from agent.loadtest.options import LoadTestOptions
from agent.loadtest.probe import Unloaded
from agent.loadtest.step import Limits

LATENCY_FACTOR = 5.0
"""Without an objective: a service that takes five times as long as unloaded no longer keeps up."""
LEAST_LIMIT_SECONDS = 0.02
"""A few turns of the kernel's scheduler: less than this is no sign of a queue."""
LEAST_LATE_SECONDS = 0.005


def limits_of(options: LoadTestOptions, alone: Unloaded, slo_p99_seconds: float | None) -> Limits:
    """The objective where there is one, else five times the unloaded p99."""
    latency = options.slo_p99_seconds or slo_p99_seconds or max(LEAST_LIMIT_SECONDS, LATENCY_FACTOR * alone.p99)
    if alone.p99 > latency:
        message = f"p99 is {alone.p99 * 1e3:.3g} ms without any load, over the objective of {latency * 1e3:.3g} ms"
        raise CliError("loadtest.slo-missed", message, "give a larger --slo", exit_status=4)
    return Limits(
        latency_p99=latency,
        first_token_p99=options.slo_first_token_seconds,
        spread=alone.p99,
        late_p99=max(LEAST_LATE_SECONDS, latency / 10),
    )
