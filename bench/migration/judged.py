"""Does what is said of a device hold for what was measured on one? Latency, throughput in batches, and memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from statistics import median

from advisor.finding import Gain
from advisor.ledger.scores import interval_score
from advisor.migration.devices import named
from advisor.migration.fit import Need
from advisor.migration.generation import Generation
from advisor.migration.offload import offloadable
from advisor.migration.parameters import parameters_of
from advisor.migration.simulate import simulate
from advisor.migration.spread import Percentiles, Spread
from advisor.migration.work import (
    LAUNCHES_PER_LAYER,
    OPERATIONS_PER_ACTIVATION_BYTE,
    Family,
    Work,
    calling_of,
    launches_of_matrices,
)
from bench.migration.on_gpu import Measured
from bench.migration.predicted import STEPS
from bench.stats import Estimate, estimate

TOKENS = {
    "encoder": 64, "encoder-large": 128, "encoder-base": 128, "decoder": 32, "decoder-wide": 40, "decoder-deep": 40,
}  # fmt: skip
"""Of a request, read and made, as a server's page would tell."""
INPUT_BYTES = {
    "mlp": 2048, "mlp-large": 1024, "cnn": 150_528, "cnn-plain": 49_152, "encoder": 512, "encoder-large": 1024,
    "encoder-base": 1024, "decoder": 128, "decoder-wide": 192, "decoder-deep": 192,
}  # fmt: skip
"""As the connections of a server would tell, of requests that are packed tightly."""
CORES = 1.0
"""That the host's part has: one process feeds the device."""
TABLE = {"latency": (1 / 20, 1 / 8, 1 / 3), "requests": (10.0, 30.0, 100.0)}
"""What a table of constants would say of whatever network on whatever GPU: latency, and requests a second in batches / those of
a core."""
OF_NEED = (0.8, 1.25)
"""No interval of memory is said; it is told whether it is met as closely as this."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One figure that was said, and what it is."""

    what: str
    said: Percentiles
    real: Estimate
    table: Percentiles | None = None

    @property
    def inside(self) -> bool:
        return self.said.p10 <= self.real.ratio <= self.said.p90

    @property
    def error(self) -> float:
        return log(self.real.ratio / self.said.p50)


def shown(one: Measured) -> list[Shown]:
    """The figures of one network. Raises ValueError where its device or its profile does not let anything be said."""
    card = named(one.device)
    work = work_seen(one)
    said = None if card is None or work is None else simulate(
        work, card, "fp16", CORES, None, None, f"{one.model} {one.device}"
    )  # fmt: skip
    if said is None or work is None:
        raise ValueError(f"nothing can be said of {one.model} on {one.device}")
    latency = [cpu / device for cpu, device in zip(one.on_cpu, one.on_device[1], strict=True)]
    found = [
        Shown(
            f"{one.model}: latency of one, GPU / CPU", said.latency, estimate(latency), Percentiles(*TABLE["latency"])
        )
    ]
    rates = one.on_device.get(said.batch)
    if rates is not None:
        text = f"{one.model}: requests a second in batches of {said.batch}"
        table = Percentiles(*(ratio / one.cpu_seconds for ratio in TABLE["requests"]))
        found.append(Shown(text, said.per_second, estimate(rates), table))
    held = one.device_bytes.get(said.batch)
    if held is not None:
        need = Need(weights=work.weights / 2, cache=work.generation.held).total
        low, high = OF_NEED
        told = Percentiles(low * need, need, high * need)
        found.append(Shown(f"{one.model}: bytes of the device", told, Estimate(held, held, held, 1)))
    return found


def work_seen(one: Measured) -> Work | None:
    """As the product has it of a service whose page counts tokens; None with too few samples."""
    part = offloadable(one.profile)
    if part is None:
        return None
    cpu, host = one.cpu_seconds, one.host
    shape = next((file.geometry for file in one.files if file.geometry is not None), None)
    counted = parameters_of(shape) if shape is not None else None
    rate, share = host.flops, part.share
    flops = Spread(share.low * cpu * rate.low, share.mode * cpu * rate.mode, share.high * cpu * rate.high)
    if counted is not None and one.model in TOKENS:
        flops = Spread.around(2.0 * counted.computed * TOKENS[one.model], 0.1)
    low, likely, high = OPERATIONS_PER_ACTIVATION_BYTE
    layers = shape.layers if shape is not None else None
    matrices = launches_of_matrices(sum(file.matrices or 0 for file in one.files))
    family: Family = "transformer" if shape else "convolutional" if one.model.startswith("cnn") else "other"
    return Work(
        family=family,
        per_second=1 / cpu,
        cpu_seconds=cpu,
        as_configured_seconds=cpu,
        wall_seconds=cpu,
        part=part,
        flops=flops,
        weights=float(sum(file.weights_bytes or 0 for file in one.files)),
        layers=None,
        bits=32.0,
        generation=Generation(steps=float(STEPS.get(one.model, 1))),
        activations=Spread(flops.low / high, flops.mode / likely, flops.high / low),
        moved=Spread.around(INPUT_BYTES[one.model], 0.2),
        launches=LAUNCHES_PER_LAYER.times(layers) if layers else matrices,
        exact=counted is not None,
        calling=calling_of(one.profile, part),
        told=(),
    )


def report(found: Sequence[Measured]) -> None:
    figures = [figure for one in found for figure in shown(one)]
    for one in figures:
        print(
            f"  {one.what}: said {one.said.p10:.3g} to {one.said.p90:.3g}, likely {one.said.p50:.3g}; measured "
            f"{one.real.ratio:.3g} ({one.real.low:.3g} to {one.real.high:.3g}){'' if one.inside else '  OUTSIDE'}"
        )
    if figures:
        error = median(abs(one.error) for one in figures)
        width = sum(log(one.said.p90 / one.said.p10) for one in figures) / len(figures)
        inside = sum(one.inside for one in figures)
        print(f"on the GPU: {inside} of {len(figures)} inside, width {width:.2f}, median |log error| {error:.3f}")
        timed = [(one, one.table) for one in figures if one.table is not None]
        own = sum(interval_score(_gain(one.said), one.real.ratio) for one, _ in timed) / len(timed)
        table = sum(interval_score(_gain(told), one.real.ratio) for one, told in timed) / len(timed)
        print(f"of latency and requests: interval score {own:.2f}, of a table's constants {table:.2f}")


def _gain(said: Percentiles) -> Gain:
    return Gain(metric="throughput_ratio", p10=said.p10, p50=said.p50, p90=said.p90)
