"""Probes of one worker are kept together for some minutes of the clock, however seldom they come."""

from advisor.profiling.table import load_table
from agent.profiling.continuous import ProbeWindows
from agent.profiling.keeping import WINDOW_SECONDS, Whose
from tests.advisor.profiling.profiles import APP, KEY, MAIN, profile, thread

WHOSE = Whose(KEY, "gunicorn/app:8000", "s1", 0)
PROBE = profile([thread()], active={MAIN: {(APP,): 1}})


def test_a_probe_after_hours_of_rest_is_not_one_of_the_morning():
    windows = ProbeWindows()
    assert list(windows.add(PROBE, load_table(), WHOSE, 0.0)) == []
    assert list(windows.add(PROBE, load_table(), WHOSE, 20.0)) == []
    (morning,) = windows.add(PROBE, load_table(), WHOSE, 36_000.0)
    assert morning.seconds == 20.0
    assert morning.samples == 2 * PROBE.ticks
    (evening,) = windows.finish()
    assert (evening.seconds, evening.samples) == (0.0, PROBE.ticks)


def test_a_window_is_over_also_where_no_probe_follows():
    windows = ProbeWindows()
    list(windows.add(PROBE, load_table(), WHOSE, 0.0))
    assert windows.over(WINDOW_SECONDS - 1) == []
    assert [one.samples for one in windows.over(WINDOW_SECONDS)] == [PROBE.ticks]
    assert windows.finish() == []
