"""Is each place of a change set as it was read, and refused where it is not the server's?"""

from pathlib import Path

import pytest

from advisor.finding import Change
from agent.demo.apply import InapplicableError, apply_changes, apply_place
from agent.demo.launch import DemoError, Launch
from collectors.levers import Lever, Place, Value

FOLDER = Path("/srv/demo/before")
LAUNCH = Launch(
    arguments=("start", "."),
    environment={"OPENBLAS_NUM_THREADS": "1"},
    files={"settings.json": {"parallel_workers": 8}},
    cpus=frozenset({0}),
)
CPUS = frozenset({0, 1, 2, 3})


def place(kind: str, key: str, value: Value, target: str = "mlserver", effective: bool | None = True) -> Place:
    return Place(kind=kind, target=target, key=key, value=value, effective=effective, because=None)


def applied(chosen: Place) -> Launch:
    return apply_place(chosen, LAUNCH, FOLDER, CPUS)


def test_an_environment_variable_is_added_to_the_servers_own() -> None:
    launch = applied(place("env", "OMP_NUM_THREADS", "1"))
    assert launch.environment == {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    assert (launch.files, launch.cpus, launch.arguments) == (LAUNCH.files, LAUNCH.cpus, LAUNCH.arguments)


@pytest.mark.parametrize("key", ["LD_PRELOAD", "PATH", "omp_num_threads", "OMP_NUM THREADS", "PYTHONSTARTUP", ""])
def test_an_environment_variable_that_is_no_setting_of_the_server_is_refused(key: str) -> None:
    with pytest.raises(InapplicableError):
        applied(place("env", key, "1"))


@pytest.mark.parametrize("value", ["1; rm -rf /", "$(id)", "a\nb", "x" * 65, None])
def test_a_value_that_is_no_plain_word_is_refused(value: Value) -> None:
    with pytest.raises(InapplicableError):
        applied(place("env", "OMP_NUM_THREADS", value))


@pytest.mark.parametrize("target", ["settings.json", "./settings.json", "/srv/demo/before/settings.json"])
@pytest.mark.parametrize("value", [2, "2"])
def test_a_settings_file_gets_the_number_whichever_way_it_is_named_and_written(target: str, value: Value) -> None:
    assert applied(place("file", "parallel_workers", value, target)).files == {"settings.json": {"parallel_workers": 2}}


@pytest.mark.parametrize("target", ["/etc/passwd", "../settings.json", "/srv/other/settings.json", "model.json", ""])
def test_a_file_that_is_not_the_servers_is_refused(target: str) -> None:
    with pytest.raises(InapplicableError):
        applied(place("file", "parallel_workers", 2, target))


@pytest.mark.parametrize("value", ["many", True, 2.5])
def test_a_settings_value_of_another_kind_than_the_present_one_is_refused(value: Value) -> None:
    with pytest.raises(InapplicableError):
        applied(place("file", "parallel_workers", value, "settings.json"))


def test_an_argument_replaces_both_ways_of_writing_it() -> None:
    launch = Launch(arguments=("serve", "--workers", "8", "--workers=9", "--bind", "x"))
    changed = apply_place(place("argument", "--workers", 2), launch, FOLDER, CPUS)
    assert changed.arguments == ("serve", "--bind", "x", "--workers", "2")


def test_an_argument_that_is_no_option_is_refused() -> None:
    with pytest.raises(InapplicableError):
        applied(place("argument", "workers; reboot", 2))


def test_a_cpu_list_becomes_the_servers_mask() -> None:
    assert applied(place("taskset", "cpus", "0-1,3")).cpus == frozenset({0, 1, 3})


@pytest.mark.parametrize("value", ["", "0-9", "all", "64"])
def test_cpus_that_are_not_available_are_refused(value: str) -> None:
    with pytest.raises(InapplicableError):
        applied(place("taskset", "cpus", value))


def change(*how: Place) -> Change:
    return Change(lever=Lever.WORKERS, current=8, proposed=2, how=how)


def test_the_first_place_that_takes_effect_and_can_be_set_is_taken() -> None:
    how = (
        place("env", "MLSERVER_PARALLEL_WORKERS", "2", effective=False),
        place("systemd", "Environment", "x", "demo.service"),
        place("file", "parallel_workers", 2, "settings.json", effective=None),
        place("env", "MLSERVER_PARALLEL_WORKERS", "2"),
    )
    result = apply_changes([change(*how)], LAUNCH, FOLDER, CPUS)
    assert result.places == (how[2],)
    assert result.launch.files["settings.json"]["parallel_workers"] == 2
    assert result.launch.environment == LAUNCH.environment
    assert result.refused == ("systemd Environment: not a place of a plain process",)


def test_a_change_without_any_place_that_can_be_set_ends_the_demo_with_the_reasons() -> None:
    with pytest.raises(DemoError, match="workers 8 -> 2") as caught:
        apply_changes([change(place("code", "app.py", 2))], LAUNCH, FOLDER, CPUS)
    assert "not a place of a plain process" in caught.value.hint


def test_a_finding_without_a_change_ends_the_demo() -> None:
    with pytest.raises(DemoError, match="no change"):
        apply_changes([], LAUNCH, FOLDER, CPUS)
