"""One-shot advice: sample for a while, judge, print; or ask a running daemon. Also what CI runs as a gate."""

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from advisor.documents import AdviceDocument
from advisor.finding import Severity, Subject
from agent.advice_text import render
from agent.assembly import Watch, assemble
from agent.baseline import Baseline
from agent.client import open_client
from agent.config import LoadedConfig
from agent.errors import CliError, error_line
from agent.self_cost import SelfCost
from agent.witness import Witness
from nodewright import __version__

Format = Literal["text", "json", "markdown", "github"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviseOptions:
    """What the command line asked for."""

    seconds: float = 20.0
    service: str | None = None
    format: Format = "text"
    fail_on: Severity | None = None
    recording: Path | None = None
    history: bool = False
    baseline: Path | None = None
    url: str | None = None


def advise(loaded: LoadedConfig, options: AdviseOptions) -> int:
    """Print the advice. Returns 0, 1 where a finding at or above `fail_on` is not in the baseline, or raises CliError
    (2 bad usage, 4 nothing could be read)."""
    if options.recording and options.history:
        from agent.replayed_advice import print_history

        print_history(loaded, options.recording, as_json=options.format == "json")
        return 0
    baseline = Baseline.load(options.baseline) if options.baseline else Baseline()
    if options.url:
        document = open_client(loaded, options.url).get("/v1/advice", AdviceDocument)
    elif options.recording:
        from agent.replayed_advice import judge_recording

        document = judge_recording(loaded, options.recording)
    else:
        document = watch_for(loaded, options.seconds)
    document = only(document, options.service)
    print(render(document, options.format, dim=sys.stdout.isatty() and not os.environ.get("NO_COLOR")))
    return 0 if options.fail_on is None else gate(document, options.fail_on, baseline, time.time())


def gate(document: AdviceDocument, least: Severity, baseline: Baseline, unix_seconds: float) -> int:
    """1 where an open finding is at least that severe and not accepted, else 0. What was acknowledged is not open."""
    loud = [f for f in document.findings if f.severity.level >= least.level and f.state == "open"]
    for finding in loud:
        if text := baseline.expired(finding, unix_seconds):
            print(error_line("baseline.expired", text), file=sys.stderr)
    return 1 if any(not baseline.accepts(finding, unix_seconds) for finding in loud) else 0


def watch_for(loaded: LoadedConfig, seconds: float) -> AdviceDocument:
    """Sample this node for `seconds` and judge. CliError 4 where no collector could read anything."""
    watch = collect_for(loaded, seconds)
    if not any(c.status == "ok" for c in watch.sampler.latest.collectors()):
        reason = next((f"{c.name}: {c.reason}" for c in watch.sampler.latest.collectors()), "no collector ran")
        raise CliError("advise.nothing-read", reason, "run nodewright doctor", exit_status=4)
    return watch.judging.document(watch.discovery.services, watch.host.clock.now())


def collect_for(
    loaded: LoadedConfig,
    seconds: float,
    witness: Witness | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    *,
    profile: bool = False,
) -> Watch:
    """Watch this node from the present thread for `seconds`, and tell `witness` of it. The watch is stopped then.

    `profile`: look into busy workers as a daemon does, within the same budget.
    """
    config, told = loaded.config, witness or Witness()
    watch = assemble(config, SelfCost(__version__), witness=witness)
    told.begins(watch)
    watch.background.start()
    watch.readers.start()
    if profile:
        watch.profiler.start()
    try:
        step = config.agent.interval_seconds
        planned = time.monotonic()
        end = planned + seconds
        while planned <= end + 0.01 and not should_stop():
            watch.sampler.tick(int(planned * 1e9))
            planned += step
            time.sleep(max(0.0, planned - time.monotonic()))
        now = watch.host.clock.now()
        watch.judging.judge(watch.discovery.services, now)
        told.judged(now, watch.judging.document(watch.discovery.services, now))
    finally:
        watch.stop()
    return watch


def only(document: AdviceDocument, service: str | None) -> AdviceDocument:
    """The part of the document about one service, and about the devices on which its processes are known to be."""
    if service is None:
        return document
    if all(s.name != service for s in document.services):
        known = ", ".join(s.name for s in document.services) or "none was found"
        raise CliError("advise.no-such-service", f"no service {service!r}", f"known: {known}")
    subjects = [f.subject for f in document.findings] + [i.subject for i in document.inconclusive]
    pids = frozenset(pid for subject in subjects if subject.name == service for pid in subject.pids)

    def meant(subject: Subject) -> bool:
        return subject.name == service or (subject.kind == "device" and not pids.isdisjoint(subject.pids))

    return msgspec.structs.replace(
        document,
        services=tuple(s for s in document.services if s.name == service),
        findings=tuple(f for f in document.findings if meant(f.subject)),
        inconclusive=tuple(i for i in document.inconclusive if meant(i.subject)),
        plans=tuple(plan for plan in document.plans if plan.service == service),
    )
