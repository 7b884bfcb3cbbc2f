"""Do the manifests hold before the published schemas, grant what is needed and no more, and say the same as the chart?

Rendered by the real Kustomize and the real Helm, held against the schemas of Kubernetes; no cluster ran them. PodMonitor and
ServerConfig have no schema here: of these only the fields that we set are compared.
"""

import json
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

import nodewright
from agent.notify.kubernetes import again, event_of
from agent.notify.message import Message
from agent.sidecar.privileges import NEEDED
from docs.values import rows as values_rows
from tests.deploy.manifests import (
    CHART,
    KUSTOMIZE,
    ROOT,
    Object,
    QuestionError,
    Tools,
    containers,
    of_kind,
    pod_spec,
    running_tools,
)
from tests.snapshots import example_findings

DAEMONSET = KUSTOMIZE / "daemonset"
EXAMPLE = KUSTOMIZE / "example"
NODE_PARTS = ("gpu", "kubelet", "events", "metrics")
BESIDE_PARTS = ("gpu", "events", "metrics", "guaranteed")
SERVER = {
    "name": "server", "image": "model-server:latest", "ports": [{"name": "http", "containerPort": 8080}],
    "resources": {name: {"cpu": "4", "memory": "8Gi"} for name in ("requests", "limits")},
}  # fmt: skip
SELDON = """
apiVersion: mlops.seldon.io/v1alpha1
kind: ServerConfig
metadata: {name: mlserver}
spec:
  podSpec:
    containers: [{name: agent, image: agent}, {name: mlserver, image: mlserver}]
    securityContext: {runAsUser: 1000, runAsNonRoot: true, fsGroup: 2000}
    volumes: [{name: config-volume, configMap: {name: seldon-agent}}]
"""
"""Of Seldon's own only the shape: written by hand."""


@pytest.fixture(scope="module")
def tools() -> Iterator[Tools]:
    with running_tools() as one:
        yield one


@pytest.fixture(scope="module")
def node(tools: Tools) -> list[Object]:
    return tools.kustomized(DAEMONSET)


@pytest.fixture(scope="module")
def beside(tools: Tools) -> list[Object]:
    return tools.kustomized(EXAMPLE)


def workload(tools: Tools, folder: Path, *parts: str) -> Object:
    """The Deployment of the example with other parts."""
    (folder / "deployment.yaml").write_text((EXAMPLE / "deployment.yaml").read_text())
    return of_kind(tools.overlay(folder, [folder / "deployment.yaml"], list(parts)), "Deployment")


def test_every_base_with_every_component_holds_before_the_schemas(
    tools: Tools, node: list[Object], beside: list[Object], tmp_path: Path
) -> None:
    assert tools.problems(node) == []
    assert tools.problems(beside) == []
    (tmp_path / "node").mkdir()
    whole = tools.overlay(tmp_path / "node", [DAEMONSET], [f"components/{part}" for part in NODE_PARTS])
    assert tools.problems(whole) == []
    assert {one["metadata"].get("namespace") for one in whole if one["kind"] != "Namespace"} == {"nodewright"}
    for rights in ("sidecar", "same-uid"):
        (tmp_path / rights).mkdir()
        parts = [part for part in BESIDE_PARTS if (rights, part) != ("same-uid", "guaranteed")]
        one = workload(tools, tmp_path / rights, rights, *(f"components/{part}" for part in parts))
        assert tools.problems([one]) == []
    bad = json.loads(json.dumps(node).replace("hostPID", "hostPid"))
    assert len(tools.problems(bad)) == 2, "the schemas are asked strictly, of both versions"


def test_each_container_may_what_it_needs(node: list[Object], beside: list[Object]) -> None:
    for one in (of_kind(node, "DaemonSet"), of_kind(beside, "Deployment")):
        for name in ("nodewright", "nodewright-sidecar"):
            context = containers(one)[name]["securityContext"]
            assert context["readOnlyRootFilesystem"] is True
            assert context["allowPrivilegeEscalation"] is False
            assert context["seccompProfile"] == {"type": "RuntimeDefault"}
            assert context["capabilities"]["drop"] == ["ALL"]
            assert "privileged" not in context
        agent, looker = (containers(one)[name] for name in ("nodewright", "nodewright-sidecar"))
        assert "add" not in agent["securityContext"]["capabilities"]
        assert (agent["securityContext"]["runAsUser"], agent["securityContext"]["runAsNonRoot"]) == (65532, True)
        assert {f"CAP_{one}" for one in looker["securityContext"]["capabilities"]["add"]} == set(NEEDED)
        assert "ports" not in looker
        assert [one["mountPath"] for one in looker["volumeMounts"]] == ["/run/nodewright"]
        spec = pod_spec(one)
        assert spec["automountServiceAccountToken"] is False
        assert "hostNetwork" not in spec
        host = [
            mount for mount in agent["volumeMounts"] if mount["mountPath"].startswith(("/var/log", "/var/lib/kubelet"))
        ]
        assert all(mount["readOnly"] for mount in host)
    assert of_kind(node, "DaemonSet")["spec"]["template"]["spec"]["hostPID"] is True
    assert of_kind(beside, "Deployment")["spec"]["template"]["spec"]["shareProcessNamespace"] is True


def test_the_watcher_does_not_decide_whether_the_server_gets_requests(beside: list[Object]) -> None:
    spec = pod_spec(of_kind(beside, "Deployment"))
    assert [one["name"] for one in spec["containers"]] == ["server"]
    for one in spec["initContainers"]:
        assert one["restartPolicy"] == "Always"
        assert not {"readinessProbe", "startupProbe"} & set(one)


def test_nothing_of_the_servers_own_is_changed(tools: Tools, beside: list[Object]) -> None:
    [alone] = tools.ask("yaml", (EXAMPLE / "deployment.yaml").read_text())
    one = json.loads(json.dumps(of_kind(beside, "Deployment")))
    for key in ("initContainers", "volumes", "shareProcessNamespace"):
        del one["spec"]["template"]["spec"][key]
    assert one["spec"]["template"]["metadata"]["labels"].pop("nodewright") == "beside"
    assert one == alone


def test_under_the_servers_user_nothing_is_root_and_the_restricted_standard_holds(tools: Tools, tmp_path: Path) -> None:
    one = workload(tools, tmp_path, "same-uid", "components/events")
    assert list(containers(one)) == ["nodewright", "server"]
    agent = containers(one)["nodewright"]
    assert agent["securityContext"] == {
        "runAsUser": 1000, "runAsGroup": 1000, "runAsNonRoot": True, "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"},
    }  # fmt: skip
    assert "NODEWRIGHT_AGENT_SIDECAR_SOCKET" not in {variable["name"] for variable in agent["env"]}
    kinds = {kind for volume in pod_spec(one)["volumes"] for kind in volume if kind != "name"}
    assert kinds <= {"configMap", "downwardAPI", "emptyDir", "projected", "secret"}
    assert not {"hostPID", "hostNetwork", "hostIPC"} & set(pod_spec(one))


def test_a_guaranteed_pod_stays_so(tools: Tools, tmp_path: Path) -> None:
    for one in containers(workload(tools, tmp_path, "sidecar", "components/guaranteed")).values():
        assert one["resources"]["requests"] == one["resources"]["limits"], one["name"]


def test_the_token_of_the_account_reaches_the_agent_alone_and_is_good_for_events_only(
    tools: Tools, tmp_path: Path
) -> None:
    objects = tools.overlay(tmp_path, [DAEMONSET], ["components/events"])
    one = of_kind(objects, "DaemonSet")
    mounted = {
        name
        for name, each in containers(one).items()
        for mount in each["volumeMounts"]
        if mount["mountPath"] == "/var/run/secrets/kubernetes.io/serviceaccount"
    }
    assert mounted == {"nodewright"}
    assert pod_spec(one)["automountServiceAccountToken"] is False
    rules = of_kind(objects, "Role")["rules"]
    assert rules == [{"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create", "patch"]}]
    policy = of_kind(objects, "NetworkPolicy")["spec"]
    assert policy["egress"] == [{"ports": [{"protocol": "TCP", "port": port} for port in (443, 6443)]}]
    assert "egress" not in of_kind(tools.kustomized(DAEMONSET), "NetworkPolicy")["spec"]


@pytest.mark.parametrize("kind", ["daemonset", "sidecar"])
def test_chart_and_kustomize_say_the_same(tools: Tools, node: list[Object], beside: list[Object], kind: str) -> None:
    if kind == "daemonset":
        based = {one["kind"]: plain(one) for one in node if one["kind"] != "Namespace"}
        assert {one["kind"]: plain(one) for one in tools.chart()} == based
    else:
        [chart] = tools.chart(mode="sidecar", server=SERVER)
        assert pod_spec(chart) == pod_spec(of_kind(beside, "Deployment"))


def plain(one: Object) -> Any:
    """Without the labels that Helm's charts add by custom."""
    if isinstance(one, dict):
        custom = {f"app.kubernetes.io/{name}" for name in ("instance", "version", "managed-by")} | {"helm.sh/chart"}
        return {key: plain(value) for key, value in one.items() if key not in custom}
    return [plain(value) for value in one] if isinstance(one, list) else one


def parts_of(one: Object) -> list[str]:
    """Its containers' and volumes' parts, in no order."""
    spec = pod_spec(one)
    each = [
        (name, key, item)
        for name, at in containers(one).items()
        for key in ("env", "volumeMounts")
        for item in at.get(key, ())
    ]
    return sorted(json.dumps(item, sort_keys=True) for item in (*each, *spec["volumes"]))


@pytest.mark.parametrize("same_uid", [False, True])
def test_what_components_add_the_chart_adds(tools: Tools, tmp_path: Path, same_uid: bool) -> None:
    values = {"events": {"enabled": True}, "gpu": {"enabled": True}, "tokenSecret": "nodewright-token"}
    values |= {"metrics": {"podMonitor": True}}
    if same_uid:
        chart = tools.chart(**values, mode="sidecar", rights="same-uid", server=SERVER)
        one = workload(tools, tmp_path, "same-uid", *(f"components/{part}" for part in ("gpu", "events", "metrics")))
        drawn = of_kind(chart, "Deployment")
        agents = (containers(drawn)["nodewright"], containers(one)["nodewright"])
        assert agents[0]["securityContext"] == agents[1]["securityContext"]
    else:
        chart = tools.chart(**values, kubelet={"enabled": True})
        objects = tools.overlay(tmp_path, [DAEMONSET], [f"components/{part}" for part in NODE_PARTS])
        one, drawn = of_kind(objects, "DaemonSet"), of_kind(chart, "DaemonSet")
        for kind in ("Role", "PodMonitor", "NetworkPolicy"):
            assert (
                plain(of_kind(chart, kind))["spec" if kind != "Role" else "rules"]
                == of_kind(objects, kind)["spec" if kind != "Role" else "rules"]
            )
        toml = of_kind(chart, "ConfigMap")["data"]["nodewright.toml"].strip()
        assert toml == of_kind(objects, "ConfigMap")["data"]["nodewright.toml"].strip()
    assert parts_of(drawn) == parts_of(one)
    assert pod_spec(drawn)["runtimeClassName"] == pod_spec(one)["runtimeClassName"] == "nvidia"


def test_every_chart_holds_before_the_schemas(tools: Tools) -> None:
    for events, gpu, secret in product((False, True), repeat=3):
        values = {
            "events": {"enabled": events}, "gpu": {"enabled": gpu}, "tokenSecret": "t" if secret else "",
            "config": '[agent]\nlog_level = "debug"' if gpu else "", "podAnnotations": {"a": "b"} if events else {},
            "networkPolicy": {"egress": [{"ports": [{"port": 4040}]}]} if secret else {},
            "priorityClassName": "p" if gpu else "", "affinity": {"nodeAffinity": {}} if secret else {},
            "imagePullSecrets": [{"name": "x"}] if gpu else [], "extraEnv": [{"name": "A", "value": "b"}],
            "pyroscope": {"url": "http://p:4040", "tenant": "t"} if gpu else {},
        }  # fmt: skip
        assert tools.problems(tools.chart(**values)) == []
        for rights in ("ptrace", "same-uid"):
            assert tools.problems(tools.chart(**values, mode="sidecar", rights=rights, server=SERVER)) == []
    assert tools.ask("lint", str(CHART)) == ["icon is recommended"]


@pytest.mark.parametrize(
    ("values", "part"),
    [
        ({"mode": "sidecar"}, "server"),
        ({"mode": "deployment"}, "mode"),
        ({"rights": "same-uid"}, "rights"),
        ({"evnts": {"enabled": True}}, "evnts"),
        ({"state": {"sizeCap": "512"}}, "sizeCap"),
        ({"metrics": {"podMonitor": True}}, "needs tokenSecret"),
        ({"runAsUser": 0}, "runAsUser"),
    ],
)
def test_values_that_cannot_work_are_refused_by_name(tools: Tools, values: dict[str, Any], part: str) -> None:
    with pytest.raises(QuestionError, match=part):
        tools.chart(**values)


def test_notes_name_what_is_to_be_done(tools: Tools) -> None:
    notes = tools.ask("chart", str(CHART), {}, "watch", "tools")["notes"]
    assert "kubectl label namespace tools pod-security.kubernetes.io/enforce=privileged" in notes
    assert "exec daemonset/watch --container nodewright" in notes
    assert (
        "exec deployment/watch"
        in tools.ask("chart", str(CHART), {"mode": "sidecar", "server": SERVER}, "watch", "x")["notes"]
    )


def test_seldons_server_config_gets_the_agent_under_the_servers_user(tools: Tools, tmp_path: Path) -> None:
    (tmp_path / "serverconfig.yaml").write_text(SELDON)
    one = of_kind(tools.overlay(tmp_path, [tmp_path / "serverconfig.yaml"], ["seldon"]), "ServerConfig")
    spec = pod_spec(one)
    assert [each["name"] for each in spec["containers"]] == ["agent", "mlserver", "nodewright"]
    assert spec["shareProcessNamespace"] is True
    beside = containers(workload(tools, tmp_path, "same-uid"))["nodewright"]
    assert {**spec["containers"][-1], "restartPolicy": "Always"} == beside | {
        "ports": [{"name": "nodewright", "containerPort": 9753, "protocol": "TCP"}]
    }
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "any"}, "spec": spec}
    assert tools.problems([pod]) == []


def test_an_event_of_a_finding_holds_before_the_schema(tools: Tools) -> None:
    environment = {"POD_NAME": "model-server-0", "POD_UID": "6a1e", "NODE_NAME": "n1"}
    for finding in example_findings():
        for kind in ("finding.opened", "finding.raised"):
            message = Message(event=kind, node="n1", finding=replace(finding, title="é" * 2000))  # type: ignore[arg-type]
            event = event_of(message, environment, "models")
            assert tools.problems([msgspec.to_builtins(event), event | again(2)]) == []
            assert tools.problems([event | {"series": {"count": 2}}]) != []


def test_every_value_is_explained_in_the_docs(tools: Tools) -> None:
    def leaves(value: Any, path: str) -> Iterator[str]:
        if isinstance(value, dict) and value and set(value) != {"cpu", "memory"} and path != "nodeSelector":
            for key, each in value.items():
                yield from leaves(each, f"{path}.{key}".lstrip("."))
        else:
            yield path

    [values] = tools.ask("yaml", (CHART / "values.yaml").read_text())
    rows = list(values_rows((CHART / "values.yaml").read_text()))
    assert [key for key, _, _ in rows] == list(leaves(values, ""))
    assert [key for key, _, text in rows if not text] == []


def test_versions_and_sizes_agree(tools: Tools, node: list[Object], beside: list[Object]) -> None:
    [chart] = tools.ask("yaml", (CHART / "Chart.yaml").read_text())
    assert chart["version"] == chart["appVersion"] == nodewright.__version__
    for one in (of_kind(node, "DaemonSet"), of_kind(beside, "Deployment")):
        for name in ("nodewright", "nodewright-sidecar"):
            assert containers(one)[name]["image"] == f"nodewright:{nodewright.__version__}"
    assert f"nodewright:{nodewright.__version__}" in (KUSTOMIZE / "seldon" / "patch.yaml").read_text()
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert "STATE_DIRECTORY=/var/lib/nodewright" in dockerfile
    assert re.search(r"^USER 65532:65532$", dockerfile, re.MULTILINE)
