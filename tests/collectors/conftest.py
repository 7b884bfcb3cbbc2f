"""NVIDIA's readers before a stand-in for NVML: one library and one program for all tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.collectors.gpu.reader import Reader, made_machine
from tests.nvml import COMPILER, build

PIDS = (450, 453, 454, 457)
"""Of the recordings."""


@pytest.fixture(scope="session")
def nvml_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the stand-in for NVML."""
    if COMPILER is None:
        pytest.skip("needs a C compiler")
    return build(tmp_path_factory.getbasetemp() / "nvml")


@pytest.fixture(scope="session")
def nvidia_program(nvml_library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    folder = tmp_path_factory.mktemp("nvidia")
    with Reader(nvml_library, folder, made_machine(folder / "machine", *PIDS)) as program:
        yield program


@pytest.fixture
def nvidia(nvidia_program: Reader) -> Reader:
    """The readers on a machine with the processes PIDS, seen from the outermost PID namespace; `fresh` begins."""
    return nvidia_program
