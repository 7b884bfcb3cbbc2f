"""What does the command line ask of a load test?"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.errors import CliError
from agent.loadtest.arrivals import Pattern
from agent.loadtest.payload import Wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadTestOptions:
    """Every bound has a value: a load test ends by itself."""

    url: str
    wanted: Wanted = field(default_factory=Wanted)
    headers: Mapping[str, str] = field(default_factory=dict)
    """May hold secrets: sent, and neither shown nor kept."""
    allowed_hosts: tuple[str, ...] = ()
    seconds: float = 60.0
    step_seconds: float = 5.0
    max_rate: float = 2000.0
    max_requests: int = 50_000
    max_in_flight: int = 256
    timeout_seconds: float = 10.0
    pattern: Pattern = "constant"
    seed: int = 1
    slo_p99_seconds: float | None = None
    slo_first_token_seconds: float | None = None
    fresh_connections: bool = False
    yes: bool = False
    ask_agent: bool = True
    agent: str | None = None
    """Where it is; None = as the configuration says."""


def parse_headers(lines: tuple[str, ...]) -> dict[str, str]:
    """`NAME: VALUE` each. CliError names what is wrong without the value."""
    headers = {}
    for line in lines:
        name, separator, value = line.partition(":")
        if not separator or not name.strip() or not name.strip().replace("-", "").isalnum() or not value.isprintable():
            raise CliError(
                "loadtest.bad-header", f"header {name.strip()[:40]!r} is not NAME: VALUE", "as in 'X-Key: abc'"
            )
        headers[name.strip()] = value.strip()
    return headers
