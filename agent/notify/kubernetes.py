"""How does a finding become an Event of Kubernetes?

Of `events.k8s.io/v1`, about our own pod: beside a model server that is the server's, so that `kubectl describe pod` shows it.
One Event stands for one finding as long as the API server keeps it (an hour by default); one that comes back raises its
`series.count`. The API server is reached as pods do: its address from KUBERNETES_SERVICE_HOST, token and authority from the
service account's files, read at each attempt as the kubelet renews them. It wants `create` and `patch` on `events` of its
namespace.

Tested before a stand-in that checks what it is sent as the API server does and against the published schema, not in a cluster.
"""

import datetime
import http.client
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from advisor.finding import Severity
from agent.http.encoded import encode
from agent.notify.message import Message
from agent.notify.sender import Refused
from agent.notify.targets import read_line
from agent.tls import trusting

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
CONTROLLER = "nodewright"
MOST_NOTE_BYTES = 1024
MOST_INSTANCE_CHARACTERS = 128
MOST_KNOWN = 1000
_ANSWER_BYTES = 16384
_MERGE = "application/merge-patch+json"


class KubernetesEvents:
    """One thread uses it. `environment` None = that of this process."""

    def __init__(self, environment: Mapping[str, str] | None = None, account: Path = ACCOUNT) -> None:
        self._environment = os.environ if environment is None else environment
        self._account = account
        self._told: dict[str, tuple[str, int]] = {}
        """Of a finding: its Event's name, and how often it was seen."""

    def send(self, message: Message, timeout_seconds: float) -> int:
        finding = message.finding.id
        if (told := self._told.get(finding)) is not None:
            name, count = told
            status = self._ask("PATCH", name, again(count + 1), timeout_seconds)
            if 200 <= status < 300:
                self._told[finding] = (name, count + 1)
            if status != 404:  # the Event's time is over: a new one is made
                return status
        event = event_of(message, self._environment, self._namespace())
        name = event["metadata"]["name"]
        status = self._ask("POST", None, event, timeout_seconds)
        if status == 409:  # an earlier attempt made it, and its answer was lost
            status = 200
        if 200 <= status < 300:
            self._told[finding] = (name, 1)
            while len(self._told) > MOST_KNOWN:
                self._told.pop(next(iter(self._told)))
        return status

    def _namespace(self) -> str:
        return self._environment.get("POD_NAMESPACE") or read_line(self._account / "namespace").decode()

    def _ask(self, method: str, name: str | None, body: object, timeout_seconds: float) -> int:
        host = self._environment.get("KUBERNETES_SERVICE_HOST")
        if not host:
            raise ValueError("KUBERNETES_SERVICE_HOST is not set: this is no pod")
        port = int(self._environment.get("KUBERNETES_SERVICE_PORT_HTTPS") or 443)
        path = f"/apis/events.k8s.io/v1/namespaces/{quote(self._namespace(), safe='')}/events"
        headers = {
            "Authorization": f"Bearer {read_line(self._account / 'token').decode()}",
            "Content-Type": "application/json" if method == "POST" else _MERGE,
            "Accept": "application/json",
            "User-Agent": "nodewright",
        }
        context = trusting(self._account / "ca.crt")
        connection = http.client.HTTPSConnection(host, port, timeout=timeout_seconds, context=context)
        try:
            connection.request(method, f"{path}/{name}" if name else path, encode(body), headers)
            answer = connection.getresponse()
            return _checked(answer.status, answer.read(_ANSWER_BYTES))
        finally:
            connection.close()


def event_of(message: Message, environment: Mapping[str, str], namespace: str) -> dict[str, Any]:
    """The Event of a finding that is new. Raises ValueError where the pod's name is not known."""
    pod = environment.get("POD_NAME")
    if not pod:
        raise ValueError("POD_NAME is not set: let the downward API give it")
    finding = message.finding
    regarding = {
        "apiVersion": "v1",
        "kind": "Pod",
        "name": pod,
        "namespace": namespace,
        "uid": environment.get("POD_UID"),
    }
    node = environment.get("NODE_NAME")
    event: dict[str, Any] = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": f"nodewright.{finding.id}.{message.delivery[:10]}", "namespace": namespace},
        "eventTime": _now(),
        "type": "Warning" if finding.severity.level >= Severity.MEDIUM.level else "Normal",
        "reason": "".join(part.capitalize() for part in re.split(r"[^0-9A-Za-z]+", finding.rule))[:128],
        "action": "FindingOpened" if message.event == "finding.opened" else "FindingRaised",
        "note": _note(message),
        "regarding": {key: value for key, value in regarding.items() if value},
        "reportingController": CONTROLLER,
        "reportingInstance": pod[:MOST_INSTANCE_CHARACTERS],
    }
    return event | ({"related": {"apiVersion": "v1", "kind": "Node", "name": node}} if node else {})


def again(count: int) -> dict[str, Any]:
    """What is changed of an Event that is seen for the `count`th time."""
    return {"series": {"count": count, "lastObservedTime": _now()}}


def _note(message: Message) -> str:
    finding = message.finding
    text = f"[{finding.severity}] {finding.subject.name}: {finding.title}. {finding.summary}"
    return text.encode("utf-8", "replace")[:MOST_NOTE_BYTES].decode("utf-8", "ignore")


def _now() -> str:
    """MicroTime: always six digits."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _checked(status: int, body: bytes) -> int:
    """The status. Raises Refused with what the API server says of it; ValueError for a token that has just run out."""
    if status == 401:
        raise ValueError("the service account's token was refused")
    if status not in (400, 403, 422):
        return status
    try:
        told = json.loads(body).get("message", "")
    except (ValueError, AttributeError):
        told = ""
    raise Refused(f"it answered {status}" + (f": {str(told)[:200]}" if told else ""))
