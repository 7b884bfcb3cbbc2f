"""Builds the library that looks like the CUDA driver."""

import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("driver.c")
WORK = Path(__file__).with_name("driver_work.py")
COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
OPTIONS = ["-O1", "-fno-omit-frame-pointer", "-fno-optimize-sibling-calls", "-fPIC", "-shared", "-s"]


def build_driver(folder: Path, name: str = "libcuda.so.1") -> Path:
    """The built library in `folder`."""
    assert COMPILER
    library = folder / name
    subprocess.run([COMPILER, *OPTIONS, "-o", str(library), str(SOURCE)], check=True, timeout=60)
    return library
