"""A rule or threshold that there is not is refused with the nearest name."""

import pytest

from advisor.catalogue import all_rules
from agent.config import Config, RuleSettings
from agent.errors import CliError
from agent.rule_settings import check_rules


def test_known_rules_and_thresholds_pass():
    check_rules(Config(rule={"cgroup-cpu-throttled": RuleSettings(thresholds={"throttled_ratio": 0.5})}), all_rules())


@pytest.mark.parametrize(
    ("rule", "thresholds", "message", "hint"),
    [
        ("cgroup-cpu-trottled", {}, 'rule."cgroup-cpu-trottled"', "cgroup-cpu-throttled"),
        ("cgroup-cpu-throttled", {"throttled_ration": 1.0}, "throttled_ration", "throttled_ratio"),
    ],
)
def test_a_misspelt_name_is_refused_with_the_nearest(rule, thresholds, message, hint):
    with pytest.raises(CliError) as refused:
        check_rules(Config(rule={rule: RuleSettings(thresholds=thresholds)}), all_rules())
    assert message in refused.value.message
    assert hint in refused.value.hint
    assert refused.value.exit_status == 2
