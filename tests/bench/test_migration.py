"""What the measurement of forms compares, and how it is scored."""

import sys
from pathlib import Path

import pytest

from advisor.migration.spread import Percentiles
from bench.crowd import NotHereError
from bench.migration import on_gpu, runs
from bench.migration.measure import SETS, Compared, plan, report
from bench.migration.runs import Form, Run
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


@pytest.fixture
def answering(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in the place of the one that runs models: it answers once and ends."""
    line = '{"calls": 4, "seconds": 2.0, "cpu_seconds": 1.0}'
    (tmp_path / "program.py").write_text(
        f"print('{{\"ready\": 1}}', flush=True); input(); print('{line}', flush=True)\n"
    )
    monkeypatch.setattr(runs, "HERE", tmp_path)
    return tmp_path


def test_a_process_that_ends_meanwhile_is_one_line(answering: Path):
    run = Run(Path(sys.executable), "mlp", Form(), answering)
    try:
        assert run.compute(1.0).rows_per_second == 2.0
        for ask in (lambda: run.compute(1.0), run.gpu_bytes):
            with pytest.raises(NotHereError, match="mlp as eager, 1 a call, 1 thread ended before it answered"):
                ask()
    finally:
        run.end()


def test_one_that_does_not_start_is_one_line(answering: Path):
    (answering / "program.py").write_text("")
    with pytest.raises(NotHereError, match="mlp does not start as eager"):
        Run(Path(sys.executable), "mlp", Form(), answering)


def test_a_model_that_cannot_be_measured_on_the_gpu_leaves_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def of_model(python: Path, folder: Path, model: str, *_: object) -> str:
        if model == "mlp":
            raise NotHereError("too few samples in its profile")
        return f"measured {model}"

    monkeypatch.setattr(on_gpu, "device_of", lambda python: None)
    monkeypatch.setattr(on_gpu, "_of_model", of_model)
    found = on_gpu.measure(Path("python"), Path("models"), ("mlp", "cnn"), None, 1, 1.0)  # type: ignore[arg-type]
    assert found == ["measured cnn"]
    assert "mlp: not available here: too few samples in its profile" in capsys.readouterr().out
