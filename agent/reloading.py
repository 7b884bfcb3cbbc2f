"""What of a changed configuration takes effect without a restart?

What rules judge by: objectives of services, rules and their thresholds, prices, devices, the window; and the log level.
The rest is bound to what was opened at the start: sockets, files, threads.
"""

from collections.abc import Sequence
from dataclasses import replace

from agent.config import Config, LoadedConfig, ServiceSettings
from agent.config_report import shown_settings


def applied(now: Config, wanted: Config) -> Config:
    """`now` with all of `wanted` that takes effect at once."""
    return replace(
        now,
        agent=replace(now.agent, log_level=wanted.agent.log_level),
        advice=replace(now.advice, window_seconds=wanted.advice.window_seconds),
        node=wanted.node,
        service={name: _service(now, wanted, name) for name in {**now.service, **wanted.service}},
        rule=wanted.rule,
        nodes=wanted.nodes,
        prices=wanted.prices,
        devices=wanted.devices,
    )


def _service(now: Config, wanted: Config, name: str) -> ServiceSettings:
    """By pattern and page of metrics processes were found and are read; they stay."""
    before = now.for_service(name)
    return replace(wanted.for_service(name), pattern=before.pattern, metrics_url=before.metrics_url)


def differing(one: LoadedConfig, other: LoadedConfig) -> Sequence[str]:
    """The keys, as written in TOML, of which the values differ."""
    before, after = ({row["key"]: row["value"] for row in shown_settings(each)} for each in (one, other))
    return sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))


def told(before: LoadedConfig, now: LoadedConfig, wanted: LoadedConfig) -> str:
    """One line: what took effect, and what waits for a restart."""
    changed = ", ".join(differing(before, now)) or "nothing"
    waiting = ", ".join(differing(now, wanted))
    return f"configuration re-read: {changed} changed" + (f"; after a restart: {waiting}" if waiting else "")
