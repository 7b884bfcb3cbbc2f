"""Starts the programs whose native code the tests sample, and samples them until their work is done."""

import json
import os
import select
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from collectors.entities import WorkerKey
from collectors.host import Host
from collectors.native.sampler import NativeSampler, NativeSamples
from collectors.procfs import parse_stat

NATIVE_WORK = Path(__file__).parents[2] / "programs" / "native_work.py"
HOST = Host.real()


@dataclass(slots=True)
class Program:
    """One running program."""

    process: subprocess.Popen[str]

    @property
    def key(self) -> WorkerKey:
        return key_of(self.process.pid)

    @property
    def tids(self) -> list[int]:
        return [int(name) for name in os.listdir(f"/proc/{self.process.pid}/task")]

    def begin(self) -> None:
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def done(self, seconds: float) -> dict[str, float] | None:
        """What it spent, once it is done, by waiting for at most so long."""
        assert self.process.stdout
        if not select.select([self.process.stdout], [], [], seconds)[0]:
            return None
        return json.loads(self.process.stdout.readline())


@contextmanager
def program(kind: str, seconds: float, **environ: str) -> Iterator[Program]:
    """Run native_work.py; it has said that it is ready."""
    with started(
        [sys.executable, str(NATIVE_WORK), kind, str(seconds)], **{"OPENBLAS_NUM_THREADS": "1", **environ}
    ) as running:
        yield running


@contextmanager
def started(command: list[str], **environ: str) -> Iterator[Program]:
    """Run a program that keeps to the same: it has said that it is ready."""
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True, env={**os.environ, **environ}) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            yield Program(process)
        finally:
            process.kill()


def key_of(pid: int) -> WorkerKey:
    return WorkerKey(pid, parse_stat(Path(f"/proc/{pid}/stat").read_bytes()).started)


def sample(running: Program, hertz: int, each: Callable[[NativeSampler], None] = NativeSampler.drain
           ) -> tuple[NativeSamples, dict[str, float]]:  # fmt: skip
    """Samples of all its threads over the whole of its work, and what it measured itself; `each` several times a second."""
    sampler = NativeSampler(HOST, running.key)
    try:
        assert sampler.start(running.tids, hertz) is None
        running.begin()
        while (spent := running.done(0.2)) is None:
            each(sampler)
        return sampler.stop(), spent
    finally:
        sampler.close()


def by_file(samples: NativeSamples) -> Counter[str]:
    """Samples by the file's name."""
    files: Counter[str] = Counter()
    for (_, frame, *_), count in samples.counts.items():
        files[frame.file.rpartition("/")[2]] += count
    return files


def share(files: Counter[str], part: str) -> float:
    """That of the files whose name holds `part`."""
    return sum(count for name, count in files.items() if part in name) / files.total()


def open_descriptors() -> list[str]:
    """Ours, without that of the listing itself."""
    return sorted(os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd") if
                  os.path.lexists(f"/proc/self/fd/{name}"))  # fmt: skip
