"""Built services that leave a device idle: an image classifier, an encoder of texts, one that generates."""

from collections.abc import Sequence

from msgspec.structs import replace

from advisor.facts import ServiceFacts
from advisor.gpu.view import GpuView
from advisor.migration.money import DevicePrice
from advisor.migration.vision_nets import NETS
from advisor.view import View
from collectors.cpu_features import CpuFeatures
from collectors.entities import Model
from collectors.model_file import ModelFile
from collectors.model_geometry import Geometry
from tests.advisor.built import facts, thread, view, worker
from tests.advisor.gpus_built import GIB, gpu, hidden, on_gpus, process
from tests.advisor.migration.migrating import AVX512, BERT, NODE
from tests.advisor.trends_built import Known, past, steady

CORES = 16
LOAD = 4.0
"""Requests a second in its busiest minute."""
T4 = "Tesla T4"
VIT = Geometry(layers=12, hidden_size=768, heads=12, feed_forward=3072, family="vit", image_size=224, patch_size=16,
               channels=3, classes=1000)  # fmt: skip


def resnet() -> Model:
    parameters = NETS["ResNet-50"]().parameters
    file = ModelFile(path="/m/model.onnx", format="onnx", size_bytes=4 * parameters, parameters=parameters,
                     dtypes={"FLOAT": parameters})  # fmt: skip
    return Model(name="resnet", files=(file,))


def transformer(shape: Geometry = BERT, architecture: str | None = "BertModel") -> Model:
    file = ModelFile(path="/m/model.safetensors", format="safetensors", size_bytes=438_000_000, parameters=109_482_240,
                     dtypes={"F32": 109_482_240}, architecture=architecture, geometry=shape)  # fmt: skip
    return Model(name="bert", files=(file,))


def card(hours: float = 168.0, busy: float | None = 0.03, week: float | None = 0.03, **known: object) -> GpuView:
    fields = {
        "name": T4, "processes": [process(101, GIB)], "memory_total_bytes": 16 * GIB, "memory_reserved_bytes": 0,
        "hours": min(24.0, hours), "day_busy_p95": busy, "day_memory_p95": 0.1, "day_busiest_ratio": 0.06,
        "day_busy_mean": 0.002,
        "week_hours": hours, "week_busy_p95": week, "week_busiest_ratio": 0.06,
    }  # fmt: skip
    return gpu(**(fields | known))  # type: ignore[arg-type]


def idle(
    *devices: GpuView, model: Model | None = None, most: float = LOAD, others: float = 1.0, days: int = 7,
    latency: float | None = 0.02, available: int = 64 << 30, **seen: object,
) -> View:  # fmt: skip
    """One worker that is asked now and then, and `most` times a second in its busiest minute of the last day."""
    one = worker(101, [thread(101, 0.05, 0.0, allowed=range(CORES))])
    built = view([one], cores=CORES, others=others, available=available)
    usual = steady(0.05, workers=1, per_second=most / 8, latency=latency, others=others, pool=float(CORES))
    busiest = {**usual, "requests_per_second": most, "cores_used": 0.4}
    minutes: Sequence[Known] = [*[usual] * 700, busiest, *[usual] * 739]
    remembered = past(built, [usual] * 24, minutes, [usual] * (24 * days))
    models = (resnet() if model is None else model,)
    named = replace(remembered, service=replace(remembered.service, models=models), **seen)
    return on_gpus(named, *(devices or (card(),)))


def priced(seen: View, slo: float | None = 0.2, with_device: float | None = 1.6, **known: object) -> ServiceFacts:
    """The objective, and prices of a node without (0.80) and with the device."""
    prices = {"T4": DevicePrice(currency="EUR", hourly=with_device)} if with_device is not None else {}
    bare = replace(facts(seen, environ={}), cpu=AVX512)
    told = replace(bare, slo_p99_seconds=slo, price=NODE, device_prices=prices)
    return replace(told, **known)


def unpriced(seen: View) -> ServiceFacts:
    return replace(facts(seen, environ={}), cpu=AVX512)


def other_cpu(seen: View) -> ServiceFacts:
    return replace(priced(seen), cpu=CpuFeatures())


def shared_card() -> GpuView:
    return card(processes=[process(101, GIB), hidden(7, GIB)])
