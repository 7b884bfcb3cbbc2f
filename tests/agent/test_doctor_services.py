"""The doctor says of each server that runs what it could tell and does not, with the exact switch."""

from pathlib import Path

import pytest

from agent.doctor import as_text, examine
from agent.doctor_services import find_services, service_checks
from agent.host_checks import Check
from collectors.discovery import Discovery
from collectors.entities import Process, WorkerKey
from collectors.facts import Environ, Listening, ProcessFacts, unreadable_facts
from collectors.reading import Unsupported
from tests.hosttree import HostTree

SGLANG = ("python", "-m", "sglang.launch_server", "--model-path", "org/model", "--port", "31999")
GUNICORN = ("/venv/bin/python", "/venv/bin/gunicorn", "-b", "127.0.0.1:31998", "shop:app")


@pytest.fixture
def tree(tmp_path: Path) -> HostTree:
    made = HostTree(tmp_path)
    made.file("proc/loadavg", "0.00 0.00 0.00 1/1 42\n")
    return made


def known(key: WorkerKey, *_: object) -> ProcessFacts:
    no = Unsupported("not mounted", "")
    listening = (Listening("127.0.0.1", {10: 31999, 20: 31998}.get(key.pid, 1), 7),)
    return ProcessFacts(key=key, environ=Environ({}), libraries=(), model_files=(), cwd="/srv", exe="/usr/bin/python3",
                        listening=listening, limits=no)  # fmt: skip


def told(checks: list[Check], service: str) -> list[tuple[str, str, str]]:
    return [(one.status, one.detail, one.hint) for one in checks if one.name == service]


def test_a_server_without_its_switch_gets_the_exact_flag(tree: HostTree) -> None:
    tree.process(10, argv=SGLANG)
    checks = service_checks(tree.host, Discovery(), known)
    assert {one.name for one in checks} == {"sglang/model:31999"}
    assert any(hint.startswith("--enable-metrics") for _, _, hint in told(checks, "sglang/model:31999"))
    assert not any(one.needed for one in checks)


def test_a_server_whose_application_decides_is_told_how_to_name_a_page(tree: HostTree) -> None:
    tree.process(20, argv=GUNICORN)
    (check,) = service_checks(tree.host, Discovery(), known)
    assert (check.name, check.status) == ("gunicorn/shop:31998", "ok")
    assert check.detail.endswith("it has no metrics of its own")
    assert "metrics_url" in check.hint


def test_what_cannot_be_looked_into_is_named_once_with_what_it_takes(tree: HostTree) -> None:
    tree.process(20, argv=GUNICORN)
    tree.process(21, argv=GUNICORN, ppid=20)
    closed = service_checks(
        tree.host, Discovery(), lambda key, _: unreadable_facts(key, "Permission denied", "be root")
    )
    details = [one.detail for one in closed if one.status == "unsupported"]
    assert details == ["environment: Permission denied", "libraries: Permission denied", "sockets: Permission denied"]
    assert {one.hint for one in closed if one.status == "unsupported"} == {"be root"}


def test_the_report_has_the_services_and_says_so_where_there_are_none(tree: HostTree) -> None:
    tree.process(20, argv=GUNICORN)
    services = service_checks(tree.host, Discovery(), known)
    text = as_text(examine(tree.host, (), (), services))
    assert "Services\n  ok           gunicorn/shop:31998  processes: 1, workers among them: 0" in text
    assert "metrics_url" in text
    assert "Services\n  none found" in as_text(examine(tree.host, (), (), ()))


def test_only_processes_of_servers_and_candidates_are_looked_into(tree: HostTree) -> None:
    asked: list[int] = []

    def read(key: WorkerKey, *requests: object) -> ProcessFacts:
        asked.append(key.pid)
        return known(key)

    tree.process(20, argv=GUNICORN)
    tree.process(30, argv=("vim", "gunicorn.conf.py"), comm="vim")
    services, facts = find_services(tree.host, Discovery(), read)
    assert [service.name for service in services] == ["gunicorn/shop:31998"]
    assert set(asked) == {20} == {key.pid for key in facts}
    assert isinstance(services[0].workers[0].process, Process)
