"""The rules for Prometheus speak where they should and name nothing that no agent tells: asked of the real promtool."""

import re
import subprocess
from pathlib import Path

import pytest

from agent.http.exposition import Exposition
from bench.large_node import LargeNode
from tests.live.debian import NoDebianError, debian_program
from tests.snapshots import example_snapshot

FOLDER = Path(__file__).parents[2] / "deploy" / "prometheus"
NAME = re.compile(r"nodewright_[a-z0-9_]+")


@pytest.fixture(scope="module")
def promtool() -> Path:
    try:
        return debian_program("prometheus", "promtool")
    except NoDebianError as problem:
        pytest.skip(str(problem))


def run(promtool: Path, *arguments: str, folder: Path = FOLDER) -> str:
    done = subprocess.run(
        [promtool, *arguments], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_rules_and_configuration_are_right_and_the_rules_speak_as_they_should(promtool: Path) -> None:
    assert "rules found" in run(promtool, "check", "rules", "rules.yaml")
    run(promtool, "check", "config", "--syntax-only", "prometheus.yaml")
    assert "SUCCESS" in run(promtool, "test", "rules", "tests.yaml")


def test_every_rule_has_a_case() -> None:
    rules, cases = ((FOLDER / name).read_text() for name in ("rules.yaml", "tests.yaml"))
    records, alerts = re.findall(r"- record: (\S+)", rules), re.findall(r"- alert: (\S+)", rules)
    assert len(records) + len(alerts) == rules.count("expr:") > 10
    assert [name for name in alerts if f"alertname: {name}\n" not in cases and f"alertname: {name} " not in cases] == []
    assert [name for name in records if f"'{name}{{" not in cases and f"{name}, " not in cases] == []


def test_a_case_fails_where_its_rule_is_wrong(promtool: Path, tmp_path: Path) -> None:
    (tmp_path / "tests.yaml").write_text((FOLDER / "tests.yaml").read_text())
    (tmp_path / "rules.yaml").write_text((FOLDER / "rules.yaml").read_text().replace("< 0.15", "< 0.05"))
    done = subprocess.run(
        [promtool, "test", "rules", "tests.yaml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "NodewrightThinHeadroom" in done.stdout + done.stderr


def test_rules_name_only_metrics_that_an_agent_tells() -> None:
    large = LargeNode()
    pages = (Exposition(large.snapshot, large.second(), large.cgroups), Exposition(example_snapshot(), {}, {}))
    known = {sample.name for page in pages for family in page.collect() for sample in family.samples}
    rules = (FOLDER / "rules.yaml").read_text()
    used = set(NAME.findall(re.sub(r"\w+:nodewright_\w+:\w+", "", rules)))
    assert used - known == set()
    assert len(used) > 10
