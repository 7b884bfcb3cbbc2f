"""The doctor says what is readable, why not, and whether advice can do without."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from agent.doctor import as_json, as_text, examine, own_service
from agent.host_checks import Check, host_checks
from collectors.collector import Collector, all_collectors
from collectors.entities import Service
from collectors.host import Host
from collectors.reading import Unreadable
from collectors.sample import Sample


def collector(name: str, raised: Exception | None = None) -> Collector:
    class Fake(Collector):
        samples = ()
        cost = "none"

        @property
        def name(self) -> str:
            return name

        def collect(self, host: Host, services: Sequence[Service]) -> Iterable[Sample]:
            if raised is not None:
                raise raised
            return ()

    return Fake()


def host_without(tmp_path: Path, *missing: str) -> Host:
    """A host with schedstat, PSI and cgroup version 2, less what is `missing`."""
    files = {
        "proc/self/schedstat": "1 2 3\n",
        "proc/self/status": "Name:\tx\nCapEff:\t0000000000000000\n",
        "proc/self/mountinfo": "22 1 0:21 / /proc rw - proc proc rw,hidepid=invisible\n",
        "proc/pressure/cpu": "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
        "proc/sys/kernel/yama/ptrace_scope": "1\n",
        "sys/fs/cgroup/cgroup.controllers": "cpu memory\n",
    }
    for name, text in files.items():
        if name not in missing:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
    return Host.at(tmp_path)


def checks(host: Host) -> dict[str, Check]:
    return {one.name: one for one in host_checks(host)}


def test_a_host_without_psi_is_ready_and_says_how_to_enable_it(tmp_path):
    host = host_without(tmp_path, "proc/pressure/cpu")
    found = checks(host)
    assert found["psi"].status == "unsupported"
    assert "psi=1" in found["psi"].hint
    assert found["schedstat"].status == "ok"
    report = examine(
        host, [collector("cpu"), collector("threads"), collector("pressure", Unreadable("no PSI", "psi=1"))]
    )
    assert report.ready
    assert "unsupported  pressure" in as_text(report)
    assert "-> psi=1" in as_text(report)


def test_a_host_without_schedstat_is_not_ready(tmp_path):
    report = examine(host_without(tmp_path, "proc/self/schedstat"), [])
    assert not report.ready
    assert "(advice needs it)" in as_text(report)


@pytest.mark.parametrize("name", ["cpu", "threads", "processes"])
def test_a_needed_collector_that_fails_makes_it_not_ready(name):
    assert not examine(Host.real(), [collector(name, RuntimeError("broken"))], ()).ready
    assert examine(Host.real(), [collector("serving", RuntimeError("broken"))], ()).ready


def test_cgroup_versions_are_told_apart(tmp_path):
    assert checks(host_without(tmp_path / "v2"))["cgroup"].detail == "version 2"
    old = host_without(tmp_path / "v1", "sys/fs/cgroup/cgroup.controllers")
    assert checks(old)["cgroup"].status == "unsupported"
    (tmp_path / "v1/sys/fs/cgroup/cpu,cpuacct").mkdir(parents=True)
    assert checks(old)["cgroup"].detail == "version 1"
    (tmp_path / "v1/sys/fs/cgroup/unified").mkdir()
    (tmp_path / "v1/sys/fs/cgroup/unified/cgroup.controllers").write_text("")
    assert checks(old)["cgroup"].detail == "version 1 (hybrid)"


def test_hidden_processes_and_restricted_attach_say_what_to_grant(tmp_path, monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    found = checks(host_without(tmp_path))
    assert "hidepid=invisible" in found["processes"].detail
    assert "ptrace_scope=1" in found["attach"].detail
    assert "CAP_SYS_PTRACE" in found["inside"].detail


def test_the_report_as_json_is_in_the_envelope(tmp_path):
    report = json.loads(as_json(examine(host_without(tmp_path), [collector("cpu")])))["data"]
    assert report["ready"] is True
    assert report["checks"][0]["name"] == "cpu"
    assert set(report["checks"][0]) == {"area", "name", "status", "detail", "hint", "needed"}


def test_this_process_stands_for_a_service(tmp_path):
    import os

    service = own_service(Host.real(), os.getpid())
    assert service is not None
    assert service.pids == (os.getpid(),)
    assert own_service(Host.at(tmp_path), os.getpid()) is None


def test_every_collector_of_this_version_has_a_line():
    report = examine(Host.real(), all_collectors(), ())
    assert {one.name for one in report.checks} == {one.name for one in all_collectors()}
    assert not [one for one in report.checks if one.status == "failed"]
