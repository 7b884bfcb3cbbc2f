"""Builds the stand-in for NVML, which answers from a scenario what a driver would."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

SOURCES = Path(__file__).with_name("nvml")
COMPILER = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
NAME = "libnvidia-ml.so.1"
OPTIONS = ["-std=gnu11", "-O1", "-Wall", "-Wextra", "-fPIC", "-shared", "-fvisibility=hidden", "-pthread"]


def build_nvml(folder: Path) -> Path:
    """The library in `folder`; built only if it is not there yet."""
    library = folder / NAME
    if not library.exists():
        assert COMPILER
        folder.mkdir(parents=True, exist_ok=True)
        handle, half_done = tempfile.mkstemp(dir=folder)  # several test processes may build it at one time
        os.close(handle)
        sources = sorted(str(source) for source in SOURCES.glob("*.c"))
        subprocess.run([COMPILER, *OPTIONS, f"-Wl,-soname,{NAME}", "-o", half_done, *sources], check=True, timeout=60)
        os.replace(half_done, library)
    return library
