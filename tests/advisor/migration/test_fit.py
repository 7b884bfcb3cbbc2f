"""What fits a device, what is tight, and how many layers go in where not all do."""

import pytest

from advisor.migration.devices import GIB, named
from advisor.migration.fit import CONTEXT_BYTES, KEPT_BYTES, Layers, Need, fit
from advisor.migration.kv_cache import cache_bytes
from advisor.migration.parameters import parameters_of
from advisor.migration.precisions import FEWER_BITS, on_device
from tests.advisor.migration.published import BY_ID, shape


def llama(bits: float = 16, tokens: int = 8192) -> Need:
    seen = shape(BY_ID["llama-3-8b"])
    counted = parameters_of(seen)
    assert counted is not None
    return Need(weights=counted.total * bits / 8, cache=cache_bytes(seen, tokens) or 0)


def test_an_8b_model_is_tight_on_24_gb_fits_40_and_not_16():
    assert fit(llama(), 22.5 * GIB).verdict == "tight"
    assert fit(llama(tokens=40_000), 22.5 * GIB).verdict == "no room"
    assert fit(llama(), 40 * GIB).verdict == "fits"
    assert fit(llama(), 15 * GIB).verdict == "no room"
    assert fit(llama(bits=8), 15 * GIB).verdict == "fits"
    assert fit(llama(), 40 * GIB).need == pytest.approx(1.05 * (1.2 * 16_060_522_496 + GIB + CONTEXT_BYTES))


def test_a_70b_model_in_4_bits_is_split_on_24_gb_and_the_output_layer_goes_first():
    seen = shape(BY_ID["llama-3-70b"])
    counted = parameters_of(seen)
    assert counted is not None
    need = Need(weights=counted.total * 4.5 / 8, cache=cache_bytes(seen, 4096) or 0)
    layers = Layers(count=80, layer=counted.layers / 80 / counted.total, output=counted.output / counted.total)
    found = fit(need, 22.5 * GIB, layers)
    each = (counted.layers * 4.5 / 8 + need.cache) / 80
    room = 22.5 * GIB - 0.2 * need.weights - CONTEXT_BYTES - KEPT_BYTES - counted.output * 4.5 / 8
    assert (found.verdict, found.on_device, found.layers) == ("split", int(room // each), 80)
    assert 10 < int(room // each) < 40
    assert fit(need, 9 * GIB, layers).verdict == "no room"
    assert fit(need, 22.5 * GIB).verdict == "no room", "without its dimensions it cannot be placed by layers"


def test_forms_of_fewer_bits_that_devices_multiply():
    computed = {}
    for name in ("T4", "A100 80GB", "L4", "TPU v5e"):
        device = named(name)
        assert device is not None
        computed[name] = [form.name for form in FEWER_BITS if on_device(form, device)]
    assert computed == {
        "T4": ["int8"], "A100 80GB": ["int8", "int4"], "L4": ["fp8", "int8", "int4"], "TPU v5e": ["int8"],
    }  # fmt: skip
