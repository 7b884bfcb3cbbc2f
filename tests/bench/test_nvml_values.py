"""Does what NVML answers reach the recording whole, and does an answer that failed say why?"""

import ctypes
import math
from types import SimpleNamespace

from bench.nvml_gpm import spans
from bench.nvml_values import Calls, plain


class _Refused(Exception):
    value = 3


class _Inner(ctypes.Structure):
    _fields_ = [("used", ctypes.c_ulonglong), ("serial", ctypes.c_uint)]


class _Outer(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char * 8), ("inner", _Inner), ("parts", ctypes.c_uint * 2)]


NVML = SimpleNamespace(NVMLError=_Refused, NVML_ERROR_NOT_SUPPORTED=3)


def test_a_structure_becomes_a_dict_without_what_names_one_card() -> None:
    answer = _Outer(b"H100", _Inner(1 << 40, 77), (3, 4))
    assert plain(answer) == {"name": "H100", "inner": {"used": 1 << 40}, "parts": [3, 4]}


def test_a_float_that_is_no_number_is_written_as_text() -> None:
    assert plain([math.nan, 1.23456]) == ["nan", 1.2346]


def test_a_refused_call_has_the_name_of_its_error_and_its_cost_is_kept() -> None:
    def refused() -> None:
        raise _Refused

    calls = Calls(NVML)
    assert calls.make("PowerUsage", refused) == (None, "NOT_SUPPORTED")
    assert calls.costs()["PowerUsage"][0] == 1


def test_a_function_that_the_library_lacks_is_an_error_not_a_traceback() -> None:
    answer, error = Calls(NVML).make("Name", lambda: NVML.nvmlDeviceGetName())
    assert answer is None
    assert str(error).startswith("AttributeError")


def test_numbers_are_written_as_spans() -> None:
    assert spans([7, 1, 3, 2]) == "1-3 7"
