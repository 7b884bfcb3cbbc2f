"""Forms of fewer bits: what they take, where they fit, and what multiplies them."""

import pytest
from msgspec.structs import replace

from advisor.migration.alternatives import Alternative, alternatives
from advisor.migration.cpu import host_cpu
from advisor.migration.devices import GIB, Device, named
from advisor.migration.estimate import estimate
from advisor.migration.fit import CONTEXT_BYTES
from advisor.migration.work import Work
from agent.migrate import text
from collectors.cpu_features import CpuFeatures
from tests.advisor.migration.migrating import AVX512, encoder, generating, known, market

PARAMETERS = 8_030_261_248
BITS = {"fp8": 8, "int8": 8, "int4": 4.5}


def device(name: str) -> Device:
    found = named(name)
    assert found is not None
    return found


def work() -> Work:
    seen = generating()
    now = estimate(seen, known(seen), market(seen)).situation
    assert now is not None
    return now.work


def forms(name: str, free: float, flags: tuple[str, ...] | None = AVX512.flags) -> dict[str, Alternative]:
    host = host_cpu(generating().cores, CpuFeatures(flags=flags))
    return {one.form: one for one in alternatives(work(), device(name), host, free)}


def test_bytes_follow_from_parameters_and_bits():
    for name, one in forms("L4", 24 * GIB).items():
        if name not in BITS:
            continue
        assert one.weights == pytest.approx(PARAMETERS * BITS[name] / 8)
        assert one.need == pytest.approx(1.05 * (1.2 * one.weights + work().generation.held + CONTEXT_BYTES))


@pytest.mark.parametrize(
    ("gib", "verdicts"),
    [
        (24.0, ("fits", "fits", "fits")),
        (10.8, ("tight", "tight", "fits")),
        (9.0, ("split", "split", "fits")),
        (6.1, ("split", "split", "tight")),
        (1.0, ("no room", "no room", "no room")),
    ],
)
def test_each_fits_is_tight_or_split_for_itself(gib: float, verdicts: tuple[str, ...]):
    found = forms("L4", gib * GIB)
    assert tuple(found[name].verdict for name in BITS) == verdicts
    for one in found.values():
        assert (one.layers is not None) == (one.verdict == "split")
        assert one.layers is None or 0 < one.layers < 32


def test_hardware_of_the_device_and_of_these_cpus_is_told_apart():
    supported = {
        name: {f: one.device for f, one in forms(name, 80 * GIB).items()} for name in ("T4", "A100 80GB", "L4")
    }
    assert {f: supported["T4"][f] for f in BITS} == {"fp8": False, "int8": True, "int4": False}
    assert {f: supported["A100 80GB"][f] for f in BITS} == {"fp8": False, "int8": True, "int4": True}
    assert {f: supported["L4"][f] for f in BITS} == {"fp8": True, "int8": True, "int4": True}
    assert {f: forms("L4", 1e10)[f].host for f in BITS} == {"fp8": False, "int8": True, "int4": True}
    assert {f: forms("L4", 1e10, ("avx",))[f].host for f in BITS} == {"fp8": False, "int8": False, "int4": False}
    assert {f: forms("L4", 1e10, None)[f].host for f in BITS} == dict.fromkeys(BITS)


def test_only_forms_of_fewer_bits_than_those_stored():
    one = work()
    for bits, expected in ((8.5, {"fp8", "int8", "int4"}), (8.0, {"int4"}), (4.0, set()), (None, set())):
        found = {form.form for form in alternatives(replace(one, bits=bits), device("L4"), None, 1e10)}
        assert found & set(BITS) == expected


def test_they_stand_in_the_estimate_and_in_one_line_of_text():
    seen = generating()
    found = estimate(seen, known(seen), market(seen, "T4"))
    (t4,) = found.devices
    assert {one.form for one in t4.alternatives} >= set(BITS)
    lines = [line.strip() for line in text((found,)).splitlines()]
    about = [line for line in lines if line.startswith(("memory:", "with 2", "in fewer bits:"))]
    assert about[0] == "memory: split, 21.04 GB of 16.1 GB"
    assert about[1].startswith("with 22 of 32 layers and the output layer on it (-ngl 23 of llama.cpp): ")
    for said in ("fp8 10.9 GB fits (emulated)", "int8 10.9 GB fits (these CPUs too)", "int4 6.5 GB fits (emulated)"):
        assert said in about[2]
    assert len(about) == 3


def test_an_encoder_of_32_bits_has_them_too():
    seen = encoder()
    (l4,) = estimate(seen, known(seen), market(seen)).devices
    assert [one.verdict for one in l4.alternatives if one.form in BITS] == ["fits"] * 3
    assert l4.split is None
