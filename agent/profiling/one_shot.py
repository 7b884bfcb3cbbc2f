"""The command `profile`: find the processes, look into them with the rights at hand, write what was asked for."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from advisor.profiling.stored import StoredProfile
from agent.config_sources import load_config
from agent.doctor_services import configured_discovery, find_services
from agent.errors import CliError
from agent.paths import find_paths
from agent.profiling.formats.written import Format, written
from agent.profiling.keeping import Whose
from agent.profiling.profiler import Take
from agent.profiling.requested import take_requested
from agent.store.profiles import append_profile
from collectors.entities import WorkerKey
from collectors.host import Host
from collectors.inside import read_facts
from collectors.procfs import parse_stat
from collectors.profiles.profile import Missing, ProfileSpec
from collectors.profiles.rates import STOPPED_RATIO

NO_PERMISSION = 5
FAILED = 4
_PERMISSION_WORDS = ("permission", "Permission denied", "Operation not permitted")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileOptions:
    """What the command was told. `hertz` None: what the process allows."""

    seconds: float
    hertz: int | None
    native: bool
    gil: bool
    idle: bool
    form: Format
    output: Path | None


def profile_command(target: str, options: ProfileOptions, tell: Callable[[str], None]) -> int:
    """Profile and write; 0. Raises CliError: 2 no such target, 4 it could not be profiled, 5 no permission."""
    host = Host.real()
    whose = find_target(host, target)
    take, where = best_take(host, whose[0].key)
    spec = spec_of(options)
    if spec.kind == "blocking":
        spec = _told_the_cost(whose, options, spec, tell)
    names = ", ".join(str(one.key.pid) for one in whose)
    tell(f"profiling pid {names} for {options.seconds:g} s{where}")
    with _ended_by_interrupt() as end:
        result, _ = take_requested(whose, spec, take, end)
    if isinstance(result, Missing):
        denied = any(word in result.reason for word in _PERMISSION_WORDS)
        raise CliError("profile.no-permission" if denied else "profile.failed", result.reason, result.hint,
                       NO_PERMISSION if denied else FAILED)  # fmt: skip
    _refuse_empty(result)
    _write(written(result, options.form, "gil" if options.gil else None), options.output)
    for missing in result.missing:
        tell(f"without {missing.part}: {missing.reason} ({missing.hint})")
    for note in result.notes:
        tell(note)
    keep_beside(result, tell)
    return 0


def spec_of(options: ProfileOptions) -> ProfileSpec:
    """Without `--native` nothing stops the process; with it, py-spy has to, for each look."""
    return ProfileSpec(
        kind="blocking" if options.native else "burst",
        seconds=options.seconds,
        hertz=options.hertz or 50,
        native=True,
        idle=options.idle,
        gil=options.gil,
    )


def find_target(host: Host, target: str) -> list[Whose]:
    """The processes meant by a pid or a service's name. Raises CliError."""
    if target.isascii() and target.isdigit():
        pid = int(target)
        try:
            stat = parse_stat(host.read(f"{host.proc}/{pid}/stat"))
        except (OSError, ValueError):
            raise CliError("profile.no-target", f"there is no process {pid}", "name one that runs") from None
        return [Whose(WorkerKey(pid, stat.started), f"pid {pid} ({stat.comm})", "", None)]
    services, _ = find_services(host, configured_discovery(), lambda key, asked: read_facts(host, key, asked))
    for service in services:
        if service.name == target:
            return [Whose.of(service, worker.key) for worker in service.serving]
    known = ", ".join(service.name for service in services) or "none runs"
    raise CliError("profile.no-target", f"there is no service {target!r}", f"services: {known}; or name a pid")


def best_take(host: Host, key: WorkerKey) -> tuple[Take, str]:
    """Our own rights where they suffice, else those of a sidecar that runs."""
    from agent.assembly import direct_take

    own = direct_take(host)
    try:
        os.close(os.open(f"{host.proc}/{key.pid}/mem", os.O_RDONLY | os.O_CLOEXEC))
        return own, ""
    except OSError:
        pass
    config = load_config().config
    paths = find_paths(config, os.environ)
    if not paths.sidecar_socket.is_socket():
        return own, ""
    from agent.daemon import sidecar_process
    from agent.profiling.through_sidecar import through_sidecar

    sidecar = sidecar_process(paths, config)
    sidecar.start()
    return through_sidecar(sidecar.client), " through the sidecar"


@contextmanager
def _ended_by_interrupt() -> Iterator[threading.Event]:
    """Ctrl-C ends the profile early, with what was seen; the second one ends the command."""
    end = threading.Event()
    before = signal.getsignal(signal.SIGINT)

    def interrupted(*_: object) -> None:
        signal.signal(signal.SIGINT, before)
        end.set()

    signal.signal(signal.SIGINT, interrupted)
    try:
        yield end
    finally:
        signal.signal(signal.SIGINT, before)


def _told_the_cost(
    whose: list[Whose], options: ProfileOptions, spec: ProfileSpec, tell: Callable[[str], None]
) -> ProfileSpec:
    """Measure what one blocking look costs, say so, and take a rate that the process can bear unless one was named."""
    from collectors.profiles.blocking import measured_pause

    pause, threads = max(measured_pause(one.key.pid) for one in whose)
    hertz = options.hertz or max(1, min(50, int(STOPPED_RATIO / pause)))
    tell(
        f"each look with native stacks stops the process for about {pause * 1e3:.1f} ms (measured; {threads} threads): "
        f"at {hertz} looks a second it stands still for {min(1.0, hertz * pause):.0%} of the time"
    )
    return msgspec.structs.replace(spec, hertz=hertz)


def _refuse_empty(profile: StoredProfile) -> None:
    """A process of which no stack of any kind could be had is no profile."""
    if profile.stacks:
        return
    no = next((m for m in profile.missing if m.part == "python"), None)
    if no is not None:
        denied = any(word in no.reason for word in _PERMISSION_WORDS)
        raise CliError("profile.no-permission" if denied else "profile.failed", no.reason, no.hint,
                       NO_PERMISSION if denied else FAILED)  # fmt: skip


def _write(body: bytes, output: Path | None) -> None:
    if output is None:
        sys.stdout.buffer.write(body if body.endswith(b"\n") else body + b"\n")
        return
    try:
        output.write_bytes(body)
    except OSError as error:
        raise CliError("profile.output", f"{output}: {error.strerror}", "name a file that can be written") from error


def keep_beside(profile: StoredProfile, tell: Callable[[str], None]) -> None:
    """Into the database of this user, where there is one: its agent then shows the profile with its own."""
    path = find_paths(load_config().config, os.environ).db
    if not path.is_file():
        return
    try:
        append_profile(path, profile)
        tell(f"kept as profile {profile.id}")
    except (CliError, ValueError) as error:  # the profile itself was written
        tell(f"not kept: {error}")
