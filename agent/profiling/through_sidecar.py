"""Profiles taken by the sidecar, in the form in which the profiler wants them."""

import threading

from agent.profiling.profiler import Take
from agent.sidecar.client import SidecarClient
from agent.sidecar.protocol import Refusal
from collectors.entities import WorkerKey
from collectors.profiles.profile import Missing, Profile, ProfileSpec


def through_sidecar(client: SidecarClient) -> Take:
    """Ask the sidecar; its refusal is a reason like any other."""

    def take(key: WorkerKey, spec: ProfileSpec, end: threading.Event) -> Profile | Missing:
        taken = client.profile(key, spec, end)
        return Missing("python", taken.message, taken.hint) if isinstance(taken, Refusal) else taken

    return take
