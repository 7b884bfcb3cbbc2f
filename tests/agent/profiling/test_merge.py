"""Do counts add up, and shares weigh as much as what they are shares of?"""

import pytest

from advisor.profiling.view import Share
from agent.profiling.merge import merge, merge_digests
from collectors.entities import WorkerKey
from collectors.profiles.profile import Missing, ProfileCost
from tests.agent.profiling.examples import ENCODE, MATRIX, NOON, digest, sample, stored, two_stacks, whole


def test_counts_of_the_same_thread_stack_side_and_class_add_up() -> None:
    first = stored([sample(ENCODE, 3), sample(ENCODE, 2, thread="other"), sample(ENCODE, 7, side="gil")])
    second = stored([sample(ENCODE, 10), sample(MATRIX, 1), sample(ENCODE, 4, work="unknown")])
    merged = merge([first, second])
    assert [(one.frames, one.thread, one.side, one.work, one.count) for one in merged.stacks] == [
        (ENCODE, "MainThread", "cpu", "python", 13), (ENCODE, "MainThread", "gil", "python", 7),
        (ENCODE, "MainThread", "cpu", "unknown", 4), (ENCODE, "other", "cpu", "python", 2),
        (MATRIX, "MainThread", "cpu", "python", 1),
    ]  # fmt: skip
    assert merged.samples == 27


def test_what_differs_is_named_by_none_of_both() -> None:
    later = two_stacks(id="p2", at_unix_seconds=NOON + 60.0, pid=900, slot=1, kind="request", seconds=30.0, hertz=10.0)
    merged = merge([later, two_stacks()])
    assert (merged.at_unix_seconds, merged.seconds, merged.hertz) == (NOON, 40.0, 20.0)
    assert (merged.pid, merged.slot, merged.kind, merged.service) == (0, None, "continuous", "gunicorn/app:8000")
    assert merged.reason == "gil-bound-worker"
    assert merge([later]).pid == 900


def test_missing_parts_notes_and_cost_are_those_of_all() -> None:
    missing = Missing("gil", "no GIL in this interpreter", "nothing")
    other = stored(missing=(missing,), notes=("n2",), cost=ProfileCost(cpu_seconds=1.0, errors=2))
    merged = merge([whole(), other, whole()])
    assert merged.missing == (*whole().missing, missing)
    assert merged.notes == ("the rate was lowered to 20 Hz", "n2")
    assert merged.cost == ProfileCost(cpu_seconds=1.5, stopped_seconds=1.0, errors=8, behind_seconds=0.25)
    assert merged.lines == whole().lines


def test_classes_weigh_by_cpu_time_and_waits_by_wall_time() -> None:
    busy = digest(cores=3.0, seconds=10.0)
    calm = digest(
        key=WorkerKey(900, 1), cores=0.5, seconds=20.0, classes={"kernel": Share(0.2, 0.04)}, gil_held=None, waits={},
        native=False,
    )  # fmt: skip
    merged = merge_digests([busy, calm])
    assert merged is not None
    assert (merged.seconds, merged.samples, merged.native, merged.key.pid) == (30.0, 2000, False, 0)
    assert merged.cores == pytest.approx(40 / 30)
    assert merged.classes["kernel"].value == pytest.approx((30 * 0.7 + 10 * 0.2) / 40)
    assert merged.classes["kernel"].error == pytest.approx(((30 * 0.02) ** 2 + (10 * 0.04) ** 2) ** 0.5 / 40)
    assert merged.classes["tokenise"].value == pytest.approx(30 * 0.3 / 40)
    assert merged.waits["gil"] == pytest.approx(0.25)
    assert merged.gil_held == Share(0.8, 0.05)
    assert merged.hot[0].share == pytest.approx(0.7)


def test_one_digest_stays_whole_and_none_stays_none() -> None:
    assert merge([whole(), two_stacks()]).digest == digest()
    assert merge([two_stacks()]).digest is None
    with pytest.raises(ValueError, match="no profile"):
        merge([])
