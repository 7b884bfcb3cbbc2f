"""The agent slows itself down before it exceeds its budget, and recovers."""

from agent.budget import Budget


def test_a_cheap_beat_keeps_its_interval():
    budget = Budget(0.02)
    for _ in range(100):
        budget.spent(3_000_000, 1.0)
    assert budget.interval_seconds(1.0) == 1.0


def test_a_dear_beat_doubles_its_interval_until_it_fits():
    budget = Budget(0.02)
    for _ in range(100):
        budget.spent(30_000_000, 1.0)
    assert budget.interval_seconds(1.0) == 2.0
    for _ in range(200):
        budget.spent(100_000_000, 1.0)
    assert budget.interval_seconds(1.0) == 8.0


def test_it_speeds_up_again_when_the_load_is_gone():
    budget = Budget(0.02)
    for _ in range(100):
        budget.spent(30_000_000, 1.0)
    for _ in range(100):
        budget.spent(2_000_000, 1.0)
    assert budget.interval_seconds(1.0) == 1.0


def test_the_dear_first_ticks_do_not_slow_it_down():
    budget = Budget(0.02)
    for _ in range(20):
        budget.spent(120_000_000, 1.0)
    for _ in range(50):
        budget.spent(4_000_000, 1.0)
    assert budget.interval_seconds(1.0) == 1.0
