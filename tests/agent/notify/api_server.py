"""What the API server of Kubernetes does with Events, written after its source (pkg/apis/core/validation/events.go) and the
published schema of events.k8s.io/v1. A stand-in with TLS on loopback, not the server."""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.agent.tls_server import certificate, speak_tls

FIELDS = {
    "apiVersion", "kind", "metadata", "eventTime", "type", "reason", "action", "note", "regarding", "related",
    "reportingController", "reportingInstance", "series",
}  # fmt: skip
REFERENCE = {"apiVersion", "kind", "name", "namespace", "uid"}
MICRO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


class ApiServer:
    """Keeps Events by name. `token` is what it takes; `answers` come first, before it looks at anything."""

    def __init__(self, folder: Path, namespace: str = "models") -> None:
        self.namespace = namespace
        self.token = "first-token"
        self.answers: list[int] = []
        self.events: dict[str, dict[str, Any]] = {}
        self.asked: list[tuple[str, str, int]] = []
        self.changed = threading.Condition()
        made, key = certificate(folder)
        self.account = folder
        (folder / "namespace").write_text(namespace)
        (folder / "token").write_text(self.token)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self._answer("POST")

            def do_PATCH(self) -> None:
                self._answer("PATCH")

            def _answer(self, method: str) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with outer.changed:
                    status, problem = outer.take(method, self.path, dict(self.headers), body)
                    outer.asked.append((method, self.path, status))
                    outer.changed.notify_all()
                answer = json.dumps({"kind": "Status", "message": problem}).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        speak_tls(self.server, made, key)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    @property
    def environment(self) -> dict[str, str]:
        """A pod's."""
        return {
            "KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT_HTTPS": str(self.server.server_port),
            "POD_NAME": "model-server-7d9f8b6c5-x2x7q", "POD_NAMESPACE": self.namespace, "POD_UID": "6a1e", "NODE_NAME": "n1",
        }  # fmt: skip

    def take(self, method: str, path: str, headers: dict[str, str], body: Any) -> tuple[int, str]:
        if headers["Authorization"] != f"Bearer {self.token}":
            return 401, "Unauthorized"
        if self.answers:
            status = self.answers.pop(0)
            if status != 201:
                return status, "so it was wanted"
            self.events[body["metadata"]["name"]] = body  # and the answer is lost
            return 500, "lost"
        base, _, name = path.partition("/events/") if method == "PATCH" else (path.removesuffix("/events"), "", "")
        assert base == f"/apis/events.k8s.io/v1/namespaces/{self.namespace}"
        if method == "POST":
            assert headers["Content-Type"] == "application/json"
            if body["metadata"]["name"] in self.events:
                return 409, "already exists"
            if problem := invalid(body, self.namespace):
                return 422, problem
            self.events[body["metadata"]["name"]] = body
            return 201, ""
        assert headers["Content-Type"] == "application/merge-patch+json"
        if name not in self.events:
            return 404, "not found"
        assert set(body) == {"series"}, "nothing else may change"
        if problem := invalid_series(body["series"]):
            return 422, problem
        self.events[name] |= body
        return 200, ""

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def invalid(event: dict[str, Any], namespace: str) -> str:
    """What is wrong with a new Event; empty if nothing."""
    if unknown := set(event) - FIELDS | set(event["regarding"]) - REFERENCE | set(event.get("related", {})) - REFERENCE:
        return f"unknown fields {unknown}"
    if (event["apiVersion"], event["kind"]) != ("events.k8s.io/v1", "Event"):
        return "another kind"
    metadata = event["metadata"]
    if not SUBDOMAIN.fullmatch(metadata["name"]) or len(metadata["name"]) > 253 or metadata["namespace"] != namespace:
        return f"metadata {metadata}"
    if event["regarding"].get("namespace") != namespace:
        return "regarding.namespace does not match"
    if not MICRO_TIME.fullmatch(event["eventTime"]) or event["type"] not in ("Normal", "Warning"):
        return "eventTime or type"
    for key, most in (("reportingInstance", 128), ("action", 128), ("reason", 128), ("reportingController", 63)):
        if not 0 < len(event[key]) <= most:
            return f"{key} is empty or too long"
    if len(event["note"].encode()) > 1024:
        return "note can have at most 1024 bytes"
    return ""


def invalid_series(series: dict[str, Any]) -> str:
    good = set(series) == {"count", "lastObservedTime"} and series["count"] >= 2
    return "" if good and MICRO_TIME.fullmatch(series["lastObservedTime"]) else f"series {series}"
