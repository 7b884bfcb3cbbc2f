"""A day composed of what real servers did: what is put into it is found when it begins, and ends with it, each time alike."""

import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from agent.advice_text import render
from agent.config import AdviceSettings, Config, LoadedConfig
from agent.played import play
from agent.recorded import settings_of
from agent.transitions import RecordedHistory, history_of
from bench.day import START_NS, Phase, compose
from bench.pieces import read_pieces
from bench.replay_day import PIECES, unpacked
from tests.agent.running import command

HOLD_SECONDS = 20.0
LOADED = LoadedConfig(config=Config(), origins={})
DAY = {  # the lightly loaded servers had neighbours: within three minutes nothing is to be said of that
    "idle": Phase(piece="idle", seconds=30),
    "bad": Phase(piece="bad", seconds=70),
    "leak": Phase(piece="healthy", seconds=110, leak=20_000_000),
    "healthy": Phase(piece="healthy", seconds=60),
    "bad again": Phase(piece="bad", seconds=60),
}
CROWDED, THROTTLED = "cpu-oversubscribed-openmp", "cgroup-cpu-throttled"


@pytest.fixture(scope="module")
def day(tmp_path_factory) -> tuple[Path, Mapping[str, int]]:
    """The recording, and the second at which each phase begins."""
    folder = tmp_path_factory.mktemp("day")
    source, pieces = read_pieces(unpacked(PIECES, folder))
    settings = settings_of(Config(advice=AdviceSettings(hold_down_seconds=HOLD_SECONDS)))
    begins = compose(folder / "day.db", source, pieces, list(DAY.values()), seed=1, settings=settings)
    return folder / "day.db", dict(zip(DAY, begins, strict=True))


@pytest.fixture(scope="module")
def history(day) -> RecordedHistory:
    return history_of(LOADED, day[0])[0]


def turns(history: RecordedHistory, rule: str) -> list[tuple[str, float]]:
    """What happened to the finding of a rule, and at which second of the day."""
    return [
        (e.event, datetime.fromisoformat(e.at).timestamp() - START_NS / 1e9) for e in history.events if e.rule == rule
    ]


@pytest.mark.parametrize("rule", [CROWDED, THROTTLED])
def test_two_causes_at_once_are_told_when_they_begin_and_superseded_when_their_levers_change(day, history, rule):
    begins = day[1]
    (opened, at), (ended, until), (again, later) = [t for t in turns(history, rule) if t[0] != "severity-changed"]
    assert (opened, ended, again) == ("opened", "superseded", "opened")
    assert begins["bad"] + 15 <= at <= begins["bad"] + 25
    assert begins["leak"] + 4 <= until <= begins["leak"] + 8
    assert begins["bad again"] + 15 <= later <= begins["bad again"] + 28


def test_a_leak_is_told_and_resolved_once_it_is_over(day, history):
    begins = day[1]
    (opened, at), *_, (ended, until) = turns(history, "oom-eta")
    assert (opened, ended) == ("opened", "resolved")
    assert begins["leak"] + 45 <= at <= begins["leak"] + 75
    assert begins["healthy"] <= until <= begins["healthy"] + HOLD_SECONDS + 4


def test_an_idle_node_and_repaired_servers_give_nothing_above_info_but_the_leak(day, history):
    begins = day[1]
    loud = [
        (e.rule, e.subject)
        for e in history.events
        if e.severity != "info" and e.event == "opened" and e.rule not in (CROWDED, THROTTLED, "oom-eta")
        and datetime.fromisoformat(e.at).timestamp() - START_NS / 1e9 < begins["bad again"]
    ]  # fmt: skip
    assert loud == []


def test_a_second_replay_says_the_very_same(day, history):
    assert msgspec.json.encode(history_of(LOADED, day[0])[0]) == msgspec.json.encode(history)


def test_neither_the_seed_of_hashes_nor_the_configuration_of_this_machine_changes_a_byte(day, tmp_path):
    (tmp_path / "other.toml").write_text('[advice]\nwindow = "30s"\n')
    said = [
        subprocess.run(
            command("advise", "--recording", str(day[0]), "--format", "json", "--config", str(tmp_path / "other.toml")),
            env={"PYTHONHASHSEED": seed, "PATH": os.path.dirname(sys.executable)},
            capture_output=True,
            check=True,
        ).stdout.decode()
        for seed in ("1", "77")
    ]
    assert said == [render(play(LOADED, day[0]).advice, "json") + "\n"] * 2
