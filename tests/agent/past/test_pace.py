"""Does what shares a quota with the agent leave it a part of that?"""

from pathlib import Path

import pytest

from agent.past import pace
from agent.past.pace import Pace, quota_cores


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


@pytest.mark.parametrize(
    ("membership", "files", "cores"),
    [
        (
            "0::/system.slice/nodewright.service\n",
            {"system.slice/nodewright.service": {"cpu__max": "25000 100000\n"}},
            0.25,
        ),
        ("0::/a/b\n", {"a": {"cpu__max": "50000 100000\n"}, "a/b": {"cpu__max": "max 100000\n"}}, 0.5),
        ("0::/\n", {".": {"cpu__max": "150000 100000\n"}}, 1.5),
        ("0::/a\n", {"a": {"cpu__max": "max 100000\n"}}, None),
        (
            "5:memory:/x\n4:cpu,cpuacct:/pod\n",
            {"cpu,cpuacct/pod": {"cpu__cfs_quota_us": "20000\n", "cpu__cfs_period_us": "100000\n"}},
            0.2,
        ),
        ("4:cpu:/pod\n", {"cpu/pod": {"cpu__cfs_quota_us": "-1\n", "cpu__cfs_period_us": "100000\n"}}, None),
        ("nonsense\n", {}, None),
    ],
)
def test_the_tightest_quota_of_a_cgroup_and_those_above_it(
    tmp_path: Path, membership: str, files: dict[str, dict[str, str]], cores: float | None
) -> None:
    (tmp_path / "cgroup").write_text(membership)
    for folder, its in files.items():
        write(tmp_path / "fs" / folder, **its)
    assert quota_cores(tmp_path / "cgroup", tmp_path / "fs") == cores


def test_it_sleeps_until_it_has_used_no_more_than_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    now = {"wall": 100.0, "cpu": 5.0}
    monkeypatch.setattr(pace.time, "monotonic", lambda: now["wall"])
    monkeypatch.setattr(pace.time, "process_time", lambda: now["cpu"])
    monkeypatch.setattr(pace.time, "sleep", slept.append)
    own, free = Pace(0.125), Pace(None)
    now |= {"wall": 101.0, "cpu": 5.5}
    own.keep()
    free.keep()
    assert slept == [3.0]
    now["wall"] = 104.0
    own.keep()
    assert slept == [3.0]
