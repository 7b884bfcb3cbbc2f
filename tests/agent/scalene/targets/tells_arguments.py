"""Writes what it was started with into the file of its first argument, works for a second of CPU time, and ends with 3."""

import json
import os
import sys
import tempfile
import time

with open(sys.argv[1], "w") as stream:
    json.dump({
        "argv": sys.argv, "name": __name__, "file": __file__, "first": sys.path[0], "folder": os.getcwd(),
        "added": os.environ.get("ADDED"), "unbuffered": os.environ.get("PYTHONUNBUFFERED"),
        "optimised": sys.flags.optimize, "temporary": [os.environ.get("TMPDIR"), tempfile.gettempdir()],
    }, stream)  # fmt: skip
while time.process_time() < 2.0:
    sum(range(10_000))  # works
sys.exit(3)
