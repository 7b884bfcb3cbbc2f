"""What CPUs compute, as /proc/cpuinfo of x86 and arm64 tells it."""

from pathlib import Path

from collectors.cpu_features import CpuFeatures, parse_cpuinfo, read_cpu_features
from collectors.host import Host

X86 = """processor\t: 0
model name\t: Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz
flags\t\t: fpu sse4_2 avx fma avx2 avx512f avx512_vnni avx512_bf16 amx_bf16 amx_tile amx_int8

processor\t: 1
model name\t: Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz
flags\t\t: fpu sse4_2 avx fma avx2 avx512f
"""
ARM = """processor\t: 0
BogoMIPS\t: 243.75
Features\t: fp asimd evtstrm aes asimdhp asimddp sve i8mm bf16
CPU implementer\t: 0x41
"""


def test_flags_that_matter_and_that_every_cpu_has():
    found = parse_cpuinfo(X86)
    assert found.name == "Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz"
    assert found.flags == ("avx", "avx2", "avx512f", "fma", "sse4_2")


def test_arm64_calls_them_features():
    assert parse_cpuinfo(ARM).flags == ("asimd", "asimddp", "asimdhp", "bf16", "i8mm", "sve")


def test_what_is_not_told_is_not_known(tmp_path: Path):
    assert parse_cpuinfo("") == CpuFeatures()
    assert read_cpu_features(Host.at(tmp_path)) == CpuFeatures()
