"""Names in the Docker engine's own files."""

import json
from pathlib import Path
from typing import Any

import pytest

from collectors.containers.docker_files import DockerNames, docker_names
from collectors.host import READ_LIMIT_BYTES
from tests.hosttree import HostTree

ID = "a1" * 32
PATH = f"var/lib/docker/containers/{ID}/config.v2.json"


@pytest.fixture
def machine(tmp_path: Path) -> HostTree:
    return HostTree(tmp_path)


def config(name: Any = "/shop-web-1", labels: Any = None, **more: Any) -> str:
    inside = {"Hostname": ID[:12], "Env": ["API_TOKEN=hunter2"], "Labels": labels}
    return json.dumps({"StreamConfig": {}, "State": {"Pid": 7}, "ID": ID, "Name": name, "Config": inside, **more})


def test_the_name_and_the_compose_service_are_read(machine: HostTree) -> None:
    labels = {"com.docker.compose.project": "shop", "com.docker.compose.service": "web", "secret": "hunter2"}
    machine.file(PATH, config(labels=labels))
    found = docker_names(machine.host, ID)
    assert found == DockerNames(name="shop-web-1", project="shop", service="web")
    assert "hunter2" not in repr(found)


def test_a_container_without_compose_has_a_name_alone(machine: HostTree) -> None:
    machine.file(PATH, config("/llm", {}))
    assert docker_names(machine.host, ID) == DockerNames(name="llm")
    machine.file(PATH, config("/llm", None))
    assert docker_names(machine.host, ID) == DockerNames(name="llm")


@pytest.mark.parametrize("content", ["", "{", "[]", "\udc80", config(name=7), config(labels={"com.docker.compose.project": 1}),
                                     config(labels=[])])  # fmt: skip
def test_a_damaged_file_tells_nothing(machine: HostTree, content: str) -> None:
    machine.file(PATH, content.encode("utf-8", "surrogateescape"))
    assert docker_names(machine.host, ID) is None


def test_an_oversized_file_and_names_that_cannot_be_shown_are_left_out(machine: HostTree) -> None:
    machine.file(PATH, config(pad="x" * READ_LIMIT_BYTES))
    assert docker_names(machine.host, ID) == DockerNames()
    machine.file(PATH, config("/a\x1b[2J", {"com.docker.compose.project": "p" * 300}))
    assert docker_names(machine.host, ID) == DockerNames()


def test_without_the_file_nothing_is_known(machine: HostTree) -> None:
    assert docker_names(machine.host, ID) is None
