"""How functions are left: real libraries against readelf, forms that are not read, and hostile files."""

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.native.elf_symbols import BadElf, ElfFile
from collectors.native.frame_rules import MACHINES, FrameRules, Rule

SMALL = Path(msgspec._core.__file__)  # type: ignore[attr-defined]
LIBC = next(
    (path for path in map(Path, ("/usr/lib/x86_64-linux-gnu/libc.so.6", "/lib64/libc.so.6")) if path.exists()), None
)
X86 = MACHINES["x86_64"]
ROW = re.compile(r"([0-9a-f]{16}) (rsp|rbp|exp|r\d+)(?:\+(\d+))?\s+(.*)")


@contextmanager
def opened(data: bytes) -> Iterator[ElfFile]:
    descriptor = os.memfd_create("elf")
    try:
        os.write(descriptor, data)
        yield ElfFile(descriptor)
    finally:
        os.close(descriptor)


def said(path: Path) -> dict[int, Rule | None]:
    """By instruction, what readelf says."""
    text = subprocess.run(
        ["readelf", "--wide", "--debug-dump=frames-interp", str(path)], capture_output=True, text=True, check=False
    ).stdout
    found: dict[int, Rule | None] = {}
    columns: list[str] = []
    for line in text.splitlines():
        if line.startswith("   LOC"):
            columns = line.split()[2:]
        elif match := ROW.match(line):
            told = match[4].split()
            if len(told) != len(columns):
                continue  # a signal's frame, where all registers are in expressions
            values = dict(zip(columns, told, strict=True))
            places = [
                int(value[1:]) if (value := values.get(name, "u")).startswith("c") else value for name in ("rbp", "ra")
            ]
            known = match[2] in ("rsp", "rbp") and not set(places) & {"exp", "vexp", "v"} and places[1] != "u"
            frame, back = (None if place == "u" else int(place) for place in places) if known else (None, None)
            found[int(match[1], 16)] = Rule(match[2] == "rbp", int(match[3]), frame, back) if known else None
    return found


@pytest.mark.skipif(platform.machine() != "x86_64" or shutil.which("readelf") is None, reason="needs readelf on x86_64")
@pytest.mark.parametrize(("path", "step"), [(SMALL, 1), (LIBC, 11)])
def test_rules_are_those_that_readelf_says(path: Path | None, step: int) -> None:
    if path is None:
        pytest.skip("the C library is elsewhere")
    rows = [(at, rule) for at, rule in said(path).items() if at][::step]  # 0: what all functions have in common
    assert len(rows) > 2000
    with opened(path.read_bytes()) as file:
        rules = FrameRules(file, X86)
        wrong = {hex(at): (rules.at(at), rule) for at, rule in rows if rules.at(at) != rule}
    assert wrong == {}


def test_outside_every_function_there_is_no_rule() -> None:
    with opened(SMALL.read_bytes()) as file:
        rules = FrameRules(file, X86)
        assert rules.at(0) is None
        assert rules.at(1 << 40) is None
        assert rules.at(-1) is None


def test_a_file_without_rules_is_said_so() -> None:
    data = bytearray(SMALL.read_bytes())
    at = int.from_bytes(data[32:40], "little")
    while data[at : at + 4] != (0x6474E550).to_bytes(4, "little"):
        at += 56
    data[at : at + 4] = bytes(4)
    with opened(bytes(data)) as file, pytest.raises(BadElf):
        FrameRules(file, X86)


def index_of(data: bytes) -> int:
    with opened(data) as file:
        assert file.frame_index is not None
        return file.frame_index[0]


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_no_damage_is_too_much(draw: st.DataObject) -> None:
    """Bytes of the index, and of the entries that follow it, are changed; whatever stands there is read or refused."""
    data = bytearray(SMALL.read_bytes())
    begin = index_of(bytes(data))
    for _ in range(draw.draw(st.integers(1, 20))):
        data[begin + draw.draw(st.integers(0, 30_000))] = draw.draw(st.integers(0, 255))
    data = data[: draw.draw(st.sampled_from([len(data), begin + 2000, begin + 20_000]))]
    try:
        with opened(bytes(data)) as file:
            rules = FrameRules(file, X86)
            for at in range(0x6000, 0x40000, 0x321):
                found = rules.at(at)
                assert found is None or isinstance(found, Rule)
    except BadElf:
        pass
