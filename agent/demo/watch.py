"""What does the agent advise for the demo's server? Asked of a running daemon over HTTP, as any program would."""

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

import nodewright
from advisor.documents import AdviceDocument
from advisor.finding import Finding, Severity
from agent.demo.launch import DemoError
from agent.demo.processes import Programs
from agent.demo.serving import Server, free_ports, wait_until_ready

POLL_SECONDS = 1.0
START_SECONDS = 20.0


class Envelope(msgspec.Struct, frozen=True):
    data: AdviceDocument


def start_daemon(programs: Programs, folder: Path) -> tuple[str, subprocess.Popen[bytes]]:
    """A daemon of the demo's own, on a free loopback port, with its state in `folder`: its address and its process."""
    [port] = free_ports(1)
    log = folder / "agent.log"
    database, address = folder / "state.db", f"127.0.0.1:{port}"
    own = {"STATE_DIRECTORY": str(folder), "RUNTIME_DIRECTORY": str(folder)}
    daemon = programs.start(
        [sys.executable, str(nodewright.__file__), "run", "--db", str(database), "--listen", address],
        env={**os.environ, **own},
        cwd=folder,
        log=log,
    )
    wait_until_ready(daemon, f"http://{address}/healthz", START_SECONDS, log)
    return f"http://{address}", daemon


def read_advice(base_url: str) -> AdviceDocument:
    """The agent's advice at this moment. DemoError if it does not answer or answers something else."""
    try:
        with urllib.request.urlopen(f"{base_url}/v1/advice", timeout=5) as answer:  # noqa: S310 - the user's own agent
            return msgspec.json.decode(answer.read(), type=Envelope).data
    except (OSError, msgspec.MsgspecError) as problem:
        raise DemoError(f"{base_url}/v1/advice: {problem}", "is an agent running there?") from problem


def most_important(advice: AdviceDocument, pids: set[int]) -> Finding | None:
    """What to act on first for the processes `pids`: the first open finding above `info` that proposes a change."""
    ours = [
        finding
        for finding in advice.findings
        if pids & set(finding.subject.pids)
        and finding.severity is not Severity.INFO
        and finding.state == "open"
        and finding.changes
    ]
    return min(ours, key=lambda finding: finding.rank, default=None)


def wait_for_advice(base_url: str, server: Server, seconds: float, check: Callable[[], None]) -> tuple[Finding, float]:
    """Ask until the same finding comes first twice in a row; the finding and after how many seconds.

    `check` is called each time and raises if waiting has become pointless.
    """
    began = time.monotonic()
    last, said = None, "nothing"
    while (waited := time.monotonic() - began) < seconds:
        check()
        advice = read_advice(base_url)
        finding = most_important(advice, set(server.pids()))
        said = "; ".join(service.verdict for service in advice.services) or "nothing"
        if finding is not None and last == finding.id:
            return finding, waited
        last = finding.id if finding else None
        time.sleep(POLL_SECONDS)
    raise DemoError(f"no advice within {seconds:.0f} s, the agent says: {said}", "is the machine busy with other work?")


def describe(finding: Finding) -> Iterator[str]:
    """The finding in lines of text."""
    yield f"  rule      {finding.rule} ({finding.severity}, confidence {finding.confidence:.2f})"
    yield f"            {finding.title}"
    for fact in finding.evidence:
        limit = "" if fact.threshold is None else f", threshold {fact.threshold:g}"
        seen = f"{fact.samples} samples in {fact.window_seconds:g} s"
        yield f"  evidence  {fact.metric} {fact.observed:.3g} {fact.unit} ({seen}{limit})"
    for other in finding.rejected:
        yield f"  not       {other.cause}: {other.because}"
    for change in finding.changes:
        yield f"  change    {change.lever}: {change.current} -> {change.proposed}"
    for gain in finding.gains:
        yield f"  gain      {gain.metric} {gain.p10:.3g} to {gain.p90:.3g}, likely {gain.p50:.3g}"
