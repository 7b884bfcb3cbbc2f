"""Names of C++ and Rust functions as a person would say them. The symbols are those of public libraries."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.native.demangle import SHOWN_LIMIT, readable

CPP = [
    ("_ZN2at6native3addERKNS_6TensorES3_RKN3c106ScalarE", "at::native::add"),
    ("_ZN2at6native12_GLOBAL__N_1L10add_kernelERNS_18TensorIteratorBaseE", "at::native::(anonymous)::add_kernel"),
    ("_ZNSt6vectorIiSaIiEE9push_backERKi", "std::vector::push_back"),
    ("_ZNKSt8functionIFvllEEclEll", "std::function::operator()"),
    ("_ZNSt3mapIiSsSt4lessIiESaISt4pairIKiSsEEED2Ev", "std::map::~map"),
    ("_ZN4dnnl4impl3cpu3x6410jit_gemm_tILNS2_9cpu_isa_tE560EEC1Ev", "dnnl::impl::cpu::x64::jit_gemm_t::jit_gemm_t"),
    ("_ZSt16__introsort_loopIPflEvT_S1_T0_", "std::__introsort_loop"),
    ("_ZNSspLEc", "std::string::operator+="),
    ("_Z3foov", "foo"),
    ("_ZL3fooILi3ELb1EEvv", "foo"),
    ("_ZZN3foo3barEiENKUlvE_clEv", "foo::bar::{lambda}::operator()"),
    ("_ZThn96_N3foo3BarD0Ev", "foo::Bar::~Bar"),
    ("_Znwm", "operator new"),
    ("_ZN3fooIXadL_ZN3bar3bazEvEEE3runEv", "foo::run"),
    ("_ZN8pybind116detail8accessorcvNS_6objectEEv", "pybind11::detail::accessor::operator cast"),
    ("_ZN2at8internal15invoke_parallelIZNS_12parallel_forEvEUlllE_EEvlll._omp_fn.0",
     "at::internal::invoke_parallel [_omp_fn.0]"),
    ("_ZN3foo3barEv.part.0.cold", "foo::bar"),
    ("_ZN3foo3barEv.constprop.12", "foo::bar"),
]  # fmt: skip
RUST = [
    ("_ZN4core3ptr13drop_in_place17h0123456789abcdefE", "core::ptr::drop_in_place"),
    ("_ZN4core3ptr13drop_in_place17h0123456789abcdefE.llvm.16997246318178743254", "core::ptr::drop_in_place"),
    ("_ZN72_$LT$tempfile..file..NamedTempFile$LT$F$GT$$u20$as$u20$std..io..Read$GT$14read_to_string17h3f4a1d408b1c74c9E",
     "<tempfile::file::NamedTempFile<F> as std::io::Read>::read_to_string"),
    ("_ZN5rayon4iter8plumbing24bridge_producer_consumer6helper28_$u7b$$u7b$closure$u7d$$u7d$17h0123456789abcdefE",
     "rayon::iter::plumbing::bridge_producer_consumer::helper::{{closure}}"),
    ("_RNvMs1I_NtCs84oBVal8Hga_10tokenizers8decodersNtB6_14PyMetaspaceDec35___pymethod_get_get_prepend_scheme__",
     "<tokenizers::decoders::PyMetaspaceDec>::__pymethod_get_get_prepend_scheme__"),
    ("_RNvXss_NtNtCs1C1lLj4PWSY_5alloc3ffi5c_strNtB5_8NulErrorNtNtCsevLNFiNqfJP_4core3fmt7Display3fmt",
     "<alloc::ffi::c_str::NulError as core::fmt::Display>::fmt"),
    ("_RINvNtCsevLNFiNqfJP_4core3ptr9drop_glueINtNtCs1C1lLj4PWSY_5alloc3vec3VecNtNtBG_6string6StringEECscxzlFi8rOL3_10tokenizers",
     "core::ptr::drop_glue"),
    ("_RNCNvC1a1b0", "a::b::{closure}"),
]  # fmt: skip
PLAIN = [
    "dgemm_kernel_SKYLAKEX", "PyEval_EvalFrameDefault", "_init", "", "_Z", "_ZN", "_R", "_RNv", "_ZGVdN4v_Sleef_expd1_u10",
    "ImagingResampleHorizontal_8bpc", "_Z999999999999foo", "_ZNqE",
]  # fmt: skip


@pytest.mark.parametrize(("symbol", "name"), CPP + RUST)
def test_a_symbol_reads_as_the_function_it_is(symbol: str, name: str) -> None:
    assert readable(symbol) == name


@pytest.mark.parametrize("symbol", PLAIN)
def test_a_name_in_no_known_form_stays(symbol: str) -> None:
    assert readable(symbol) == symbol


def test_a_version_is_no_part_of_the_name() -> None:
    assert readable("memcpy@@GLIBC_2.14") == "memcpy"


def test_a_name_that_is_known_in_part_says_that_more_follows() -> None:
    assert readable("_ZN2at6native3fooIXqqqE") == "at::native::foo::…"


def test_a_long_name_is_cut() -> None:
    assert readable("_ZN" + "3abc" * 500 + "Ev") == ("abc::" * 500)[:SHOWN_LIMIT]


DEEP = [
    "_Z" + "N" * 5000, "_Z3foo" + "P" * 5000, "_ZZ" + "Z" * 5000, "_R" + "Nv" * 5000, "_ZN3fooI" + "I" * 5000,
    "_R" + "T" * 5000, "_RYB_", "_RNvB0_1a", "_ZN1aI" + "J" * 5000,
]  # fmt: skip


@pytest.mark.parametrize("symbol", DEEP, ids=lambda symbol: symbol[:12])
def test_names_made_to_go_deep_come_to_an_end(symbol: str) -> None:
    assert readable(symbol)


def test_names_made_to_grow_come_to_an_end() -> None:
    doubling = "_RNvINtC1a1b" + "".join(f"TB{at}_B{at}_E" for at in range(1, 9)) * 20 + "E1c"
    assert len(readable(doubling)) <= SHOWN_LIMIT


@settings(deadline=None, max_examples=400)
@given(st.data())
def test_no_text_is_too_much(drawn: st.DataObject) -> None:
    symbol = drawn.draw(st.sampled_from([symbol for symbol, _ in CPP + RUST]))
    for _ in range(drawn.draw(st.integers(0, 4))):
        at = drawn.draw(st.integers(0, len(symbol)))
        symbol = symbol[:at] + drawn.draw(st.text("NIEZJXLSTFDRB_0123456789aé$.", max_size=3)) + symbol[at + 1 :]
    assert len(readable(symbol)) <= SHOWN_LIMIT
