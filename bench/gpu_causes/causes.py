"""Which faults of services on a GPU are made, what should be said of each, and what mends it?"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Setup:
    """How a service is run. `model`: more settings of MLServer's model; None = gunicorn."""

    kind: str
    workers: int = 1
    model: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Cause:
    """`rule`: that should be named first; None = nothing that mends it is to be said. `mended`: the setup after the change;
    `by`: levers whose proposed value takes its place there."""

    bad: Setup
    rule: str | None
    mended: Setup | None = None
    by: Mapping[str, str] = field(default_factory=dict)
    clients: int = 4


WORKERS = {"workers": "workers"}
BATCHES = {"max_batch_size": "max_batch_size", "max_batch_delay": "max_batch_time"}
CAUSES: Mapping[str, Cause] = {
    "launches": Cause(Setup("launch"), "gpu-launch-bound", Setup("graph")),
    "preprocessing": Cause(Setup("pictures", 2), "gpu-starved-by-preprocess", Setup("pictures", 16), WORKERS, 16),
    "waiting": Cause(Setup("waiting"), "gpu-wait-workers", Setup("waiting", 2), WORKERS),
    "copies": Cause(Setup("copies"), "pcie-bound", Setup("pinned")),
    "small batches": Cause(
        Setup("net", 1, {}), "gpu-small-batches", Setup("net", 1, {"max_batch_size": 16, "max_batch_time": 0.002}),
        BATCHES, 16,
    ),
    "one worker": Cause(Setup("net", 1, {}), "workers-below-cores-saturated", Setup("net", 5, {}), WORKERS, 16),
    "contexts": Cause(Setup("light", 8), "gpu-context-multiplied", Setup("light", 2), WORKERS, 2),
    "full device": Cause(Setup("full", 2), None, clients=8),
    "full memory": Cause(Setup("hoard"), "vram-near-full", clients=1),
}  # fmt: skip


def body_of(setup: Setup) -> str:
    rows = {"inputs": [{"name": "x", "shape": [1, 8], "datatype": "FP64", "data": [0.1] * 8}]}
    return "" if setup.model is None else json.dumps(rows)


def path_of(setup: Setup) -> str:
    return "/predict" if setup.model is None else "/v2/models/net/infer"
