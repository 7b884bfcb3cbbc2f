"""For whom shared code worked: in real programs whose C code calls the interpreter, and on stacks that tell nothing."""

import os
import shutil
import struct
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.inside.folder import ProcessFolder
from collectors.native.callers import FILES_LIMIT, Callers, _is_shared
from collectors.native.mapped import Mapping, Mappings, read_mappings
from collectors.native.support import native_support
from tests.collectors.native.program import HOST, key_of, open_descriptors, program, sample, started

REFUSED = native_support(HOST)
granted = pytest.mark.skipif(REFUSED is not None, reason=f"perf events are refused here: {REFUSED}")


@pytest.mark.parametrize(
    ("path", "shared"),
    [
        ("/usr/bin/python3.11", True),
        ("/usr/lib/libpython3.13t.so.1.0", True),
        ("/usr/lib/x86_64-linux-gnu/libc.so.6", True),
        ("/usr/lib/libc-2.31.so", True),
        ("/lib/ld-musl-x86_64.so.1", True),
        ("/lib/libc.musl-x86_64.so.1", True),
        ("/usr/lib/libstdc++.so.6.0.30", True),
        ("/srv/torch/lib/libgcc_s-cdbf3baf.so.1", True),
        ("/usr/lib/libjemalloc.so.2", True),
        ("/usr/lib/python3.11/lib-dynload/_json.cpython-311-x86_64-linux-gnu.so", False),
        ("/srv/numpy.libs/libscipy_openblas64_-32a4b2a6.so", False),
        ("/usr/lib/libcrypto.so.3", False),
        ("/srv/app/libcurl.so.4", False),
    ],
)
def test_shared_is_what_every_library_uses(path: str, shared: bool) -> None:
    assert _is_shared(Mapping(0, 4096, 0, b"fe:00", 5, path.encode())) is shared


def read_own() -> Mappings:
    with ProcessFolder(HOST, key_of(os.getpid())) as folder:
        return read_mappings(folder)


@pytest.fixture(name="own")
def own_callers() -> Iterator[tuple[Callers, Mappings]]:
    """Of this process."""
    with ProcessFolder(HOST, key_of(os.getpid())) as folder:
        mappings = read_mappings(folder)
        callers = Callers(folder, mappings)
        try:
            yield callers, mappings
        finally:
            callers.close()


def test_files_are_closed_again() -> None:
    before = open_descriptors()
    with ProcessFolder(HOST, key_of(os.getpid())) as folder:
        callers = Callers(folder, read_mappings(folder))
        assert len(open_descriptors()) > len(before)
        callers.close()
        callers.close()
    assert open_descriptors() == before


def test_code_that_is_not_shared_needs_no_caller(own: tuple[Callers, Mappings]) -> None:
    callers, mappings = own
    other = next(one for one in mappings if one.is_file and not _is_shared(one))
    assert callers.caller(other.begin + 64, (1 << 40, 1 << 40), struct.pack("=Q", other.begin + 9) * 99) is None
    assert callers.caller(3, (1 << 40, 1 << 40), bytes(800)) is None


@given(st.integers(0, 1 << 24), st.lists(st.integers(0, (1 << 64) - 1), max_size=3), st.binary(max_size=800))
def test_any_stack_is_read(offset: int, registers: list[int], stack: bytes) -> None:
    with ProcessFolder(HOST, key_of(os.getpid())) as folder:
        mappings = read_mappings(folder)
        callers = Callers(folder, mappings)
        try:
            for one in mappings:
                if _is_shared(one):
                    address = one.begin + offset % (one.end - one.begin)
                    found = callers.caller(address, tuple(registers), stack)
                    assert found is None or mappings.at(found) is not None
        finally:
            callers.close()


@granted
def test_what_the_interpreter_does_for_a_library_names_the_library() -> None:
    with program("json", 1.0) as running:
        samples, _ = sample(running, 499)
    if not any("_json" in place.frame.file for place in samples.counts):
        pytest.skip("this interpreter has json built in")
    called = Counter[bool]()
    for place, count in samples.counts.items():
        called[any("_json." in frame.file for frame in (place.frame, place.caller) if frame is not None)] += count
    assert called[True] / called.total() > 0.9
    assert any(place.caller is not None and place.caller.name for place in samples.counts)
    assert samples.notes == ()


@granted
def test_python_of_its_own_has_no_callers() -> None:
    """Sorting leaves kilobytes of its frame unwritten: what earlier calls left there is no caller."""
    with program("interpret", 1.0) as running:
        samples, _ = sample(running, 499)
    without = sum(count for place, count in samples.counts.items() if place.caller is None)
    assert without / sum(samples.counts.values()) > 0.99


def test_frame_pointers_and_offsets_beyond_any_stack_tell_nothing(own: tuple[Callers, Mappings]) -> None:
    callers, mappings = own
    for one in mappings:
        if _is_shared(one):
            for address in range(one.begin, one.end, (one.end - one.begin) // 200):
                for value in ((1 << 64) - 1, 0, 1 << 63):
                    assert callers.caller(address, (value, value), bytes(768)) is None


def test_a_process_with_many_files_of_shared_code_keeps_few_of_them_open(tmp_path: Path) -> None:
    """Their names are the process's own choice."""
    library = next(one for one in read_own() if _is_shared(one) and "/libc" in one.name)
    copies = []
    for number in range(3 * FILES_LIMIT):
        (tmp_path / str(number)).mkdir()
        copies.append(tmp_path / str(number) / "libm.so.6")
        shutil.copy(library.name, copies[-1])
    script = (
        "import mmap, os, sys\n"
        "opened = [os.open(path, os.O_RDONLY) for path in sys.argv[1:]]\n"
        "kept = [mmap.mmap(one, 0, prot=mmap.PROT_READ | mmap.PROT_EXEC, flags=mmap.MAP_PRIVATE) for one in opened]\n"
        "print('ready', flush=True); sys.stdin.read()\n"
    )
    before = open_descriptors()
    with (
        started([sys.executable, "-c", script, *map(str, copies)]) as running,
        ProcessFolder(HOST, running.key) as folder,
    ):
        callers = Callers(folder, read_mappings(folder))
        assert len(open_descriptors()) - len(before) <= FILES_LIMIT + 4  # and the program, and its folder
        callers.close()
