"""Built servers of language models for the rules about device memory: settings, model files and metrics pages are chosen."""

from collections.abc import Sequence
from typing import Any

import msgspec

from advisor.facts import ServiceFacts
from advisor.view import PageView, View
from collectors.entities import Model, Role
from collectors.levers import Lever, Setting, Value
from collectors.model_file import ModelFile
from collectors.model_geometry import Geometry
from tests.advisor.built import facts, thread, view, worker

LLAMA_8B = Geometry(
    layers=32, hidden_size=4096, heads=32, kv_heads=8, head_size=128, vocabulary=128256, context=131072
)  # fmt: skip
"""131072 bytes of KV cache a token at 16 bits."""
LLAMA_8B_PARAMETERS = 8_030_261_248
LLAMA_8B_BYTES = 16_060_522_496


def gguf(size: int, shape: Geometry | None = LLAMA_8B, parameters: int | None = LLAMA_8B_PARAMETERS) -> Model:
    file = ModelFile(path="/m/m.gguf", format="gguf", size_bytes=size, parameters=parameters, geometry=shape)
    return Model(name="m", path=file.path, format="gguf", files=(file,))


def safetensors(size: int = LLAMA_8B_BYTES, shape: Geometry | None = LLAMA_8B, dtype: str = "BF16") -> Model:
    parameters = size // (4 if dtype == "F32" else 2)
    config = ModelFile(path="/m/config.json", format="hf-config", size_bytes=654, geometry=shape)
    file = ModelFile(
        path="/m/model.safetensors",
        format="safetensors",
        size_bytes=size,
        parameters=parameters,
        dtypes={dtype: parameters},
    )
    return Model(name="m", path="/m", format="safetensors", files=(config, file))


def server(
    framework: str, pids: Sequence[int] = (101,), *, models: Sequence[Model] = (), used: float = 0.8, **said: Any
) -> View:
    """A front-end and workers that have CUDA mapped. `said`: fields of the view, as its metrics page gives them."""
    front = worker(100, [thread(100, 0.1)], role=Role.FRONT_END)
    seen = view([front, *(worker(pid, [thread(pid, used)]) for pid in pids)], libraries=("torch",), cores=4)
    service = msgspec.structs.replace(seen.service, framework=framework, models=tuple(models))
    return msgspec.structs.replace(seen, service=service, **said)


def known(seen: View, environ: dict[str, str] | None = None, **levers: Value) -> ServiceFacts:
    """Facts whose settings are these, by name of the lever; None: the server's own default."""
    settings = tuple(
        Setting(lever=Lever(name), value=value, origin="default (it decides)" if value is None else "argument")
        for name, value in levers.items()
    )
    return msgspec.structs.replace(facts(seen, environ=environ or {}), service=seen.service, settings=settings)


def pages(*preempted: float | None, kv: float | None = 0.97, seconds: float = 10.0) -> tuple[PageView, ...]:
    """Metrics pages, one each ten seconds, the newest last."""
    last = len(preempted) - 1
    return tuple(
        PageView(age_seconds=seconds * (last - number), seconds=seconds, preempted=count, kv_cache_ratio=kv)
        for number, count in enumerate(preempted)
    )


def answering(
    said: Sequence[PageView], per_second: float | None, tokens_in: float | None, tokens_out: float | None
) -> tuple[PageView, ...]:
    """The pages with so many requests answered and tokens read and made a second."""
    rates = {"answered": per_second, "tokens_in": tokens_in, "tokens_out": tokens_out}
    return tuple(
        msgspec.structs.replace(page, **{k: None if v is None else v * page.seconds for k, v in rates.items()})
        for page in said
    )
