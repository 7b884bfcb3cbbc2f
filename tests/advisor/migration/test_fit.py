"""What fits a device, what is tight, and how a model is split where it does not."""

import pytest

from advisor.migration.devices import GIB, named
from advisor.migration.fit import CONTEXT_BYTES, Layers, Need, fit, seconds_per_token, split
from advisor.migration.kv_cache import cache_bytes
from advisor.migration.parameters import parameters_of
from advisor.migration.precisions import FORMS, instead, on_cpu, on_device
from tests.advisor.migration.published import BY_ID, shape


def llama(form: str = "fp16", tokens: int = 8192) -> Need:
    seen = shape(BY_ID["llama-3-8b"])
    counted = parameters_of(seen)
    assert counted is not None
    return Need(weights=counted.total * FORMS[form].bits / 8, cache=cache_bytes(seen, tokens) or 0, activations=GIB)


def test_an_8b_model_fits_a_device_of_24_gb_is_tight_with_more_context_and_does_not_fit_16():
    free = 22.5 * GIB
    assert fit(llama(), free).verdict == "fits"
    assert fit(llama(tokens=24_000), free).verdict == "tight"
    assert fit(llama(), 15 * GIB).verdict == "no room"
    assert fit(llama("int8"), 15 * GIB).verdict == "fits"
    assert fit(llama(), free).need == pytest.approx(1.05 * (16_060_522_496 + GIB + GIB + CONTEXT_BYTES))


def test_each_process_holds_its_own_copy():
    one = Need(weights=GIB)
    four = Need(weights=GIB, processes=4)
    assert four.total == pytest.approx(4 * one.total)
    assert one.working == pytest.approx(0.2 * GIB)


def test_what_was_observed_of_such_a_server_corrects_it():
    need = Need(weights=10 * GIB, measured=1.2)
    assert need.total == pytest.approx(1.2 * Need(weights=10 * GIB).total)


def seventy() -> tuple[Need, Layers]:
    seen = shape(BY_ID["llama-3-70b"])
    counted = parameters_of(seen)
    assert counted is not None
    bytes_each = FORMS["int4"].bits / 8
    layer = counted.layers / 80 * bytes_each + (cache_bytes(seen, 4096) or 0) / 80
    layers = Layers(count=80, layer=layer, output=counted.output * bytes_each, hidden_bytes=2 * 8192)
    return Need(weights=counted.total * bytes_each, cache=cache_bytes(seen, 4096) or 0, activations=GIB), layers


def test_a_70b_model_in_4_bits_is_split_on_24_gb_and_the_output_layer_goes_first():
    need, layers = seventy()
    found = fit(need, 22.5 * GIB, layers)
    assert (found.verdict, found.share > 1) == ("split", True)
    placed = found.split
    assert placed is not None
    room = 22.5 * GIB - GIB - CONTEXT_BYTES - GIB - layers.output
    assert (placed.on_device, placed.of, placed.output) == (int(room // layers.layer), 80, True)
    assert placed.on_device * layers.layer <= room < (placed.on_device + 1) * layers.layer
    assert placed.device_bytes + placed.host_bytes == pytest.approx(80 * layers.layer + layers.output)
    assert fit(need, 3 * GIB, layers).verdict == "no room"
    none = split(need, 2.7 * GIB, layers)
    assert (none.on_device, none.output, none.device_bytes) == (0, False, 0)


@pytest.mark.parametrize(("share", "faster"), [(0.5, 1.9), (0.8, 4.2), (0.9, 6.9), (0.95, 10.3), (1.0, 20.0)])
def test_what_stays_on_the_host_decides_the_speed(share: float, faster: float):
    """With a device that reads twenty times as fast as the host."""
    layers = Layers(count=100, layer=GIB, output=0.0, hidden_bytes=0.0)
    need = Need(weights=100 * GIB, activations=0.0)
    placed = split(need, share * 100 * GIB + CONTEXT_BYTES + GIB, layers)
    alone = 100 * GIB / 50e9
    assert alone / seconds_per_token(placed, layers, 1000e9, 50e9, 4) == pytest.approx(faster, rel=0.02)


def test_forms_that_devices_and_cpus_compute():
    t4, a100, l4, tpu = (named(name) for name in ("T4", "A100 80GB", "L4", "TPU v5e"))
    assert t4 is not None
    assert a100 is not None
    assert l4 is not None
    assert tpu is not None
    computed = {d.name: [n for n, form in FORMS.items() if on_device(form, d)] for d in (t4, a100, l4, tpu)}
    assert computed == {
        "T4": ["fp32", "fp16", "int8"],
        "A100 80GB": ["fp32", "bf16", "fp16", "int8", "int4"],
        "L4": ["fp32", "bf16", "fp16", "fp8", "int8", "int4"],
        "TPU v5e": ["bf16", "int8"],
    }
    assert [getattr(instead(FORMS[n], d), "name", None) for n, d in (("fp8", a100), ("fp8", t4), ("bf16", t4))] == [
        "int8", "int8", "fp16",
    ]  # fmt: skip
    assert instead(FORMS["fp8"], l4) is FORMS["fp8"]
    assert on_cpu(FORMS["int8"], {"avx2", "avx512_vnni"})
    assert not on_cpu(FORMS["int8"], {"avx2"})
    assert not on_cpu(FORMS["fp8"], {"amx_int8", "amx_bf16"})
    assert on_cpu(FORMS["int4"], set())
