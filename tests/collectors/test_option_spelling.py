"""Which name does each spelling of an option come out under?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.option_spelling import Spelling

ARGPARSE = Spelling(
    ("--tp-size", "--tensor-parallel-size", "-tp"), ("--quantization", "-q"), ("--max-model-len",), ("--model",),
    ("--model-dir",),
    beginnings=True, underscores=True, thousands={"k": 1000, "K": 1024, "Ki": 1024}, counts=("--max-model-len",),
)  # fmt: skip
EXACT = Spelling(("--ctx-size", "-c"), ("--cache-type-k", "-ctk"), ("--threads", "-t"))


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (("-tp", "2"), ("--tp-size", "2")),
        (("-tp=2",), ("--tp-size=2",)),
        (("--tensor-parallel-size=2",), ("--tp-size=2",)),
        (("--tensor_parallel_size", "2"), ("--tp-size", "2")),
        (("--tp", "2"), ("--tp-size", "2")),
        (("--quant", "awq"), ("--quantization", "awq")),
        (("--mod", "x"), ("--mod", "x")),
        (("--model", "a_b"), ("--model", "a_b")),
        (("--hf_overrides.rope_scaling", "1"), ("--hf-overrides.rope_scaling", "1")),
        (("--max-model-len", "32k"), ("--max-model-len", "32000")),
        (("--max-model-len=25.6k",), ("--max-model-len=25600",)),
        (("--max_model_len", "32K"), ("--max-model-len", "32768")),
        (("--max-model-len", "8Ki"), ("--max-model-len", "8192")),
        (("--max-model-len", "-1"), ("--max-model-len", "-1")),
        (("--max-model-len", "auto"), ("--max-model-len", "auto")),
        (("--seed", "-1"), ("--seed", "-1")),
        (("serve", "-", "--", "-x"), ("serve", "-", "--", "-x")),
    ],
)
def test_argparse_takes_beginnings_underscores_and_short_options_of_several_letters(
    given: tuple[str, ...], read: tuple[str, ...]
) -> None:
    assert ARGPARSE.of(given) == read


def test_a_longer_option_is_no_value_of_a_short_one() -> None:
    line = ("-c", "4096", "-ctk", "q8_0", "-ctxcp", "8", "-tb", "4", "--thr", "2")
    assert EXACT.of(line) == ("--ctx-size", "4096", "--cache-type-k", "q8_0", "--ctxcp", "8", "--tb", "4", "--thr", "2")


@given(st.lists(st.text(max_size=12), max_size=8))
def test_any_command_line_keeps_its_length(items: list[str]) -> None:
    assert len(ARGPARSE.of(items)) == len(items)
