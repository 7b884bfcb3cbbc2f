"""Devices, CPUs and memory of containers by the kubelet's socket: decoding, what is missing, and a real gRPC server."""

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.containers import pod_resources
from collectors.containers.pod_resources import SOCKET, PodDevices, PodResources, decode_pods, pod_resources_status
from collectors.reading import Failed, Ok, Unsupported
from tests.hosttree import HostTree


def varint(value: int) -> bytes:
    out = b""
    while value >= 0x80:
        out, value = out + bytes((value & 0x7F | 0x80,)), value >> 7
    return out + bytes((value,))


def field(number: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def device(resource: str, *ids: str, node: int = 0) -> bytes:
    topology = field(3, field(1, field(1, node)))
    return field(2, field(1, resource) + b"".join(field(2, each) for each in ids) + topology)


def pod(namespace: str, name: str, *containers: bytes) -> bytes:
    return field(1, field(1, name) + field(2, namespace) + b"".join(field(3, each) for each in containers))


CLAIM = field(5, field(2, "gpu-claim") + field(3, "shop") + field(4, field(1, field(1, "nvidia.com/gpu=0"))
    + field(2, "gpu.nvidia.com") + field(3, "node1") + field(4, "gpu-0")))  # fmt: skip
SERVER = (
    field(1, "server") + device("nvidia.com/gpu", "GPU-1", node=0) + device("nvidia.com/gpu", "GPU-2", node=1)
    + field(3, b"".join(varint(cpu) for cpu in (2, 3, 130))) + field(4, field(1, "memory") + field(2, 3 << 30))
    + field(4, field(1, "memory") + field(2, 1 << 30)) + field(4, field(1, "hugepages-2Mi") + field(2, 4 << 20))
)  # fmt: skip
ANSWER = pod("shop", "web-0", SERVER, field(1, "proxy")) + pod("lab", "llm", field(1, "vllm") + CLAIM)
EXPECTED = (
    PodDevices(
        namespace="shop", pod="web-0", container="server", resource="nvidia.com/gpu", device_ids=("GPU-1", "GPU-2")
    ),
    PodDevices(namespace="shop", pod="web-0", container="server", resource="cpu", device_ids=("2", "3", "130")),
    PodDevices(namespace="shop", pod="web-0", container="server", resource="memory", size_bytes=4_294_967_296),
    PodDevices(namespace="shop", pod="web-0", container="server", resource="hugepages-2Mi", size_bytes=4_194_304),
    PodDevices(namespace="lab", pod="llm", container="vllm", resource="gpu.nvidia.com", device_ids=("gpu-0",)),
)


@pytest.fixture
def machine() -> Iterator[HostTree]:
    root = Path(tempfile.mkdtemp(dir="/tmp"))  # the path of a Unix socket is at most 107 bytes long
    (root / SOCKET[1:]).parent.mkdir(parents=True)
    yield HostTree(root)
    shutil.rmtree(root)


def listener(machine: HostTree) -> socket.socket:
    found = socket.socket(socket.AF_UNIX)
    found.bind(machine.host.root + SOCKET)
    found.listen()
    return found


def test_the_resources_of_each_container_are_decoded() -> None:
    assert decode_pods(ANSWER) == EXPECTED
    assert decode_pods(b"") == ()


@given(st.binary(max_size=80))
def test_any_bytes_are_decoded_or_refused(message: bytes) -> None:
    for data in (message, ANSWER[: len(message)] + message):
        try:
            assert all(isinstance(found, PodDevices) for found in decode_pods(data))
        except ValueError:
            pass


def test_without_a_socket_there_is_nothing_to_ask(machine: HostTree) -> None:
    status = pod_resources_status(machine.host)
    assert isinstance(status, Unsupported)
    assert status.reason == "no pod-resources socket of a kubelet"
    assert PodResources().read(machine.host) == status
    machine.file(SOCKET[1:], "no socket")
    assert pod_resources_status(machine.host) == status


def test_without_the_grpc_library_the_extra_is_named(machine: HostTree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pod_resources.importlib.util, "find_spec", lambda name: None)
    with listener(machine):
        status = pod_resources_status(machine.host)
    assert status == Unsupported("grpcio is not installed", "pip install 'nodewright[kubernetes]'")


def test_a_socket_of_another_user_is_no_right(machine: HostTree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pod_resources.os, "access", lambda path, mode: False)
    with listener(machine):
        status = pod_resources_status(machine.host)
    assert isinstance(status, Unsupported)
    assert status.reason == "pod-resources socket: Permission denied"


def test_a_kubelet_is_asked_at_most_once_a_minute(machine: HostTree, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(pod_resources, "pod_resources_status", lambda host: Ok(()))
    monkeypatch.setattr(pod_resources, "_ask", lambda path: asked.append(path) or EXPECTED)
    resources = PodResources()
    for _ in range(121):
        assert resources.read(machine.host) == EXPECTED
        machine.clock.advance(1)
    assert asked == [machine.host.root + SOCKET] * 3


def test_a_kubelet_that_does_not_answer_is_left(machine: HostTree, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("grpc")
    monkeypatch.setattr(pod_resources, "TIMEOUT_SECONDS", 0.5)
    with listener(machine):
        found = PodResources().read(machine.host)
    assert found == Failed("the kubelet did not answer within 0.5 s")


@pytest.mark.parametrize("answer", [ANSWER, b"", b"\xff"], ids=["full", "empty", "damaged"])
def test_a_real_server_is_asked_in_a_child(machine: HostTree, monkeypatch: pytest.MonkeyPatch, answer: bytes) -> None:
    grpc = pytest.importorskip("grpc")
    from concurrent.futures import ThreadPoolExecutor

    monkeypatch.setattr(pod_resources, "TIMEOUT_SECONDS", 60.0)
    requests: list[bytes] = []

    def reply(request: bytes, context: object) -> bytes:
        requests.append(request)
        return answer

    handler = grpc.unary_unary_rpc_method_handler(reply)
    server = grpc.server(ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("v1.PodResourcesLister", {"List": handler}),))
    server.add_insecure_port(f"unix:{machine.host.root}{SOCKET}")
    server.start()
    try:
        assert pod_resources_status(machine.host) == Ok(())
        found = PodResources().read(machine.host)
    finally:
        server.stop(None).wait()
    assert requests == [b""]
    if answer == b"\xff":
        assert found == Failed("pod-resources: the answer is not understood: no number at byte 0")
    else:
        assert found == (EXPECTED if answer else ())


def test_a_server_that_refuses_is_told(machine: HostTree, monkeypatch: pytest.MonkeyPatch) -> None:
    grpc = pytest.importorskip("grpc")
    from concurrent.futures import ThreadPoolExecutor

    monkeypatch.setattr(pod_resources, "TIMEOUT_SECONDS", 60.0)
    server = grpc.server(ThreadPoolExecutor(1))
    server.add_insecure_port(f"unix:{machine.host.root}{SOCKET}")
    server.start()
    try:
        found = PodResources().read(machine.host)
    finally:
        server.stop(None).wait()
    assert isinstance(found, Failed)
    assert found.error.startswith("pod-resources: UNIMPLEMENTED: ")


def test_the_library_is_not_loaded_by_the_module() -> None:
    import subprocess
    import sys

    code = "import sys, collectors.containers.pod_resources; sys.exit('grpc' in sys.modules)"
    home = Path(pod_resources.__file__).parents[1]
    assert subprocess.run([sys.executable, "-c", code], cwd=home, env=dict(os.environ), check=False).returncode == 0
