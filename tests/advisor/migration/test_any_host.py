"""Of every host of the rules' tests there is an answer, or what is missing for one; and none promises more than is possible."""

import pytest
from msgspec.structs import replace

from advisor.migration.estimate import estimate
from tests.advisor.every_host import every_host
from tests.advisor.migration.migrating import NODE, market

HOSTS = dict(every_host())


@pytest.mark.parametrize("name", HOSTS)
def test_there_is_an_answer_within_what_stays_on_the_host(name: str):
    seen, facts = HOSTS[name]
    for rate in (None, 1e-3, 50.0):
        one = seen if rate is None else replace(seen, requests_per_second=rate)
        found = estimate(one, replace(facts, price=NODE), market(one, "L4", "T4", "inf2", L4=1.2))
        assert (found.needs is None) == bool(found.devices)
        for device in found.devices:
            assert device.reasons
            assert found.situation is not None
            if found.situation.work.family in ("trees", "linear"):
                assert device.verdict in ("not worth it", "does not fit")
            if device.simulated is None:
                continue
            for ratio in (device.simulated.latency, device.simulated.throughput, device.simulated.per_second):
                assert 0 < ratio.p10 <= ratio.p50 <= ratio.p90
            assert device.simulated.latency.p10 >= 0.999 / device.ceiling
            assert device.simulated.throughput.p90 <= 1.001 * device.ceiling
