"""Stacks as text, with their class; and what decides the class of a stack."""

import pytest

from advisor.profiling.stack_work import StackRow, stack_work
from advisor.profiling.table import load_table
from collectors.profiles.profile import Frame
from tests.advisor.profiling.profiles import (
    APP,
    EVAL,
    JSON,
    LIB,
    MAIN,
    MEMCPY,
    SELECT,
    SGEMM,
    SITE,
    STARLETTE,
    WORKER,
    profile,
    thread,
)


def test_each_side_has_its_rows() -> None:
    made = profile(
        [thread(MAIN, name="serve")],
        active={MAIN: {(APP, JSON): 3, (WORKER,): 9}},
        gil={MAIN: {(APP,): 2}},
        waiting={MAIN: {((WORKER,), "futex"): 7}},
        native={MAIN: {SGEMM: 5, EVAL: 6}},
    )
    app, worker = "App.handle (/srv/app/app.py:10)", "_worker (concurrent/futures/thread.py:81)"
    assert dict(stack_work(made, load_table())) == {
        StackRow("serve", (app, "JSONEncoder.iterencode (json/encoder.py:258)"), "cpu", "serialise"): 3,
        StackRow("serve", (app,), "gil", "python"): 2,
        StackRow("serve", (worker,), "wait", "futex"): 7,
        StackRow("serve", ("sgemm_kernel_HASWELL (libscipy_openblas64_-32a4b2a6.so)",), "native", "kernel"): 5,
        StackRow("serve", ("_PyEval_EvalFrameDefault (libpython3.11.so.1.0)",), "native", "interpreter"): 6,
    }


def work_of(*stack: Frame, calls: dict[Frame, str] | None = None) -> str:
    ((row, _),) = stack_work(profile([thread()], active={MAIN: {stack: 1}}, calls=calls), load_table())
    return row.work


HELPER = Frame("helper", f"{LIB}/functools.py", 3)
UNLISTED = Frame("work", f"{SITE}/some_package/mod.py", 3)


@pytest.mark.parametrize(
    ("stack", "work"),
    [
        ((STARLETTE, APP), "python"),
        ((APP, STARLETTE), "glue"),
        ((STARLETTE, HELPER), "glue"),  # Python's own modules work for their caller
        ((STARLETTE, UNLISTED), "python"),  # the application may be installed as a package
        ((HELPER,), "unknown"),
        ((Frame("(other stacks)", ""),), "unknown"),
        ((SELECT,), "loop"),
        ((APP, SGEMM), "kernel"),  # stacks that py-spy merged with native frames
        ((APP, JSON, MEMCPY), "serialise"),
        ((APP, EVAL), "python"),
        ((APP, Frame("iterencode", f"{LIB}/json/encoder.py", 1)), "serialise"),
        ((APP, Frame("Linear.forward", f"{SITE}/torch/nn/modules/linear.py", 134)), "kernel"),
        ((APP, Frame("Module._call_impl", f"{SITE}/torch/nn/modules/module.py", 1)), "array"),
        ((APP, Frame("Booster.predict", f"{SITE}/xgboost/core.py", 1)), "trees"),
        ((APP, Frame("f", f"{SITE}/transformers/models/bert/tokenization_bert.py", 1)), "tokenise"),
        ((APP, Frame("Connection._recv", f"{LIB}/multiprocessing/connection.py", 1)), "ipc"),
        ((Frame("f", f"{SITE}/mlserver/codecs/numpy.py", 1),), "serialise"),
        ((Frame("f", f"{SITE}/mlserver/rest/app.py", 1),), "glue"),
        ((Frame("f", f"{SITE}/mlserver_sklearn/sklearn.py", 1),), "glue"),
    ],
)
def test_the_first_frame_with_a_class_decides_from_the_leaf_on(stack: tuple[Frame, ...], work: str) -> None:
    assert work_of(*stack) == work


def test_a_line_that_calls_a_c_function_stands_for_it() -> None:
    assert work_of(STARLETTE, APP, calls={APP: "orjson.loads"}) == "serialise"
    assert work_of(STARLETTE, APP, calls={STARLETTE: "orjson.loads"}) == "python"  # only the leaf runs it
