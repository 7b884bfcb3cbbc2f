"""How CPU time is divided when two witnesses are joined: chosen samples, and the shares and errors that follow."""

import pytest

from advisor.profiling.estimate import Part, Seen, divide
from advisor.profiling.native_work import NativeWork
from advisor.profiling.table import load_table

INTERPRETER, HELPER = NativeWork(("interpreter",), "held"), NativeWork(("helper",), "either")
JSON, KERNEL = NativeWork(("serialise",), "held"), NativeWork(("kernel",), "free")
ARRAY = NativeWork(("array",), "either")


def parts(**told: object) -> dict[str, Part]:
    seen = {"python": True, "cpu_seconds": 10.0, "native": {}, "active": {}, "holding": {}, "held": 1.0, **told}
    return divide(Seen(**seen), load_table())  # type: ignore[arg-type]


def shares(**told: object) -> dict[str, float]:
    found = {work: part.value for work, part in parts(**told).items()}
    assert sum(found.values()) == pytest.approx(1.0)
    return {work: round(share, 3) for work, share in found.items() if share > 0.0005}


def test_the_interpreter_works_for_whoever_held_the_gil() -> None:
    found = shares(
        native={KERNEL: 300, JSON: 30, INTERPRETER: 670}, holding={"serialise": 150, "python": 200}, held=0.7
    )
    assert found == {"kernel": 0.3, "serialise": 0.3, "python": 0.4}


def test_a_c_function_that_no_line_names_is_taken_off_lines_of_python() -> None:
    found = shares(native={JSON: 400, INTERPRETER: 600}, holding={"python": 350})
    assert found == {"serialise": 0.4, "python": 0.6}


def test_code_that_releases_the_gil_is_taken_off_nothing() -> None:
    found = shares(native={KERNEL: 500, INTERPRETER: 500}, holding={"serialise": 200, "python": 50}, held=0.5)
    assert found == {"kernel": 0.5, "serialise": 0.4, "python": 0.1}


def test_array_code_held_the_gil_as_far_as_looks_leave_room() -> None:
    native = {ARRAY: 400, JSON: 100, INTERPRETER: 500}
    released = shares(native=native, holding={"serialise": 150, "python": 150}, held=0.6)
    assert released == {"array": 0.4, "serialise": 0.3, "python": 0.3}
    held = shares(native=native, holding={"serialise": 150, "python": 350}, held=1.0)
    assert held == {"array": 0.4, "serialise": 0.3, "python": 0.3}


def test_helpers_without_a_caller_are_the_lines_that_held_the_gil() -> None:
    tokens = NativeWork(("tokenise",), "either")
    found = shares(native={tokens: 330, HELPER: 170, INTERPRETER: 500}, holding={"python": 350}, callers=True, held=0.7)
    assert found == {"tokenise": 0.33, "python": 0.67}


def test_where_no_callers_are_seen_helpers_go_to_the_extensions_that_will_have_used_them() -> None:
    tokens = NativeWork(("tokenise",), "either")
    found = shares(native={tokens: 330, HELPER: 170, INTERPRETER: 500}, holding={"python": 350}, held=0.7)
    # of 170, 66 : 33.5 are the tokeniser's
    assert found == {"tokenise": pytest.approx(0.443, abs=0.001), "python": pytest.approx(0.557, abs=0.001)}


def test_lines_on_which_threads_wait_for_a_cpu_do_not_count_for_more_than_native_samples_leave() -> None:
    found = shares(native={JSON: 950, INTERPRETER: 50}, holding={"serialise": 58, "python": 42})
    assert found == {"serialise": 0.95, "python": 0.05}


def test_garbage_is_collected_on_any_line() -> None:
    found = shares(
        native={NativeWork(("gc",), "held"): 200, INTERPRETER: 800}, holding={"serialise": 200, "python": 200}
    )
    assert found == {"gc": 0.2, "serialise": 0.4, "python": 0.4}


def test_interpreter_time_on_a_line_that_calls_a_kernel_is_overhead() -> None:
    found = shares(native={KERNEL: 900, INTERPRETER: 100}, holding={"kernel": 50}, held=0.1)
    assert found == {"kernel": 0.9, "array": 0.1}


def test_of_two_classes_the_stacks_choose() -> None:
    pickle = NativeWork(("serialise", "ipc"), "held")
    assert shares(native={pickle: 100}, active={"ipc": 30, "python": 10}) == {"ipc": 1.0}
    assert shares(native={pickle: 100}, active={"ipc": 10, "serialise": 30}) == {"serialise": 0.75, "ipc": 0.25}
    assert shares(native={pickle: 100}, active={"python": 10}) == {"serialise": 1.0}


def test_without_native_samples_running_stacks_are_counted() -> None:
    assert shares(active={"kernel": 60, "python": 40}) == {"kernel": 0.6, "python": 0.4}
    assert shares() == {"unknown": 1.0}


def test_a_pool_is_unknown_unless_native_functions_or_its_name_tell() -> None:
    assert shares(python=False) == {"unknown": 1.0}
    assert shares(python=False, pool="glue") == {"glue": 1.0}
    assert shares(python=False, native={KERNEL: 60, NativeWork(("spin",), "free"): 30, HELPER: 10}) == {
        "kernel": 0.7,
        "spin": 0.3,
    }
    assert shares(python=False, native={NativeWork(("gil-wait",), "free"): 10}) == {"lock": 1.0}
    assert shares(python=False, native={HELPER: 10}) == {"unknown": 1.0}


def test_an_unknown_library_stays_unknown() -> None:
    found = shares(native={NativeWork(("unknown",), "either"): 300, INTERPRETER: 700}, holding={"python": 400})
    assert found == {"unknown": 0.3, "python": 0.7}


def test_looks_at_the_same_piece_of_work_count_once() -> None:
    many = parts(native={KERNEL: 500, JSON: 500}, cpu_seconds=100.0)["kernel"]
    few = parts(native={KERNEL: 500, JSON: 500}, cpu_seconds=4.0)["kernel"]
    assert many.variance**0.5 == pytest.approx(0.5 / 1000**0.5, rel=0.01)
    assert few.variance**0.5 == pytest.approx(0.5 / 200**0.5, rel=0.01)  # 4 s hold 200 pieces of 20 ms


def test_what_stacks_divide_has_their_error_too() -> None:
    found = parts(native={INTERPRETER: 1000}, holding={"serialise": 50, "python": 50}, cpu_seconds=100.0)
    assert found["serialise"].variance ** 0.5 == pytest.approx((0.25 / 1000 + 0.25 / 100) ** 0.5, rel=0.02)
    assert parts(native={KERNEL: 100})["kernel"].variance > 0  # all of 100 is not certainly all


def test_what_stacks_divide_is_less_sure_where_threads_wait_for_a_cpu() -> None:
    seen = {"native": {KERNEL: 800, INTERPRETER: 200}, "holding": {"serialise": 60, "python": 40}, "cpu_seconds": 100.0}
    idle, busy = parts(**seen), parts(**seen, queued=0.5)
    assert {work: part.value for work, part in idle.items()} == {work: part.value for work, part in busy.items()}
    for work in ("serialise", "python"):
        assert busy[work].variance - idle[work].variance == pytest.approx((0.5 * 0.2) ** 2 / 12)
    assert busy["kernel"].variance == idle["kernel"].variance  # native samples are not taken while it waits
    only = parts(active={"python": 100}, cpu_seconds=100.0, queued=0.6)["python"].variance
    assert only - parts(active={"python": 100}, cpu_seconds=100.0)["python"].variance == pytest.approx(0.36 / 12)


def test_the_less_native_samples_leave_the_less_an_error_of_looks_matters() -> None:
    """Of 500 samples under the GIL 400 are explained: looks divide 100, and are wrong about those at most."""
    found = parts(native={KERNEL: 500, JSON: 400, INTERPRETER: 100}, holding={"serialise": 300, "python": 200},
                  cpu_seconds=100.0, queued=0.5, held=0.5)  # fmt: skip
    at_most = found["serialise"].value * (1 - found["serialise"].value) / 1000 + 0.1**2 / 12
    assert found["serialise"].variance == pytest.approx(at_most, rel=0.01)
