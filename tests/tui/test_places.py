"""Is a change written so that a person can type it?"""

import pytest

from advisor.finding import Change
from collectors.levers import Lever, Place, Value
from tui.places import change_text, effect_text, place_text


def place(kind: str, target: str, key: str, value: Value, **more: object) -> Place:
    return Place(kind=kind, target=target, key=key, value=value, **({"effective": True, "because": None} | more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "where", "what"),
    [
        (place("env", "gunicorn", "OMP_NUM_THREADS", "1"), "environment of gunicorn", "OMP_NUM_THREADS=1"),
        (place("argument", "gunicorn", "--workers", "2"), "command line of gunicorn", "--workers 2"),
        (place("file", "/srv/settings.json", "parallel_workers", 2), "/srv/settings.json", '"parallel_workers": 2'),
        (place("file", "/srv/settings.json", "debug", False), "/srv/settings.json", '"debug": false'),
        (place("taskset", "mlserver", "", "0-1"), "start of mlserver", "taskset --cpu-list 0-1 mlserver"),
        (place("numactl", "mlserver", "membind", "0"), "start of mlserver", "numactl --membind=0 mlserver"),
        (
            place("sysfs", "/sys/cpu*/cpufreq", "scaling_governor", "performance"),
            "sysfs /sys/cpu*/cpufreq",
            "scaling_governor = performance",
        ),
        (place("cgroup", "/app", "cpu.max", "max 100000"), "cgroup /app", "cpu.max: max 100000"),
        (place("systemd", "app.service", "CPUQuota", "200%"), "systemctl edit app.service", "CPUQuota=200%"),
        (place("compose", "app", "cpus", 2), "compose app", "cpus = 2"),
    ],
)
def test_each_kind_of_place_says_where_and_exactly_what(given: Place, where: str, what: str) -> None:
    assert place_text(given) == (where, what)


def test_a_place_that_loses_says_which_one_wins() -> None:
    losing = place("env", "mlserver", "MLSERVER_PARALLEL_WORKERS", "2", effective=False, because="settings.json wins")
    assert effect_text(losing) == "has no effect: settings.json wins"
    assert effect_text(place("cgroup", "/a", "cpu.max", "max", restart=False)) == "takes effect, no restart needed"


def test_a_change_names_both_values_and_the_restart() -> None:
    change = Change(lever=Lever.COMPUTE_THREADS, current=None, proposed=1)
    assert change_text(change) == "compute threads: unknown → 1, after a restart"
