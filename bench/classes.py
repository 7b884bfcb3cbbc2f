"""Do the classes of work agree with what perf sees of the same process at the same time?

    python bench/classes.py PID ...        (as root, with linux-perf; the servers under load)

perf samples the CPU clock at 199 Hz with copies of the stack, and unwinds them by itself. A sample counts for the shared object
of its function; where that is the C library or the interpreter, for the nearest object of another that called it, up to the
interpreter's loop. That needs none of our tables. The objects are put into the coarse groups below by hand; classes are added
up to the same groups. What the interpreter itself runs has
no class for perf, so it is compared as a whole: everything that is not numeric code, waiting in pools, or the kernel.
"""

import re
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from advisor.profiling.digest import digest
from advisor.profiling.table import load_table
from agent.profiling.one_shot import find_target
from bench.crowd import NotHereError
from collectors.host import Host
from collectors.native.symbol_cache import SymbolCache
from collectors.profiles.profile import Missing, ProfileSpec
from collectors.profiles.take import take_profile

SECONDS = 8
NUMERIC = re.compile(
    r"openblas|mkl|blis|dnnl|libtorch|torch_python|libc10|onnxruntime|_multiarray_umath|_umath_linalg|"
    r"_libsvm|_liblinear|cython_blas|libmvec|libm\.so|_tree\.|lightgbm|xgboost|libgomp|libomp|libiomp|\[JIT\]|//anon"
)
INTERPRETER = re.compile(r"libpython|/python[\d.]*$|python[\d.]*$")
OF_CLASSES: Mapping[str, tuple[str, ...]] = {"numeric": ("kernel", "array", "trees", "spin"), "unknown": ("unknown",)}
SHARED = re.compile(r"/lib(?:c|m|pthread|stdc\+\+|gcc_s)[-.\d][^/]*$|\[vdso\]|\[kernel|\[unknown\]")
LOOP = "_PyEval_EvalFrameDefault"
FRAME = re.compile(r"^\s+[0-9a-f]+ (.*) \((.*)\)$")


def perf_shares(pid: int, seconds: float) -> Counter[str]:
    """Share of the process's CPU samples by shared object. Raises NotHereError without a perf that works."""
    with tempfile.TemporaryDirectory(prefix="nodewright-bench-") as folder:
        data = str(Path(folder, "perf.data"))
        record = ["perf", "record", "-q", "-e", "cpu-clock", "-F", "199", "--call-graph", "dwarf,2048", "-p", str(pid),
                  "-o", data, "--", "sleep", str(seconds)]  # fmt: skip
        try:
            subprocess.run(record, check=True, capture_output=True, timeout=seconds + 60)
            script = ["perf", "script", "-i", data, "-F", "ip,sym,dso", "--no-inline"]
            text = subprocess.run(script, check=True, capture_output=True, text=True, timeout=300).stdout
        except (OSError, subprocess.SubprocessError) as error:
            raise NotHereError(f"perf does not record here: {error}") from error
    found: Counter[str] = Counter()
    for block in text.split("\n\n"):
        frames = [(match[1], match[2]) for line in block.splitlines() if (match := FRAME.match(line))]
        if frames:
            found[_object(frames)] += 1
    total = max(1, found.total())
    return Counter({name: count / total for name, count in found.items()})


def _object(frames: Sequence[tuple[str, str]]) -> str:
    """The object that a stack counts for, its leaf first."""
    for name, library in frames:
        if name.startswith(LOOP):
            return library
        if not (SHARED.search(library) or INTERPRETER.search(library)):
            return library
    return next((library for _, library in frames if not library.startswith("[")), frames[0][1])


def groups_of_perf(shares: Mapping[str, float]) -> dict[str, float]:
    numeric = sum(share for name, share in shares.items() if NUMERIC.search(name))
    kernel = sum(share for name, share in shares.items() if "kernel" in name)
    interpreter = sum(share for name, share in shares.items() if INTERPRETER.search(name))
    return {
        "numeric": numeric,
        "kernel": kernel,
        "interpreter": interpreter,
        "other": 1 - numeric - kernel - interpreter,
    }


def compare(pid: int, seconds: int = SECONDS) -> None:
    """Print both views of one process."""
    host = Host.real()
    (whose,) = find_target(host, str(pid))
    seen: list[Counter[str]] = []
    perf = threading.Thread(target=lambda: seen.append(perf_shares(pid, seconds)))
    perf.start()
    spec = ProfileSpec(kind="burst", seconds=float(seconds))
    profile = take_profile(host, whose.key, spec, load_table().calls, None, SymbolCache())
    perf.join()
    if isinstance(profile, Missing) or not seen:
        raise NotHereError(profile.reason if isinstance(profile, Missing) else "perf gave nothing")
    worker = digest(profile, load_table())
    ours = {name: share.value for name, share in worker.classes.items()}
    groups = groups_of_perf(seen[0])
    numeric = sum(ours.get(name, 0.0) for name in OF_CLASSES["numeric"])
    print(f"{whose.service}: {worker.cores:.2f} cores, {worker.samples} samples")
    for missing in profile.missing:
        print(f"  without {missing.part}: {missing.reason}")
    for note in profile.notes:
        print(f"  note: {note}")
    print("  classes: " + ", ".join(f"{name} {share:.1%}" for name, share in sorted(ours.items(), key=lambda x: -x[1])))
    print("  perf:    " + ", ".join(f"{name} {share:.1%}" for name, share in groups.items()))
    print("  objects: " + ", ".join(f"{Path(name).name} {share:.1%}" for name, share in seen[0].most_common(8)))
    difference = 100 * (numeric - groups["numeric"])
    print(f"  numeric: ours {numeric:.1%}, perf {groups['numeric']:.1%}, difference {difference:+.1f} points; "
          f"unknown {ours.get('unknown', 0.0):.1%}", flush=True)  # fmt: skip


if __name__ == "__main__":
    for number in sys.argv[1:]:
        compare(int(number))
