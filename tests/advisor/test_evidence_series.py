"""Are stored series added up to the figures of the evidence, over what was judged and before it?"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

import advisor
from advisor.evidence_series import Span, evidence_series, figure_values, groups_of, span_of
from advisor.finding import Evidence, Subject
from advisor.gpu.view import device_name
from advisor.series import Point
from advisor.stored_figures import FIGURES, Figure, Part
from collectors.collector import all_collectors
from collectors.sample import fields_of
from tests.snapshots import H100, LOADED_ID, example_snapshot, gpu_snapshot

UNTIL = 1_000_000.0
SPAN = Span(judged_from=0.0, judged_to=8.0, start=0.0, steps=4, step=2.0)
CAUSE = example_snapshot().advice.findings[0]


def over(window_seconds: float, samples: int) -> Evidence:
    return Evidence(
        metric="x", unit="cores", observed=1.0, threshold=None, window_seconds=window_seconds, samples=samples
    )


def reader(known: Mapping[str, Sequence[float | None]]):  # type: ignore[no-untyped-def]
    """Of each entity a value a step of SPAN."""

    def read(kind: str, entities: Sequence[str], field: str, *span: float) -> Mapping[str, Sequence[Point]]:
        if kind == "never":
            raise LookupError(kind)
        return {one: [(2.0 * step, value) for step, value in enumerate(known[one])] for one in entities if one in known}

    return read


@pytest.mark.parametrize(
    ("window", "samples", "kind", "expected"),
    [
        (15.0, 15, "worker", (60.0, 2.0)),  # at least a minute
        (28.0, 15, "worker", (60.0, 4.0)),  # two readings a step, where the agent reads less often
        (15.0, 15, "serving", (60.0, 10.0)),  # a page each ten seconds
        (300.0, 300, "worker", (450.0, 15.0)),
        (86400.0, 1440, "gpu", (129600.0, 4320.0)),
        (15.0, 1, "worker", (60.0, 10.0)),
        (0.0, 0, "worker", (60.0, 2.0)),
    ],
)
def test_what_was_judged_and_half_as_much_before_it_is_shown(
    window: float, samples: int, kind: str, expected: tuple[float, float]
) -> None:
    found = span_of(over(window, samples), Figure(over=(Part(kind, "x"),)), UNTIL)
    assert (found.steps * found.step, found.step) == expected
    assert found.start % found.step == 0
    assert UNTIL < found.end <= UNTIL + found.step
    assert (found.judged_from, found.judged_to) == (UNTIL - max(1.0, window), UNTIL)


def test_a_class_that_is_not_there_adds_nothing_and_a_process_of_which_nothing_is_known_leaves_the_sum_unknown() -> (
    None
):
    groups = {"thread_class": [["a:main", "a:io"], ["b:main", "b:io"], ["c:main"]]}
    read = reader({"a:main": (1, 1, 1, None), "a:io": (None, 2, 2, None), "b:main": (4, 4, None, 4)})
    assert figure_values(FIGURES["waiting_cores"], groups, read, SPAN) == (5, 7, None, None)


def test_a_ratio_is_one_of_sums_and_unknown_where_nothing_was_counted() -> None:
    figure = Figure(over=(Part("worker", "a", "x"),), per=(Part("worker", "b", "y"),), times=60.0)
    read = reader({"x": (1, 1, None, 2), "y": (2, 0, 2, 8)})
    assert figure_values(figure, {}, read, SPAN) == (30, None, None, 15)


def test_of_a_field_that_was_never_stored_nothing_is_known() -> None:
    assert figure_values(Figure(over=(Part("never", "a", "x"),)), {}, reader({}), SPAN) == (None,) * 4


def test_the_subject_of_a_service_are_its_processes_its_port_and_its_cgroup() -> None:
    found = groups_of(CAUSE, gpu_snapshot(), "cgroup:/app")
    assert found["worker"] == [("worker:100:40100",), ("worker:101:40101",), ("worker:102:40102",)]
    assert found["thread_class"][1][:2] == ["worker:101:40101:main", "worker:101:40101:compute"]
    assert (found["listen"], found["cgroup"]) == ([("listen:8000",)], [("cgroup:/app",)])
    assert (found["serving"], found["gpu"]) == ([(f"service:{LOADED_ID}",)], [(f"gpu:{H100}",)])


def test_the_subject_of_a_process_or_a_device_is_that_alone() -> None:
    snapshot = gpu_snapshot()
    of_one = replace(CAUSE, subject=Subject(kind="worker", name="worker 1", pids=(101,)))
    assert groups_of(of_one, snapshot, None)["worker"] == [("worker:101:40101",)]
    name = device_name(H100, 0, "NVIDIA H100 80GB HBM3", None)
    found = groups_of(replace(CAUSE, subject=Subject(kind="device", name=name)), snapshot, None)
    assert (found["worker"], found["gpu"]) == ([], [(f"gpu:{H100}",)])


def test_figures_of_which_nothing_is_stored_are_left_out() -> None:
    def read(kind: str, entities: Sequence[str], field: str, *span: float) -> Mapping[str, Sequence[Point]]:
        return {one: [(UNTIL - 4, 0.5)] for one in entities if kind == "thread_class"}

    (found,) = evidence_series(CAUSE, UNTIL, example_snapshot(), None, read)
    assert (found.metric, found.start, found.step_seconds, len(found.values)) == ("waiting_cores", 999_942, 2.0, 30)
    assert [value for value in found.values if value is not None] == [7.5]  # three processes, five classes each


def test_every_figure_is_one_of_a_rule_and_made_of_fields_that_are_collected() -> None:
    files = [path for path in Path(advisor.__file__).parent.rglob("*.py") if path.name != "stored_figures.py"]
    written = "".join(path.read_text() for path in files)
    put_together = {"gpu_busy_p95", "gpu_sm_active_p95"}  # f"{use.metric}_p95"
    assert [metric for metric in FIGURES.keys() - put_together if f'"{metric}"' not in written] == []
    stored = {
        (kind.kind, one.name): one for each in all_collectors() for kind in each.samples for one in fields_of(kind)
    }
    parts = {(part.kind, part.field) for figure in FIGURES.values() for part in figure.parts}
    assert {part for part in parts if part not in stored or stored[part].text} == set()
