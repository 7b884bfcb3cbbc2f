"""Does a baseline accept what it names, as long as it says, and does what was acknowledged fail nobody?"""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from advisor.documents import AdviceDocument
from advisor.finding import Acknowledgement, Severity
from agent.advice_text import render
from agent.advise import gate
from agent.baseline import Baseline
from agent.cli import run_command
from agent.errors import CliError
from agent.http.app import build_app
from agent.http.server import serve
from tests.agent.http.example import example_deps
from tests.snapshots import LOADED, example_snapshot

RULE = "cpu-oversubscribed-openmp"
NOW = datetime(2026, 11, 20, 10, tzinfo=UTC).timestamp()
ADVICE = example_snapshot().advice
FIRST = ADVICE.findings[0]
ONE = replace(ADVICE, findings=(FIRST,))


def muted(until: str | None) -> AdviceDocument:
    entry = Acknowledgement(state="acknowledged", reason="known", owner="ada", at="2026-11-20T09:00:00Z", until=until)
    return replace(ONE, findings=(replace(FIRST, state="acknowledged", acknowledgement=entry),))


def write(folder: Path, content: Any) -> Path:
    path = folder / "accepted.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def entry(**more: Any) -> dict[str, Any]:
    return {"accepted": [{"rule": RULE, "subject": LOADED, **more}]}


@pytest.mark.parametrize(
    "content",
    [
        entry(),
        entry(subject={"kind": "service", "name": LOADED}),
        entry(until="2026-11-20T10:00:01Z", reason="new node on Friday"),
        entry(until="2026-11-21"),
        render(ONE, "json"),
        render(muted(None), "json"),
        render(muted("2026-11-20T10:00:01Z"), "json"),
    ],
    ids=["names", "subject", "until", "date", "document", "acknowledged", "acknowledged-until"],
)
def test_what_is_accepted_fails_nobody(tmp_path, content) -> None:
    assert gate(ONE, Severity.HIGH, Baseline.load(write(tmp_path, content)), NOW) == 0
    assert gate(ONE, Severity.HIGH, Baseline(), NOW) == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (entry(until="2026-11-20T10:00:00Z", reason="Friday"), "2026-11-20T10:00:00Z: Friday"),
        (entry(until="2026-11-20T10:00:00+01:00"), "2026-11-20T09:00:00Z"),
        (render(muted("2026-11-20T10:00:00Z"), "json"), "2026-11-20T10:00:00Z: known"),
    ],
    ids=["until", "zone", "acknowledged-until"],
)
def test_an_expired_entry_accepts_no_longer_and_says_so(tmp_path, capsys, content, said) -> None:
    assert gate(ONE, Severity.HIGH, Baseline.load(write(tmp_path, content)), NOW) == 1
    assert capsys.readouterr().err == f"nodewright: baseline.expired: {RULE} on {LOADED} was accepted until {said}\n"


def test_another_rule_or_subject_is_not_meant(tmp_path) -> None:
    for other in (entry(rule="memory-pressure"), entry(subject="another")):
        assert gate(ONE, Severity.HIGH, Baseline.load(write(tmp_path, other)), NOW) == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "not JSON"),
        ("[" * 200_000, "not JSON"),
        ([], "neither a list `accepted` nor an advice document"),
        ({"data": {"findings": 3}}, "neither a list"),
        ({"accepted": ["x"]}, "entry 1 is no object"),
        ({"accepted": [{"rule": RULE}]}, "entry 1 names no rule and subject"),
        (entry(until="soon"), "until of entry 1 is no time: 'soon'"),
        (entry(until=3), "until of entry 1 is no time: 3"),
    ],
    ids=range(8),
)
def test_a_file_that_is_no_baseline_is_told_in_one_line(tmp_path, content, said) -> None:
    with pytest.raises(CliError, match=said) as caught:
        Baseline.load(write(tmp_path, content))
    assert (caught.value.key, caught.value.exit_status) == ("baseline.invalid", 2)


@pytest.mark.parametrize(("state", "status"), [("open", 1), ("acknowledged", 0), ("snoozed", 0)])
async def test_what_a_running_agent_has_acknowledged_does_not_fail_the_gate(state, status, capsys) -> None:
    example = example_snapshot()
    shown = replace(example, advice=replace(ONE, findings=(replace(FIRST, state=state),)))
    runner = await serve(build_app(example_deps(shown)), "127.0.0.1:0")
    try:
        command = ["advise", "--url", runner.url, "--fail-on", "high"]
        assert await asyncio.to_thread(run_command, command) == status
    finally:
        await runner.close()
    assert RULE in capsys.readouterr().out
