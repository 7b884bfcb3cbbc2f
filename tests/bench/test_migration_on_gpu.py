"""Does what is said of an H100 hold for what was measured on one (`bench/run.py migration-gpu`, tests/fixtures/gpu)?"""

from math import log
from pathlib import Path
from statistics import median

import msgspec

from advisor.migration.devices import named
from bench.migration.judged import report, shown
from bench.migration.measure import DEVICE_SETS
from bench.migration.on_gpu import Measured

RECORDED = Path(__file__).parents[1] / "fixtures" / "gpu" / "migration-h100.json"
MEASURED = msgspec.json.decode(RECORDED.read_bytes(), type=tuple[Measured, ...])


def test_the_catalogue_says_how_much_of_it_holds(capsys):
    figures = [figure for one in MEASURED for figure in shown(one)]
    inside = sum(figure.inside for figure in figures)
    assert len(MEASURED) == sum(map(len, DEVICE_SETS.values())) == 10
    device = named("H100")
    assert device is not None
    assert device.measured == f"of 10 other networks measured on one, {inside} of {len(figures)} figures lay inside"
    assert inside >= 0.8 * len(figures)
    report(MEASURED)
    said = capsys.readouterr().out
    assert said.count("OUTSIDE") == len(figures) - inside


def test_times_are_told_within_a_factor_and_no_more_is_promised_than_was_measured():
    timed = [figure for one in MEASURED for figure in shown(one) if figure.table is not None]
    assert median(abs(figure.error) for figure in timed) <= 0.35
    assert sum(log(figure.said.p90 / figure.said.p10) for figure in timed) / len(timed) <= 1.4
    for figure in timed:
        if "requests" in figure.what:
            assert figure.said.p10 <= figure.real.ratio
        else:
            assert figure.said.p90 >= figure.real.ratio


def test_memory_is_told_within_a_sixth():
    held = [figure for one in MEASURED for figure in shown(one) if figure.table is None]
    assert len(held) == 10
    assert max(abs(figure.error) for figure in held) < log(1 + 1 / 6)
