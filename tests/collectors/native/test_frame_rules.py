"""How functions are left: real libraries against readelf, forms that are not read, and hostile files."""

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.native.elf_symbols import BadElf, ElfFile
from collectors.native.frame_rules import MACHINES, FrameRules, Machine, Rule, _Reader, _State

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


def rule_of(machine: Machine, *instructions: int) -> Rule | None:
    common = SimpleNamespace(code_step=1, data_step=-8)
    state = _State(machine, common)  # type: ignore[arg-type]
    return state.rule() if state.run(_Reader(bytes(instructions)), None) else None


ARM = MACHINES["aarch64"]
START = (0x0C, 31, 16)  # the frame is 16 above the stack pointer


def test_registers_with_large_numbers_are_saved_without_touching_others() -> None:
    """d8 (72) at a place whose number is that of the link register (30): first the register, then the place."""
    assert rule_of(ARM, *START, 0x80 | 30, 2, 0x05, 72, 30) == Rule(False, 16, None, -16)
    assert rule_of(ARM, *START, 0x80 | 30, 2, 0x11, 72, 30) == Rule(False, 16, None, -16)
    assert rule_of(ARM, *START, 0x05, 30, 3, 0x11, 29, 0x7C) == Rule(False, 16, 32, -24)  # -4 steps of -8


def test_what_was_remembered_comes_back_with_the_frames_place() -> None:
    assert rule_of(X86, 0x0C, 7, 16, 0x0A, 0x0C, 6, 32, 0x86, 4, 0x0B, 0x90, 1) == Rule(False, 16, None, -8)
    assert rule_of(X86, 0x0C, 7, 16, 0x0B) is None  # nothing was


def test_numbers_and_memories_without_end_are_refused() -> None:
    with pytest.raises(IndexError):
        rule_of(X86, 0x0C, *[0xFF] * 3000, 0)
    assert rule_of(X86, 0x0C, 7, 16, *[0x0A] * 100) is None
    assert rule_of(X86, 0x0C, 7, 16, *[0x00] * 1000) == Rule(False, 16, None, None)
    assert rule_of(X86, 0x0C, 7, 16, *[0x00] * 5000) is None
    assert rule_of(X86, *[0x0E, 1] * 2000) is None
