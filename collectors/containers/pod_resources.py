"""Which pod of this node has which devices, CPUs and memory of its own, by the kubelet's pod-resources socket?

The socket speaks gRPC, whose library takes tens of megabytes, so a child that lives for one question loads it:
`python -m collectors.containers.pod_resources SOCKET` prints the answer as JSON. The messages are those of
`v1.PodResourcesLister` (k8s.io/kubelet/pkg/apis/podresources/v1/api.proto).
"""

import importlib.util
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from collectors.containers.protobuf_wire import messages, numbers, text, texts
from collectors.host import Host
from collectors.reading import Failed, Ok, Unsupported

SOCKET = "/var/lib/kubelet/pod-resources/kubelet.sock"
ASK_EVERY_NS = 60_000_000_000
TIMEOUT_SECONDS = 5.0
ANSWER_LIMIT_BYTES = 16 << 20
_LIST = "/v1.PodResourcesLister/List"
_NO_GRPC = Unsupported("grpcio is not installed", "pip install 'nodewright[kubernetes]'")
_NO_SOCKET = Unsupported(
    "no pod-resources socket of a kubelet",
    "on a Kubernetes node, mount /var/lib/kubelet/pod-resources into the agent's pod",
)
_NO_RIGHT = Unsupported(
    "pod-resources socket: Permission denied", "run the agent as root: the kubelet's socket is root's"
)
_IN_CHILD = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); "
    "from collectors.containers.pod_resources import main; main(sys.argv[1:])"
)


class PodDevices(msgspec.Struct, frozen=True, kw_only=True):
    """What one container has to itself of one resource.

    `resource` is the device plugin's (`nvidia.com/gpu`, with the plugin's ids), the driver of a resource claim (with the
    names of its devices), `cpu` (ids are CPU numbers), or `memory` and `hugepages-…` (`size_bytes`).
    """

    namespace: str
    pod: str
    container: str
    resource: str
    device_ids: tuple[str, ...] = ()
    size_bytes: int | None = None


def pod_resources_status(host: Host) -> Ok | Unsupported:
    """Whether the socket can be asked, without asking: an `Ok` without samples."""
    path = host.root + SOCKET
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            return _NO_SOCKET
    except PermissionError:
        return _NO_RIGHT
    except OSError:
        return _NO_SOCKET
    if not os.access(path, os.R_OK | os.W_OK):
        return _NO_RIGHT
    return Ok(()) if importlib.util.find_spec("grpc") else _NO_GRPC


class PodResources:
    """Asks the kubelet, at most once a minute. One thread uses it; a question takes up to `TIMEOUT_SECONDS`."""

    def __init__(self) -> None:
        self._asked_ns: int | None = None
        self._answer: tuple[PodDevices, ...] | Unsupported | Failed = _NO_SOCKET

    def read(self, host: Host) -> tuple[PodDevices, ...] | Unsupported | Failed:
        """What the containers of the node have; empty if none has anything of its own."""
        now_ns = host.clock.now().mono_ns
        if self._asked_ns is None or now_ns - self._asked_ns >= ASK_EVERY_NS:
            self._asked_ns = now_ns
            status = pod_resources_status(host)
            self._answer = status if isinstance(status, Unsupported) else _ask(host.root + SOCKET)
        return self._answer


def _ask(path: str) -> tuple[PodDevices, ...] | Failed:
    home = str(Path(__file__).resolve().parents[2])
    command = [sys.executable, "-I", "-c", _IN_CHILD, home, path]
    environment = {**os.environ, "GRPC_VERBOSITY": "NONE"}
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
            env=environment,
        )
        if done.returncode == 0:
            return msgspec.json.decode(done.stdout, type=tuple[PodDevices, ...])
    except subprocess.TimeoutExpired:
        return Failed(f"the kubelet did not answer within {TIMEOUT_SECONDS:g} s")
    except (OSError, msgspec.DecodeError) as error:
        return Failed(f"pod-resources: {error}")
    lines = done.stderr.decode("utf-8", "backslashreplace").splitlines()
    return Failed(f"pod-resources: {lines[-1][:200] if lines else f'exit status {done.returncode}'}")


def decode_pods(message: bytes) -> tuple[PodDevices, ...]:
    """The resources in a ListPodResourcesResponse. Raises ValueError for what is none."""
    return tuple(
        found
        for pod in messages(message, 1)
        for container in messages(pod, 3)
        for found in _of_container(text(pod, 2), text(pod, 1), container)
    )


def _of_container(namespace: str, pod: str, container: bytes) -> Iterator[PodDevices]:
    name = text(container, 1)
    ids: dict[str, list[str]] = {}
    for device in messages(container, 2):
        ids.setdefault(text(device, 1), []).extend(texts(device, 2))
    for claim in messages(container, 5):
        for device in messages(claim, 4):
            driver, one = text(device, 2), text(device, 4)
            if driver and one:
                ids.setdefault(driver, []).append(one)
    if cpus := numbers(container, 3):
        ids["cpu"] = [str(cpu) for cpu in cpus]
    for resource, found in ids.items():
        yield PodDevices(namespace=namespace, pod=pod, container=name, resource=resource, device_ids=tuple(found))
    sizes: dict[str, int] = {}
    for memory in messages(container, 4):
        sizes[text(memory, 1)] = sizes.get(text(memory, 1), 0) + sum(numbers(memory, 2))
    for resource, size in sizes.items():
        yield PodDevices(namespace=namespace, pod=pod, container=name, resource=resource, size_bytes=size)


def main(arguments: list[str]) -> None:
    """In the child: ask the socket and print the answer. Ends with 1 and one line on stderr if that fails."""
    import grpc

    options = (("grpc.max_receive_message_length", ANSWER_LIMIT_BYTES), ("grpc.enable_http_proxy", 0))
    try:
        with grpc.insecure_channel(f"unix:{arguments[0]}", options=options) as channel:
            answer: bytes = channel.unary_unary(_LIST)(b"", timeout=TIMEOUT_SECONDS - 1)
        sys.stdout.buffer.write(msgspec.json.encode(decode_pods(answer)))
    except grpc.RpcError as error:
        sys.exit(f"{error.code().name}: {' '.join((error.details() or '').split())}")
    except ValueError as error:
        sys.exit(f"the answer is not understood: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
