"""Takes one profile of one process: a single look, some seconds without stopping it, or, where asked for, with.

A burst looks with several eyes at once: py-spy at the Python threads that run and at the one that holds the GIL, perf
events at where any thread runs in native code, /proc at the state of every thread, and now and then one whole look that
joins waiting threads with their stacks.
"""

import random
import threading
import time
from collections.abc import Collection

import msgspec

from collectors.entities import WorkerKey
from collectors.host import Host
from collectors.inside.folder import ProcessFolder, Vanished
from collectors.native.sampler import NativeSampler, NativeSamples
from collectors.native.symbol_cache import SymbolCache
from collectors.profiles.child import Child
from collectors.profiles.interned import Interned
from collectors.profiles.profile import Missing, NativeCount, Profile, ProfileCost, ProfileSpec, ThreadProfile
from collectors.profiles.python_stacks import PythonStacks, Recorder
from collectors.profiles.rates import (
    DUMP_SECONDS_APART,
    DUMPS_PER_SECOND,
    LOOKS_PER_SECOND,
    NATIVE_HERTZ,
    affordable_hertz,
    pause_seconds,
)
from collectors.profiles.source_calls import calls_of
from collectors.profiles.task_watch import TaskWatch
from collectors.reading import Unsupported

LONGEST_SECONDS = 300.0
_DRAIN_SECONDS = 0.25


def take_profile(
    host: Host, key: WorkerKey, spec: ProfileSpec, calls: Collection[str] = (), stop: threading.Event | None = None,
    symbols: SymbolCache | None = None,
) -> Profile | Missing:  # fmt: skip
    """The profile, or why there is none. Parts that could not be had are in its `missing`. `stop` ends it early with
    what was seen so far; `symbols` remembers what earlier profiles looked up. Blocks for about `spec.seconds`; never
    raises for a state of the host."""
    try:
        with ProcessFolder(host, key) as folder:
            return _Taking(folder, spec, calls, stop or threading.Event(), symbols).run()
    except Vanished:
        return Missing("python", "the process ended", "ask for one that still runs")
    except OSError as error:
        return Missing("python", f"/proc/{key.pid}: {error.strerror}", "mount /proc without hidepid for the sidecar")


class _Taking:
    """One profile while it is taken."""

    def __init__(
        self, folder: ProcessFolder, spec: ProfileSpec, calls: Collection[str], stop: threading.Event,
        symbols: SymbolCache | None,
    ) -> None:  # fmt: skip
        self._folder = folder
        self._spec = spec
        self._calls = calls
        self._stop = stop
        self._symbols = symbols
        self._interned = Interned()
        self._python = PythonStacks(folder, self._interned)
        self._native: NativeSampler | None = None
        self._next_drain = 0.0
        self._native_no: Unsupported | None = None
        self._natives: NativeSamples | None = None
        self._cpu_at = time.thread_time()
        self._wall_ns = time.time_ns()
        self._began = time.monotonic()

    def run(self) -> Profile:
        self._watch = TaskWatch(self._folder)
        try:
            hertz = affordable_hertz(self._spec, len(self._watch.tids))
            self._began = time.monotonic()
            match self._spec.kind:
                case "probe":
                    self._watch.look()
                    self._look_whole()
                case "burst":
                    hertz = self._burst(hertz)
                case "blocking":
                    self._blocking(hertz)
            return self._profile(hertz)
        finally:
            if self._native is not None:
                self._native.close()
            self._watch.close()

    def _burst(self, hertz: int) -> int:
        """The rate at which running threads were looked at."""
        self._look_whole()  # says first whether, and how, the others can look
        self._start_native()
        seconds = self._spec.seconds
        recorders = [("gil", self._python.recorder(hertz, seconds, ["--nonblocking", "--gil"]))]
        if self._python.by_dumps:
            self._record(recorders, 1 / DUMPS_PER_SECOND)
            return DUMPS_PER_SECOND
        recorders.append(("active", self._python.recorder(hertz, seconds, ["--nonblocking"])))
        self._record(recorders, DUMP_SECONDS_APART)
        return hertz

    def _blocking(self, hertz: int) -> None:
        wanted = [("--native", self._spec.native), ("--idle", self._spec.idle), ("--gil", self._spec.gil)]
        options = [word for word, asked in wanted if asked]
        part = "gil" if self._spec.gil else "active"
        self._record([(part, self._python.recorder(hertz, self._spec.seconds, options))], None)

    def _record(self, recorders: list[tuple[str, Recorder | None]], dumps_apart: float | None) -> None:
        running = [(part, recorder) for part, recorder in recorders if recorder is not None]
        try:
            self._loop([recorder.child for _, recorder in running], dumps_apart)
            for _, recorder in running:
                recorder.child.end()
            for part, recorder in running:
                recorder.child.wait()
                self._python.take_record(recorder, self._watch.tids, part)
        finally:
            for _, recorder in running:
                recorder.child.close()

    def _loop(self, children: list[Child], dumps_apart: float | None) -> None:
        """Look until the recorders ended (or, without any, the time is over), the process ended, or somebody wants it to
        end. A recorder ends by itself after its number of looks, whose gaps are random; `Child` bounds it."""
        now = time.monotonic()
        end = now + min(self._spec.seconds, LONGEST_SECONDS)
        next_dump = now + random.uniform(0.2, 0.6) if dumps_apart else float("inf")  # noqa: S311
        while not self._stop.is_set():
            ended = [child.poll() for child in children]
            if all(ended) and (ended or now >= end):
                break
            if not self._watch.look() and not self._python.lives():  # its only thread may just have gone on
                break
            if now >= next_dump and dumps_apart:
                self._look_whole()
                next_dump = now + dumps_apart * random.uniform(0.5, 1.5)  # noqa: S311 - not in beat with the work
            self._python.look()
            self._drain()
            self._stop.wait(random.uniform(0.6, 1.4) / LOOKS_PER_SECOND)  # noqa: S311
            now = time.monotonic()

    def _drain(self) -> None:
        """Take the native samples over in time, and sample threads that are new."""
        if self._native is not None and time.monotonic() >= self._next_drain:
            self._native.add(self._watch.tids)
            self._native.drain()
            self._next_drain = time.monotonic() + _DRAIN_SECONDS

    def _look_whole(self) -> None:
        before = self._watch.states()
        probe = self._spec.kind == "probe"
        threads = self._python.dump(polite=probe, meanwhile=self._drain)  # in a burst the other looks wait for this one
        after = self._watch.states()
        active, holder = self._python.by_dumps or probe, probe
        self._python.take_dump(threads, before, after, self._watch.tids, count_active=active, count_holder=holder)

    def _start_native(self) -> None:
        if not self._spec.native:
            return
        sampler = NativeSampler(self._folder.host, self._folder.key, self._symbols)
        self._native_no = sampler.start(self._watch.tids, NATIVE_HERTZ)
        if self._native_no is None:
            self._native = sampler
        else:
            sampler.close()

    def _profile(self, hertz: int) -> Profile:
        seconds = time.monotonic() - self._began
        if self._native is not None:
            self._natives = self._native.stop()
        native = self._native_counts()
        python = self._python
        joined = {c.tid for c in (*python.active, *python.gil)} | {c.tid for c in python.waiting}
        threads = tuple(self._named(thread, joined) for thread in self._watch.finish())
        ticks = python.dumps if self._spec.kind == "probe" or python.by_dumps else python.ticks.get("active", 0)
        gil_ticks = python.dumps if self._spec.kind == "probe" else python.ticks.get("gil", 0)
        calls = calls_of(self._folder, self._interned.frames, python.leaves(), self._calls)
        by_dumps = self._spec.kind == "burst" and python.by_dumps
        return Profile(
            key=self._folder.key,
            kind=self._spec.kind,
            at_unix_ns=self._wall_ns,
            seconds=seconds,
            hertz=round(python.dumps / seconds, 3) if by_dumps else hertz,
            ticks=ticks,
            gil_ticks=gil_ticks,
            frames=self._interned.frames,
            stacks=self._interned.stacks,
            active=python.active,
            gil=python.gil,
            waiting=python.waiting,
            native=native,
            threads=threads,
            calls=calls,
            missing=self._missing(),
            notes=self._notes(),
            cost=ProfileCost(
                cpu_seconds=python.cpu_seconds + time.thread_time() - self._cpu_at,
                stopped_seconds=self._stopped_seconds(max(ticks, gil_ticks), len(threads)),
                errors=python.errors,
                behind_seconds=python.behind_seconds,
            ),
        )

    def _named(self, thread: ThreadProfile, joined: set[int]) -> ThreadProfile:
        name = self._python.names.get(thread.tid)
        python = thread.tid in joined or name is not None
        return msgspec.structs.replace(thread, python_name=name, python=python) if name or python else thread

    def _native_counts(self) -> tuple[NativeCount, ...]:
        if self._natives is None:
            return ()
        frame = self._interned.frame
        return tuple(
            NativeCount(at.tid, frame(at.frame), count, at.kernel, None if at.caller is None else frame(at.caller))
            for at, count in self._natives.counts.items()
        )

    def _missing(self) -> tuple[Missing, ...]:
        found = list(self._python.missing.values())
        if self._watch.missing is not None:
            found.append(self._watch.missing)
        if self._native_no is not None:
            found.append(Missing("native", self._native_no.reason, self._native_no.hint))
        return tuple(found)

    def _notes(self) -> tuple[str, ...]:
        notes = list(self._natives.notes) if self._natives is not None else []
        if self._natives is not None and not self._natives.kernel_seen:
            notes.append("the kernel's part of native functions is not seen: give the sidecar CAP_PERFMON")
        if self._natives is not None and self._natives.lost:
            notes.append(f"{self._natives.lost} native samples were lost")
        if self._python.behind_seconds > 0:
            notes.append(
                f"py-spy was {self._python.behind_seconds:.1f} s behind: its rate is too high for this process"
            )
        if self._python.note:
            notes.append(self._python.note)
        return tuple(notes)

    def _stopped_seconds(self, looks: int, threads: int) -> float:
        return looks * pause_seconds(threads) if self._spec.kind == "blocking" else 0.0
