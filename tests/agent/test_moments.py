"""Any moment of a recording is served as it was judged then."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from agent.moments import Moments
from agent.played import play
from agent.replay import Replayed
from agent.snapshots import Snapshots
from tests.agent.pieces import LOADED, QUOTA, write_pieces


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pieces(tmp_path_factory.mktemp("recording"))


@pytest.fixture(scope="module")
def replayed(recording: Path) -> Iterator[Replayed]:
    found = Replayed(LOADED, recording)
    yield found
    found.moments.close()


def test_the_timeline_has_a_moment_for_each_judgement(replayed):
    timeline = replayed.moments.timeline()
    assert (timeline.first, timeline.last) == ("2026-11-26T14:51:50Z", "2026-11-26T14:55:23Z")
    assert (timeline.ticks, timeline.judgements, len(timeline.moments)) == (213, 108, 108)
    assert list(timeline.moments) == sorted(timeline.moments)
    assert replayed.snapshot.node.at == timeline.last


def test_each_moment_says_what_a_recording_that_ends_there_says(recording, replayed):
    """Judged up to the 50th moment in another play."""
    seen = []

    def look(played, judgement):
        seen.append((judgement.at.wall_ns / 1e9, msgspec.to_builtins(played.advice)))

    play(LOADED, recording, look)
    for number in (0, 49, 107):
        at, advice = seen[number]
        assert msgspec.to_builtins(replayed.moments.at(at).advice) == advice


def test_cores_are_told_of_the_time_since_the_moment_before(replayed):
    timeline = replayed.moments.timeline()
    first, later = (replayed.moments.at(timeline.moments[number]).node for number in (0, 50))
    assert {core.busy_ratio for core in first.cores} == {None}
    assert all(core.busy_ratio > 0.9 for core in later.cores)


def test_a_recording_that_ends_with_a_judgement_shows_the_cores_and_the_pressure_that_were_read_last(replayed):
    """They are read with each tick; the last judgement comes after it, and nothing was read since the one before."""
    last, before = (replayed.moments.at(replayed.moments.timeline().moments[number]).node for number in (-1, -2))
    assert last.at > before.at
    assert (last.cores, last.pressure_cpu_ratio) == (before.cores, before.pressure_cpu_ratio)
    assert [round(core.busy_ratio, 2) for core in last.cores] == [0.75, 0.56]
    assert last.pressure_cpu_ratio == pytest.approx(0.197, abs=1e-3)


def test_between_two_moments_the_earlier_holds_and_before_the_first_there_is_none(replayed):
    moments = replayed.moments.timeline().moments
    assert replayed.moments.at(moments[5] + 0.5) == replayed.moments.at(moments[5])
    assert replayed.moments.at(moments[0] - 0.001) is None
    assert replayed.moments.at(9e9) == replayed.snapshot


def test_of_a_long_recording_every_so_many_judgements_are_kept_and_the_last(recording):
    moments = Moments(108, most=40)
    last = moments.last(play(LOADED, recording, moments.look))
    timeline = moments.timeline()
    assert len(timeline.moments) == 37
    assert timeline.judgements == 108
    assert moments.at(timeline.moments[-1]) == last
    assert last.node.at == "2026-11-26T14:55:23Z"
    moments.close()


def test_a_full_disk_leaves_the_moments_that_were_kept_and_the_end(recording, monkeypatch):
    moments = Moments(108)
    look, count = moments.look, iter(range(200))

    def full(packed: bytes) -> int:
        raise OSError(28, "No space left on device")

    def look_until_full(played, judgement):
        if next(count) == 10:
            moments.close()
            monkeypatch.setattr(
                moments, "_file", type("Full", (), {"seek": lambda *_: 0, "write": lambda *_: full(b"")})()
            )
        look(played, judgement)

    last = moments.last(play(LOADED, recording, look_until_full))
    assert len(moments.timeline().moments) == 10
    assert last.node.at == "2026-11-26T14:55:23Z"


def test_what_was_read_is_handed_on_once_and_the_end_is_the_same_however_often_somebody_looked(recording, replayed):
    once = Snapshots(play(LOADED, recording)).take(1)
    assert once.node.collectors == replayed.snapshot.node.collectors
    assert once.services == replayed.snapshot.services


def test_what_became_of_findings_is_told_newest_first(replayed):
    events = replayed.findings.history()
    assert [event.at for event in events] == sorted((event.at for event in events), reverse=True)
    quota = next(event for event in events if event.rule == QUOTA)
    assert replayed.findings.history(finding=quota.finding)[-1].event == "opened"
    assert replayed.findings.finding(quota.finding).rule == QUOTA
    assert replayed.findings.history(service="none") == ()
