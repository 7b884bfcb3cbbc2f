"""Profiles taken by the sidecar, in the form in which the profiler wants them."""

import threading
import time

from agent.profiling.profiler import Busy, Take
from agent.sidecar.client import SidecarClient
from agent.sidecar.protocol import Refusal
from collectors.entities import WorkerKey
from collectors.profiles.profile import Missing, Profile, ProfileSpec

BUSY_SECONDS = 10.0
"""For which a profile, other than a single look, waits for those that are being taken."""
_AGAIN_SECONDS = 0.25


def through_sidecar(client: SidecarClient) -> Take:
    """Ask the sidecar; its refusal is a reason like any other."""

    def take(key: WorkerKey, spec: ProfileSpec, end: threading.Event) -> Profile | Missing:
        until = time.monotonic() + (0.0 if spec.kind == "probe" else BUSY_SECONDS)
        while isinstance(taken := client.profile(key, spec, end), Refusal):
            if taken.key != "profile.busy":
                return Missing("python", taken.message, taken.hint)
            if time.monotonic() >= until or end.wait(_AGAIN_SECONDS):
                return Busy("python", taken.message, taken.hint)
        return taken

    return take
