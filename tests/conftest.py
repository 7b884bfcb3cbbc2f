"""What holds for every test."""

import signal

import pytest
from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

TOGETHER = (
    "tests/advisor/", "tests/agent/http/", "tests/agent/store/test_bytes", "tests/agent/store/test_recording",
    "tests/agent/store/test_retention", "tests/agent/test_advice_text", "tests/agent/test_baseline", "tests/agent/test_config",
    "tests/agent/test_devices", "tests/agent/test_judging", "tests/agent/test_life", "tests/agent/test_listen",
    "tests/agent/test_moments", "tests/agent/test_prices", "tests/agent/test_recorded_gpu", "tests/agent/test_replayed_day",
    "tests/agent/fleet/", "tests/bench/", "tests/collectors/", "tests/deploy/", "tests/test_hosts", "tests/tui/",
)  # fmt: skip
"""Tests of what is computed: they may run beside each other."""
ALONE = (
    "tests/advisor/profiling/test_victims", "tests/collectors/gpu_others/", "tests/collectors/native/",
    "tests/collectors/profiles/", "tests/collectors/sources/test_connections", "tests/collectors/sources/test_nvidia",
    "tests/collectors/sources/test_serving", "tests/collectors/sources/test_threads", "tests/collectors/test_inside_facts",
    "tests/collectors/test_pod_resources", "tests/deploy/test_pod_rights", "tests/tui/test_reconnect",
    "tests/tui/test_time_travel_recorded", "tests/tui/test_web",
)  # fmt: skip
"""Of those, what watches real programs, which others would disturb."""


def pytest_configure(config: pytest.Config) -> None:
    """A runner that was started in the background ignores SIGINT, and so would every program that the tests interrupt."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever is not known to be undisturbed by others is marked `alone`."""
    for item in items:
        if not item.nodeid.startswith(TOGETHER) or item.nodeid.startswith(ALONE):
            item.add_marker("alone")
