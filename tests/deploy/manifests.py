"""What do the folders of deploy/ render to, and what do the published schemas say of it?

Kustomize is kubectl's, Helm is its own SDK, the schemas are those that Kubernetes publishes: the last two are Python packages
in an environment of their own (tests/live/environments/kubernetes.lock).
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.live.environments import environment

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
KUSTOMIZE = DEPLOY / "kubernetes"
CHART = DEPLOY / "helm" / "nodewright"
VERSIONS = ("1.29.0", "1.37.0")
"""The oldest that the manifests are for, and the newest whose schemas are known here."""

Object = dict[str, Any]


class QuestionError(Exception):
    """The tool's own words."""


class Tools:
    def __init__(self, child: "subprocess.Popen[str]") -> None:
        self._child = child

    def ask(self, *question: object) -> Any:
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(json.dumps(question) + "\n")
        self._child.stdin.flush()
        answer = json.loads(self._child.stdout.readline())
        if "error" in answer:
            raise QuestionError(answer["error"])
        return answer["answer"]

    def kustomized(self, folder: Path) -> list[Object]:
        kubectl = shutil.which("kubectl")
        if kubectl is None:
            pytest.skip("no kubectl")
        done = subprocess.run(
            [kubectl, "kustomize", folder], capture_output=True, text=True, timeout=60, check=False
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return list(self.ask("yaml", done.stdout))

    def overlay(self, folder: Path, resources: list[Path], components: list[str]) -> list[Object]:
        """What a user's kustomization in `folder` renders to that names these."""
        named = [os.path.relpath(path, folder) for path in resources]
        more = [os.path.relpath(KUSTOMIZE / name, folder) for name in components]
        lines = ("namespace: nodewright", f"resources: {json.dumps(named)}", f"components: {json.dumps(more)}")
        (folder / "kustomization.yaml").write_text("\n".join(lines) + "\n")
        return self.kustomized(folder)

    def chart(self, name: str = "nodewright", **values: Any) -> list[Object]:
        return list(self.ask("chart", str(CHART), values, name, "nodewright")["objects"])

    def problems(self, objects: list[Object]) -> list[str]:
        """Of those that Kubernetes itself defines."""
        own = [one for one in objects if not one["apiVersion"].startswith(("monitoring.coreos.com", "mlops.seldon.io"))]
        assert own
        return [f"{version}: {one}" for version in VERSIONS for one in self.ask("validate", own, version)]


@contextmanager
def running_tools() -> Iterator[Tools]:
    python = environment("kubernetes") / "python"
    script = Path(__file__).with_name("in_environment.py")
    with subprocess.Popen(
        [python, "-I", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:  # fmt: skip
        yield Tools(child)
        assert child.stdin is not None
        child.stdin.close()


def pod_spec(one: Object) -> Object:
    """Of a workload, or of a ServerConfig."""
    return dict(one["spec"]["podSpec"] if "podSpec" in one["spec"] else one["spec"]["template"]["spec"])


def containers(one: Object) -> dict[str, Object]:
    spec = pod_spec(one)
    return {each["name"]: each for each in (*spec.get("initContainers", ()), *spec["containers"])}


def of_kind(objects: list[Object], kind: str) -> Object:
    [one] = [each for each in objects if each["kind"] == kind]
    return one
