"""Runs a victim program (`tests/programs/victims/`), profiles it, and holds what it says of itself against the digest."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from advisor.profiling.digest import digest
from advisor.profiling.table import load_table
from advisor.profiling.view import WorkerProfile
from collectors.entities import WorkerKey
from collectors.host import Host
from collectors.profiles.profile import Profile, ProfileSpec
from collectors.profiles.take import take_profile

PROGRAMS = Path(__file__).parent / "programs" / "victims"
SECONDS = 6.0
TOLERANCE = 0.05
"""Beside twice the sampling error that the digest states."""
END_SECONDS = 30.0
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "RAYON")}


@dataclass(frozen=True, kw_only=True)
class Watched:
    """What a victim said of itself, and what was seen of it meanwhile."""

    truth: Mapping[str, Any]
    seen: WorkerProfile
    profile: Profile

    @property
    def classes(self) -> Mapping[str, float]:
        return self.truth["classes"]


def watch(
    *arguments: str, python: str = sys.executable, native: bool = True, seconds: float = SECONDS, **environ: str
) -> Watched:
    """Run `arguments[0]` until it was profiled for `seconds`."""
    argv = [python, str(PROGRAMS / arguments[0]), *arguments[1:]]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env={**os.environ, **ONE_THREAD, **environ})
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", "the victim did not start"
        key = WorkerKey(process.pid, int(Path(f"/proc/{process.pid}/stat").read_text().rpartition(") ")[2].split()[19]))
        spec = ProfileSpec(kind="burst", seconds=seconds, native=native)
        profile = take_profile(Host.real(), key, spec, load_table().calls)
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=END_SECONDS)
    finally:
        process.kill()
        process.communicate()
    assert isinstance(profile, Profile), profile
    return Watched(truth=json.loads(said.splitlines()[-1]), seen=digest(profile, load_table()), profile=profile)


def check_classes(watched: Watched) -> None:
    """Every class is within `TOLERANCE` of the truth and twice its sampling error; the shares add up to 1."""
    seen, truth = watched.seen.classes, watched.classes
    wrong = []
    print()
    for work in sorted({*seen, *truth}, key=lambda work: -truth.get(work, 0.0)):
        share, real = seen.get(work), truth.get(work, 0.0)
        value, error = (share.value, share.error) if share is not None else (0.0, 0.0)
        print(f"{work:>12}: truth {100 * real:5.1f} %, digest {100 * value:5.1f} % ± {100 * error:.1f}")
        if abs(value - real) > TOLERANCE + 2 * error:
            wrong.append(work)
    assert abs(sum(share.value for share in seen.values()) - 1) < 1e-9
    assert not wrong, f"{wrong}: {watched.profile.missing} {watched.profile.notes}"
