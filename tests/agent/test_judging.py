"""What the sampler judges while others ask over HTTP."""

from advisor.history import History
from agent.config import Config
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
