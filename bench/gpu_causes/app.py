"""A service with a chosen fault on a GPU, behind gunicorn: `KIND=launch gunicorn app:app`. Needs torch, numpy and Pillow, and
nothing of nodewright.

Each worker loads its model at the first request. `/health` answers without it.
"""

import io
import itertools
import os
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from torch import nn

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
KIND = os.environ.get("KIND", "launch")
FOLDER = Path(os.environ.get("FOLDER", "."))
HOST_SECONDS, GPU_SECONDS = 0.004, 0.007
SIDE = 2048
"""Of the square matrices that keep the device busy."""
COPIED_FLOATS = 1 << 24
PICTURE = (1600, 1200)
Call = Callable[[], object]


def _tiny_kernels() -> nn.Module:
    layers = [part for _ in range(150) for part in (nn.Linear(64, 64), nn.ReLU())]
    return nn.Sequential(*layers).to(DEVICE).eval()


def _launch() -> Call:
    """Three hundred kernels of microseconds, one by one."""
    net, given = _tiny_kernels(), torch.rand(1, 64)
    return lambda: net(given.to(DEVICE)).cpu()


def _graph() -> Call:
    """The same, launched at once; without a device one by one."""
    if DEVICE == "cpu":
        return _launch()
    net, fixed = _tiny_kernels(), torch.rand(1, 64, device=DEVICE)
    net(fixed)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        answer = net(fixed)
    given = torch.rand(1, 64)

    def predict() -> object:
        fixed.copy_(given)
        graph.replay()
        return answer.cpu()

    return predict


def _pictures() -> Call:
    """A JPEG is decoded and scaled down by the CPU; the network is small."""
    from PIL import Image

    drawn = np.random.default_rng(0).integers(0, 255, (PICTURE[1] // 8, PICTURE[0] // 8, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(drawn).resize(PICTURE).save(file, "JPEG", quality=90)
    widths = (3, 64, 128, 256)
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(widths):
        layers += [nn.Conv2d(before, after, 3, 2, 1), nn.ReLU()]
    net = nn.Sequential(*layers).to(DEVICE).eval()

    def predict() -> object:
        picture = Image.open(io.BytesIO(file.getvalue())).convert("RGB").resize((224, 224))
        given = np.asarray(picture, dtype=np.float32).transpose(2, 0, 1)[None] / 255
        return net(torch.from_numpy(given).to(DEVICE)).mean((2, 3)).cpu()

    return predict


def _products(seconds: float) -> Call:
    """As many products as the device did in that time when it was asked first, for all servers that are compared."""
    left = torch.rand(SIDE, SIDE, device=DEVICE, dtype=torch.float16 if DEVICE == "cuda" else torch.float32)
    kept = FOLDER.parent / f"{KIND}.count"
    if not kept.exists():
        kept.write_text(str(_in_time(left, seconds)))
    count = int(kept.read_text())

    def compute() -> object:
        out = left
        for _ in range(count):
            out = left @ left
        return out[0, 0].cpu()

    return compute


def _in_time(left: torch.Tensor, seconds: float) -> int:
    for _ in range(3):
        left @ left
    _wait()
    began = time.perf_counter()
    for _ in range(20):
        left @ left
    _wait()
    return max(1, int(seconds / ((time.perf_counter() - began) / 20)))


def _waiting() -> Call:
    """The host works, then waits for the device, and the other way round: one of them idles always."""
    compute, rows = _products(GPU_SECONDS), np.random.default_rng(0).random((200, 200))

    def predict() -> object:
        until = time.thread_time() + HOST_SECONDS
        while time.thread_time() < until:
            np.linalg.norm(np.sin(rows) @ rows)
        return compute()

    return predict


def _full() -> Call:
    """The device has work all of the time."""
    return _products(0.02)


def _light() -> Call:
    """Next to nothing to do, with a model of 256 MiB, whose file stays mapped."""
    path = FOLDER / "model.npy"
    if not path.exists():
        beside = path.with_name(f"{os.getpid()}.npy")
        np.save(beside, np.ones((1 << 13, 1 << 13), dtype=np.float32))
        beside.replace(path)
    stored = np.load(path, mmap_mode="r")
    kept = torch.from_numpy(np.array(stored)).to(DEVICE)
    return lambda: (kept[0].sum().cpu(), stored[0, 0])


def _copies() -> Call:
    """64 MiB go over from ordinary memory for each request."""
    given = torch.rand(COPIED_FLOATS)
    return lambda: given.to(DEVICE).sum().cpu()


def _pinned() -> Call:
    """The same from page-locked memory."""
    given = torch.rand(COPIED_FLOATS)
    given = given.pin_memory() if DEVICE == "cuda" else given
    return lambda: given.to(DEVICE, non_blocking=True).sum().cpu()


def _resident() -> Call:
    """It stays on the device."""
    given = torch.rand(COPIED_FLOATS, device=DEVICE)
    return lambda: given.sum().cpu()


def _hoard() -> Call:
    """Nineteen parts in twenty of the device's memory are taken."""
    free, total = torch.cuda.mem_get_info() if DEVICE == "cuda" else (1 << 20, 1 << 20)
    kept = torch.empty(int(max(0.0, free - 0.05 * total)) // 4, device=DEVICE)
    return lambda: kept[:1024].sum().cpu()


def _wait() -> None:
    if DEVICE == "cuda":
        torch.cuda.synchronize()


KINDS: dict[str, Callable[[], Call]] = {
    "launch": _launch, "graph": _graph, "pictures": _pictures, "waiting": _waiting, "full": _full, "light": _light,
    "copies": _copies, "pinned": _pinned, "resident": _resident, "hoard": _hoard,
}  # fmt: skip
_lock = threading.Lock()
_made: list[Call] = []


def app(environ: dict[str, object], start_response: Callable[..., object]) -> Iterable[bytes]:
    """WSGI."""
    if environ["PATH_INFO"] != "/health":
        with torch.inference_mode():
            with _lock:
                if not _made:
                    torch.set_num_threads(1)
                    _made.append(KINDS[KIND]())
            _made[0]()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "3")])
    return [b"ok\n"]
