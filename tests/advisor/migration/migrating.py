"""Built hosts whose work could move: a saturated encoder, a forest, a tiny net, an idle service."""

from msgspec.structs import replace

from advisor.facts import ServiceFacts
from advisor.migration.cpu import host_cpu
from advisor.migration.devices import named
from advisor.migration.estimate import Market
from advisor.migration.money import DevicePrice
from advisor.prices import NodePrice
from advisor.view import View
from collectors.cpu_features import CpuFeatures
from collectors.entities import Model
from collectors.model_file import ModelFile
from collectors.model_geometry import Geometry
from tests.advisor.built import thread, view, worker
from tests.advisor.migration.published import BY_ID, shape
from tests.advisor.profiles_built import profiled, worker_profile

AVX512 = CpuFeatures(flags=("avx", "avx2", "avx512_vnni", "avx512f", "fma"))
BERT = Geometry(layers=12, hidden_size=768, heads=12, vocabulary=30522, context=512, family="bert", feed_forward=3072,
                token_types=2)  # fmt: skip
CORES = 16


def encoder(busy: float = 1.0, cpu_seconds: float = 0.2, workers: int = CORES) -> View:
    """Sixteen workers of a BERT on sixteen cores; each is busy for so much of the time, `cpu_seconds` with a request."""
    allowed = range(CORES)
    own = [
        worker(k, [thread(k, 0.98 * busy, 0.01 * busy, allowed=allowed, seen={k - 101: 1.0})], switches=50)
        for k in range(101, 101 + workers)
    ]
    rate = sum(w.cores_used for w in own) / cpu_seconds
    seen = replace(view(own, cores=CORES), requests_per_second=rate, latency_seconds=1.05 * cpu_seconds)
    files = (ModelFile(path="/m/model.safetensors", format="safetensors", size_bytes=438_000_000, parameters=109_482_240,
                       architecture="BertModel", geometry=BERT),)  # fmt: skip
    return replace(seen, service=replace(seen.service, models=(Model(name="bert", files=files),)))


def generating(tokens_out: float | None = 400.0) -> View:
    """A Llama-3-8B: 20 requests a second of 100 tokens in and 20 out each, on all cores."""
    seen = encoder(cpu_seconds=0.8)
    file = ModelFile(
        path="/m/model.safetensors", format="safetensors", size_bytes=16_060_522_496, parameters=8_030_261_248,
        architecture="LlamaForCausalLM", geometry=shape(BY_ID["llama-3-8b"]),
    )  # fmt: skip
    model = replace(seen.service.models[0], name="llama", files=(file,))
    return replace(
        seen, service=replace(seen.service, models=(model,)), tokens_out_per_second=tokens_out, tokens_in_per_second=2000.0,
        requests_per_second=20.0, in_flight=4.0,
    )  # fmt: skip


def known(seen: View, samples: int = 4000, **classes: float) -> ServiceFacts:
    work = classes or {"kernel": 0.85, "array": 0.1, "tokenise": 0.03}
    profiles = [worker_profile(w.key.pid, w.cores_used, work, samples=samples // 4) for w in seen.workers[:4]]
    return profiled(seen, *profiles)


def market(seen: View, *devices: str, **prices: float) -> Market:
    found = tuple(device for name in devices or ("L4",) if (device := named(name)) is not None)
    host = host_cpu(seen.cores, AVX512)
    return Market(
        devices=found,
        host=host,
        prices={name: DevicePrice(currency="EUR", hourly=value) for name, value in prices.items()},
    )


NODE = NodePrice(currency="EUR", hourly=0.8)
