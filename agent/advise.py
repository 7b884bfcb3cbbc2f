"""One-shot advice: sample for a while, judge, print; or ask a running daemon. Also what CI runs as a gate."""

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from advisor.documents import AdviceDocument
from advisor.finding import Finding, Severity, Subject
from agent.advice_text import render
from agent.assembly import Watch, assemble
from agent.config import LoadedConfig
from agent.errors import CliError
from agent.paths import find_paths
from agent.self_cost import SelfCost
from agent.token import read_token
from agent.witness import Witness
from nodewright import __version__

Format = Literal["text", "json", "markdown", "github"]
URL_LIMIT_BYTES = 8 << 20


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


class Baseline(msgspec.Struct, frozen=True):
    """Findings that are accepted: `{"accepted": [{"rule": …, "subject": …}]}`; an advice document works as well."""

    accepted: tuple[tuple[str, str], ...]

    @classmethod
    def load(cls, path: Path) -> "Baseline":
        try:
            text = json.loads(path.read_bytes())
        except OSError as error:
            raise CliError("baseline.unreadable", f"{path}: {error.strerror}", "give a file that exists") from error
        except ValueError as error:
            raise CliError("baseline.invalid", f"{path}: not JSON: {error}", "write it with --format json") from error
        data = text.get("data", text) if isinstance(text, dict) else {}
        entries = data.get("accepted", data.get("findings", [])) if isinstance(data, dict) else []
        pairs = []
        for entry in entries if isinstance(entries, list) else []:
            subject = entry.get("subject") if isinstance(entry, dict) else None
            name = subject.get("name") if isinstance(subject, dict) else subject
            if isinstance(entry, dict) and isinstance(entry.get("rule"), str) and isinstance(name, str):
                pairs.append((entry["rule"], name))
        return cls(tuple(pairs))

    def accepts(self, finding: Finding) -> bool:
        return (finding.rule, finding.subject.name) in self.accepted


def advise(loaded: LoadedConfig, options: AdviseOptions) -> int:
    """Print the advice. Returns 0, 1 where a finding at or above `fail_on` is not in the baseline, or raises CliError
    (2 bad usage, 4 nothing could be read)."""
    if options.recording and options.history:
        from agent.replayed_advice import print_history

        print_history(loaded, options.recording, as_json=options.format == "json")
        return 0
    baseline = Baseline.load(options.baseline) if options.baseline else Baseline(())
    if options.url:
        document = ask(options.url, client_token(loaded))
    elif options.recording:
        from agent.replayed_advice import judge_recording

        document = judge_recording(loaded, options.recording)
    else:
        document = watch_for(loaded, options.seconds)
    document = only(document, options.service)
    print(render(document, options.format))
    if options.fail_on is None:
        return 0
    limit = options.fail_on.level
    loud = (f for f in document.findings if f.severity.level >= limit and f.state == "open")
    return 1 if any(not baseline.accepts(f) for f in loud) else 0


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


def client_token(loaded: LoadedConfig) -> str | None:
    """The token that lets us read beyond loopback: from NODEWRIGHT_TOKEN, else the file of this machine's own agent."""
    return os.environ.get("NODEWRIGHT_TOKEN") or read_token(find_paths(loaded.config, os.environ).token)


def ask(url: str, token: str | None = None) -> AdviceDocument:
    """The advice of a running daemon. CliError 4 where it does not answer."""
    address = url.rstrip("/") + "/v1/advice"
    if not address.startswith(("http://", "https://")):
        raise CliError("advise.url", f"{url!r} is not an address", "give http://HOST:PORT")
    request = urllib.request.Request(address, headers={"Authorization": f"Bearer {token}"} if token else {})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - the scheme was checked
            body = answer.read(URL_LIMIT_BYTES)
    except (urllib.error.URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise CliError("advise.no-answer", f"{address}: {reason}", "is nodewright run there?", exit_status=4) from error

    class Envelope(msgspec.Struct):
        data: AdviceDocument

    try:
        return msgspec.json.decode(body, type=Envelope).data
    except msgspec.DecodeError as error:
        raise CliError("advise.no-answer", f"{address}: not an advice document: {error}", exit_status=4) from error


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
    )
