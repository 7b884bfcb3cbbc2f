"""What the sampler judges while others ask over HTTP."""

from advisor.history import History
from advisor.migration.money import DevicePrice
from advisor.prices import NodePrice
from agent.config import Config, PricesSettings, RuleSettings, ServiceSettings
from agent.judging import Judging
from collectors.reading import Instant
from tests.advisor.test_history import Node


def judging_of(node: Node) -> Judging:
    history: History = node.history
    return Judging(Config(), history, lambda: Instant(0, 0))


def test_outcomes_are_read_under_the_lock_under_which_verify_adds_one():
    node, held = Node(), []
    judging = judging_of(node)
    judging.ledger.thread_elasticity = lambda service: held.append(judging._lock.locked())
    for _ in range(20):
        node.second(0.4)
    judging.judge((node.service,), Instant(20 * 10**9, 20 * 10**9))
    assert held
    assert all(held)


def test_rules_know_what_a_node_with_a_device_costs():
    node = Node()
    for _ in range(20):
        node.second(0.4)
    told = {"memory": 16, "bandwidth": 500, "fp16": 100}
    priced = Config(
        devices={"T4": {"hourly": 1.6, "currency": "EUR"}, "X1": told},
        prices=PricesSettings(currency="EUR", hourly=1.5, hourly_without_device=0.7),
    )
    now = Instant(20 * 10**9, 20 * 10**9)
    judging = Judging(priced, node.history, lambda: now)
    judging.learn((node.service,), {})
    judging.judge((node.service,), now)
    view = judging.view(node.service)
    assert view is not None
    found = judging._beside(node.service, view, now)
    assert found.device_prices == {"T4": DevicePrice(currency="EUR", hourly=1.6)}
    assert [one.name for one in found.stated_devices] == ["X1"], "of the T4 a price alone is stated"
    assert found.price_without_device == NodePrice(currency="EUR", hourly=0.7)


def test_other_settings_hold_from_the_next_judgement_on_and_what_was_learnt_stays():
    node = Node()
    for _ in range(20):
        node.second(0.4)
    now = Instant(20 * 10**9, 20 * 10**9)
    judging = Judging(Config(), node.history, lambda: now)
    judging.learn((node.service,), {})
    judging.judge((node.service,), now)
    calibration, vram = judging._engine.calibration, judging.migrations.vram
    before = {rule.id for rules in judging._engine._of.values() for rule in rules}
    wanted = Config(
        service={node.service.name: ServiceSettings(slo_p99_seconds=0.25)},
        prices=PricesSettings(currency="EUR", hourly=1.5),
        rule={"cpu-oversubscribed-openmp": RuleSettings(enabled=False)},
    )
    judging.reconfigure(wanted, (node.service,), {})
    judging.judge((node.service,), now)
    assert judging.facts(node.service).slo_p99_seconds == 0.25
    assert node.history.tracks.price_per_hour == 1.5
    after = {rule.id for rules in judging._engine._of.values() for rule in rules}
    assert before - after == {"cpu-oversubscribed-openmp"}
    assert judging._engine.calibration is calibration
    assert judging.migrations.vram is vram
