"""Which thread of the kernel is the one that the C library knows by a pthread_t?

Python before 3.11 keeps no thread number of the kernel's, so py-spy names its threads by their pthread_t. That is the
address of the library's record of the thread, and one word in it is the kernel's number (glibc and musl alike): the
offset at which all threads have a number of the process's threads, each its own, is that word.
"""

import struct
from collections.abc import Collection, Sequence

from collectors.inside.folder import ProcessFolder
from collectors.profiles.descriptors import Memory

RECORD_BYTES = 2048
USUAL_OFFSETS = (0x2D0, 0xD0, 0x30)
"""glibc on x86-64, glibc on Arm, musl: tried first, which matters where few threads leave a choice."""
_WORD = struct.Struct("=i")


def kernel_ids(folder: ProcessFolder, pthreads: Sequence[int], inner: Collection[int]) -> dict[int, int]:
    """pthread_t → number of the thread in its own pid namespace, for those that can be told. `inner`: the numbers that
    the process's threads have. Raises nothing: memory that cannot be read gives nothing."""
    records = _records(folder, pthreads)
    if not records:
        return {}
    known = frozenset(inner)
    best: dict[int, int] = {}
    for offset in (*USUAL_OFFSETS, *range(0, RECORD_BYTES, 4)):
        found = {
            pthread: number
            for pthread, record in records.items()
            if offset + 4 <= len(record) and (number := _WORD.unpack_from(record, offset)[0]) in known
        }
        if len(found) > len(best) and len(set(found.values())) == len(found):
            best = found
        if len(best) == len(records):
            break
    return best


def _records(folder: ProcessFolder, pthreads: Sequence[int]) -> dict[int, bytes]:
    try:
        memory = Memory(folder)
    except OSError:
        return {}
    records = {}
    try:
        for pthread in pthreads:
            try:
                records[pthread] = memory.read(pthread, RECORD_BYTES)
            except (OSError, OverflowError):
                continue
    finally:
        memory.close()
    return records
