"""In another type of numbers, does the model take the room of its bits, and multiply the units that the device has for it?"""

import pytest
from msgspec.structs import replace

from advisor.migration.devices import Precision
from advisor.migration.estimate import estimate
from advisor.migration.result import DeviceEstimate, MigrationEstimate
from advisor.migration.served_in import computed_in, served_in
from advisor.migration.what_if import change, device_named, judged_devices, worked_out_again
from tests.advisor.migration.migrating import encoder, generating, known, market

BERT_BYTES, LLAMA_BYTES = 438_000_000, 16_060_522_496


def judged(on: str, generates: bool = False) -> MigrationEstimate:
    seen = generating() if generates else encoder()
    return estimate(seen, known(seen), market(seen, on))


def served(one: MigrationEstimate, *precisions: str) -> DeviceEstimate:
    changes = [change("precision", text) for text in precisions]
    (device,) = worked_out_again(one, judged_devices(one), changes).devices
    return device


def test_half_of_the_bits_take_half_of_the_room_and_are_what_was_computed_in() -> None:
    one = judged("L4")
    plain, half = one.devices[0], served(one, "fp16")
    assert half.simulated is not None
    assert plain.simulated is not None
    assert half.simulated.batch == plain.simulated.batch
    assert half.simulated.throughput.p10 == pytest.approx(plain.simulated.throughput.p10)
    # weights, 20 % of them as working memory, 5 % on top
    assert plain.fit.need - half.fit.need == pytest.approx(BERT_BYTES / 2 * 1.2 * 1.05, rel=1e-3)


def test_eight_bits_are_multiplied_by_units_of_eight_bits() -> None:
    one = judged("L4")
    half, eight = served(one, "fp16"), served(one, "int8")
    assert eight.precision == "int8"
    assert half.simulated is not None
    assert eight.simulated is not None
    assert (
        eight.simulated.device_seconds.p50 / eight.simulated.batch
        < half.simulated.device_seconds.p50 / half.simulated.batch
    )
    assert [form.form for form in eight.alternatives] == ["int4"]


def test_numbers_of_32_bits_are_slower_than_those_of_16() -> None:
    one = judged("H100")
    half, full = served(one, "fp16"), served(one, "fp32")
    assert half.simulated is not None
    assert full.simulated is not None
    each = [seen.device_seconds.p50 / seen.batch for seen in (full.simulated, half.simulated)]
    assert each[0] > 2 * each[1]
    assert full.precision == "fp32"


def test_of_four_bits_the_weights_of_a_language_model_fit_where_they_did_not() -> None:
    one = judged("T4", generates=True)
    plain, four = one.devices[0], served(one, "int4")
    assert plain.fit.verdict in ("split", "no room")
    assert four.fit.verdict == "fits"
    four_bits = worked_out_again(one, judged_devices(one), [change("precision", "int4")]).situation
    assert four_bits is not None
    assert four_bits.work.weights == pytest.approx(LLAMA_BYTES * 4.5 / 16, rel=1e-3)
    assert (
        f"weights in int4: {LLAMA_BYTES * 4.5 / 16 / 1e9:.2f} GB, {LLAMA_BYTES / 1e9:.2f} GB before"
        in four_bits.work.told
    )


@pytest.mark.parametrize(
    ("wanted", "device", "units"),
    [
        ("fp8", "H100", "fp8"),  # from 8.9 on
        ("fp8", "A100 80GB", "fp16"),  # 8.0: widened on its way
        ("fp8", "T4", "fp16"),  # 7.5: by late releases
        ("fp8", "V100 16GB", None),
        ("bf16", "T4", None),  # refused below 8.0
        ("bf16", "A100 80GB", "bf16"),
        ("int4", "A100 80GB", "fp16"),  # weights alone
        ("int8", "B200", "int8"),  # vLLM has no kernels from 10.0 on, others have
        ("tf32", "V100 16GB", None),
        ("fp32", "V100 16GB", "fp32"),
    ],
)
def test_which_units_multiply_it(wanted: Precision, device: str, units: str | None) -> None:
    assert computed_in(wanted, device_named(device)) == units


def test_where_no_unit_multiplies_it_that_is_the_reason_and_no_speed_is_told() -> None:
    device = served(judged("V100 16GB"), "fp8")
    assert (device.verdict, device.simulated, device.precision) == ("not worth it", None, "fp8")
    assert "the device does not compute in fp8" in device.reasons


def test_the_last_that_is_supposed_holds() -> None:
    one = judged("H100")
    once, twice = served(one, "int8"), served(one, "fp32", "int8")
    assert once.fit == twice.fit
    assert once.simulated == twice.simulated


def test_what_was_held_against_a_device_in_16_bits_is_not_told_of_others() -> None:
    one = judged("H100")
    assert one.devices[0].validated
    assert served(one, "fp16").validated
    eight = served(one, "int8")
    assert not eight.validated
    assert eight.note == "not validated in int8: measured in 16 bits"


def test_weights_of_unknown_bits_keep_their_room() -> None:
    now = judged("L4").situation
    assert now is not None
    blind = replace(now.work, bits=None)
    changed = served_in(blind, "int8", None)
    assert changed.weights == blind.weights
    assert changed.told[-1] == "weights counted as they are, not in int8: the files do not tell their bits"


def test_another_word_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ValueError, match="int9 is none of fp32, tf32, fp16, bf16, fp8, int8, int4"):
        change("precision", "int9")
