"""What scalene runs: it hands over to the program that was asked for, as if Python had started that itself.

Runs in the target's Python (3.8 and later) and needs nothing but the standard library. `sys.argv[1]` is a file with the
program: scalene's own way of passing arguments on, `---`, reorders those that contain `--`, and scalene runs the first
argument that ends in `.py`, which for `fastapi run main.py` is the wrong file.
"""

import resource  # noqa: F401, I001 - first: see below
import json
import os
import runpy
import signal
import sys
import tempfile
import types
import zipfile

# scalene's signal handler imports `resource`. Where that is the first time and the signal comes while the program takes
# the lock of a module of its own, Python 3.11 and older fail in that import with a KeyError (`_blocking_on`).


def start(path: str) -> None:
    """Run the program of the file `path`. What scalene put in place for itself is taken away first."""
    with open(path, encoding="utf-8") as stream:
        target = json.load(stream)
    folder = os.path.dirname(path)
    if target["temporary"] is None:
        os.environ.pop("TMPDIR", None)
    else:
        os.environ["TMPDIR"] = target["temporary"]
    tempfile.tempdir = None
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started in the background: it could not be ended in order
        signal.signal(signal.SIGINT, signal.default_int_handler)
    with open(os.path.join(folder, "pid"), "w", encoding="ascii") as stream:
        stream.write(f"{os.getpid()}\n")

    safe = getattr(sys.flags, "safe_path", False)
    strangers = [p for p in sys.path if p.startswith(folder)] + [os.path.dirname(os.path.abspath(__file__))]
    for stranger in strangers if safe else [*strangers, os.getcwd()]:
        if stranger in sys.path:
            sys.path.remove(stranger)
    if target["module"] is not None:
        if not safe:
            sys.path.insert(0, os.getcwd())
        sys.argv = [target["module"], *target["arguments"]]  # runpy puts the module's path in
        runpy.run_module(target["module"], run_name="__main__", alter_sys=True)
    else:
        if not safe:
            sys.path.insert(0, os.path.dirname(os.path.realpath(target["script"])))
        sys.argv = [target["script"], *target["arguments"]]
        run_script(target["script"])


def run_script(script: str) -> None:
    path = os.path.abspath(script)
    if os.path.isdir(path) or zipfile.is_zipfile(path):
        runpy.run_path(script, run_name="__main__")
        return
    # not runpy, which changes sys.argv[0] and takes __main__ away at the end
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    main.__file__ = path
    with open(path, "rb") as stream:
        code = compile(stream.read(), path, "exec", dont_inherit=True)
    exec(code, main.__dict__)  # noqa: S102 - the program that was asked for


if __name__ == "__main__":
    start(sys.argv[1])
