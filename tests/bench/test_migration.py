"""What the measurement of forms compares, and how it is scored."""

import pytest

from advisor.migration.spread import Percentiles
from bench.migration.measure import SETS, Compared, plan, report
from bench.migration.runs import Form
from bench.stats import Estimate


def compared(after: Form, said: tuple[float, float, float], real: float, before: Form = Form()) -> Compared:  # noqa: B008
    return Compared("mlp", before, after, Percentiles(*said), Estimate(real, real, real, 4))


def test_every_kind_of_model_is_compared_in_every_form_that_it_has():
    for models in SETS.values():
        assert {model.partition("-")[0] for model in models} == {
            "mlp",
            "cnn",
            "encoder",
            "decoder",
            "forest",
            "boosting",
        }
        forms = [str(after) for _, _, each in plan(models) for after in each]
        assert sum("onnx," in form for form in forms) == 5
        assert sum("int8" in form for form in forms) == 6
    assert not set(SETS["known"]) & set(SETS["held-out"])


def test_kinds_and_errors():
    assert compared(Form("onnx"), (1.0, 1.5, 2.0), 1.5).kind == "runtime"
    assert compared(Form("eager", 8), (1.0, 1.5, 2.0), 1.5).kind == "batches"
    assert compared(Form("eager", 1, 2), (1.0, 1.5, 2.0), 1.5).kind == "threads"
    narrow = compared(Form("onnx-int8"), (1.0, 2.0, 3.0), 1.0, Form("onnx"))
    assert (narrow.kind, narrow.error) == ("int8", pytest.approx(-0.693, abs=1e-3))


def test_the_report_counts_what_lies_inside(capsys: pytest.CaptureFixture[str]):
    report([compared(Form("onnx"), (1.2, 1.5, 1.8), 1.5), compared(Form("onnx"), (1.2, 1.5, 1.8), 3.0)])
    said = capsys.readouterr().out
    assert "runtime   2     50%   0.41   2.96        0.347" in said
    assert "median |log error| 0.347 (wanted 0.25 at most)" in said
