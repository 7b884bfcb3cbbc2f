"""Runs one model in one form, as a worker of a server would: `program.py MODEL FORM BATCH THREADS FOLDER DEVICE`.

Says `ready` with its pid; of each line `SECONDS` on standard input it computes for so long and says how many
calls, how long and with how much CPU time. Runs in an environment with torch, ONNX Runtime and scikit-learn, without
nodewright.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from inputs import inputs_of

Call = Callable[[], object]


def main(model: str, form: str, batch: int, threads: int, folder: Path, device: str) -> None:
    make = _trees if model.startswith(("forest", "boosting")) else _network
    call = make(model, form, batch, threads, folder, device)
    for _ in range(3):
        call()
    print(json.dumps({"ready": os.getpid()}), flush=True)
    for line in sys.stdin:
        told = _gpu_memory(device) if line.strip() == "memory" else _run(call, float(line))
        print(json.dumps(told), flush=True)


def _run(call: Call, seconds: float) -> dict[str, float]:
    calls, began, cpu = 0, time.perf_counter(), time.process_time()
    while (spent := time.perf_counter() - began) < seconds:
        call()
        calls += 1
    return {"calls": calls, "seconds": spent, "cpu_seconds": time.process_time() - cpu}


def _gpu_memory(device: str) -> dict[str, float]:
    """Bytes that this process holds, its context included, as the driver tells them; nothing where it does not."""
    if device != "cuda":
        return {}
    import pynvml

    pynvml.nvmlInit()
    rows = pynvml.nvmlDeviceGetComputeRunningProcesses(pynvml.nvmlDeviceGetHandleByIndex(0))
    own = [row.usedGpuMemory for row in rows if row.pid == os.getpid() and row.usedGpuMemory]
    return {"gpu_bytes": float(own[0])} if own else {}


def _network(model: str, form: str, batch: int, threads: int, folder: Path, device: str) -> Call:
    path = folder / model / "model.onnx"
    if form in ("onnx", "onnx-int8"):
        return _onnx(
            path.with_name("model.int8.onnx") if form == "onnx-int8" else path, inputs_of(model, batch), threads
        )
    import nets
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(threads)
    net = nets.ALL[model]().eval()
    if form == "int8":
        net = torch.ao.quantization.quantize_dynamic(net, {torch.nn.Linear}, dtype=torch.qint8)
    wide = torch.float16 if device == "cuda" else None
    net = net.to(device, wide)
    host = torch.from_numpy(inputs_of(model, batch))

    @torch.inference_mode()
    def predict() -> object:
        given = host.to(device)
        return net(given.to(wide) if wide is not None and given.is_floating_point() else given).cpu()

    return predict


def _onnx(path: Path, given: np.ndarray, threads: int) -> Call:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda: session.run(None, {name: given})


def _trees(model: str, form: str, batch: int, threads: int, folder: Path, device: str) -> Call:
    given = inputs_of(model, batch)
    if form == "onnx":
        return _onnx(folder / model / "model.onnx", given, threads)
    import joblib

    net = joblib.load(folder / model / "model.joblib")
    if model.startswith("forest"):
        net.n_jobs = threads
    return lambda: net.predict(given)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), Path(sys.argv[5]), sys.argv[6])
