"""What is said of a process, or of its service, above its threads: numbers, findings, limits, settings, what is missing?"""

from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from textual.content import Content

from advisor.documents import NodeStatus, ServiceStatus, WorkerStatus
from advisor.finding import Finding
from collectors.cpulist import parse_cpulist
from tui import affinity
from tui import format as fmt
from tui.lines import aligned, clipped, dotted, hanging, heading, packed
from tui.palette import BAD, QUIET, SEVERITY_COLOURS, STRONG
from tui.worker_columns import state_word
from tui.worker_rows import Row

_LABEL_WIDTH = 8


def head(row: Row, width: int) -> list[Content]:
    """Its name, its command line and its numbers, on as many lines as they need."""
    service = row.service
    name = Content(fmt.plain(service.name))
    if row.worker is None:
        owner = f"{service.manager}: {service.owner}" if service.owner else service.manager
        title: list[Content | str] = [
            clipped(name, width // 2).stylize(STRONG),
            Content.styled(fmt.plain(owner), QUIET),
            fmt.plain(service.state),
        ]
        return [dotted(title), *_wrapped(fmt.plain(service.verdict), width), *packed(_service_numbers(row), width)]
    worker = row.worker
    who = fmt.plain(worker.role) + ("" if worker.role == "front-end" else f" {worker.slot}")
    pid, state = Content.styled(f"pid {worker.pid}", STRONG), state_word(worker.state)
    others = dotted((pid, f"{who} of ", state)).cell_length
    title = [pid, Content.assemble(f"{who} of ", clipped(name, max(8, width - others))), state]
    whole = fmt.plain(worker.command)
    command = Content.styled(whole if cell_len(whole) <= width else fmt.command_line(whole), QUIET)
    return [dotted(title), clipped(command, width), *packed(_worker_numbers(row, worker), width)]


def _worker_numbers(row: Row, worker: WorkerStatus) -> Iterable[str]:
    yield f"{fmt.cores(worker.cores_used)} cores"
    yield f"{fmt.cores(worker.waiting_cores)} waiting"
    active = "" if worker.active_threads is None else f", {worker.active_threads} active"
    yield (f"{fmt.UNKNOWN} threads" if worker.threads is None else fmt.count(worker.threads, "thread") + active)
    yield f"{fmt.size(worker.resident_bytes)} memory"
    yield f"{fmt.size(worker.proportional_bytes)} PSS"
    if row.on_gpu:
        yield f"VRAM {fmt.vram(worker.gpu_memory_bytes)}, SM {fmt.percent(worker.gpu_sm_ratio)}"
    faults = worker.major_faults_per_second
    yield f"{fmt.UNKNOWN if faults is None else fmt.number(faults)} faults/s"


def _service_numbers(row: Row) -> Iterable[str]:
    service = row.service
    yield fmt.count(len(row.members), "process", "processes")
    yield f"{fmt.cores(service.cores_used)} of {fmt.cores(service.usable_cores)} cores"
    yield f"{fmt.cores(service.waiting_cores)} waiting"
    yield f"{fmt.size(service.resident_bytes)} memory"
    if row.on_gpu:
        yield f"VRAM {fmt.vram(service.gpu_memory_bytes)}, SM {fmt.percent(service.gpu_sm_ratio)}"
    if service.requests_per_second is not None:
        yield fmt.rate(service.requests_per_second)


def finding_lines(findings: Sequence[Finding], row: Row, width: int, at_most: int) -> list[Content]:
    """The open findings in which this process, or this service, is meant; the first ones and how many more there are."""
    if row.worker is None:
        meant = [one for one in findings if one.subject.name == row.service.name]
    else:
        meant = [one for one in findings if row.worker.pid in one.subject.pids]
    lines = []
    ranked = sorted((one for one in meant if one.state == "open"), key=lambda one: one.rank)
    for one in ranked[:at_most]:
        word = Content.styled(one.severity.value.upper(), SEVERITY_COLOURS[one.severity])
        line = Content.assemble(word, f" #{one.rank} {fmt.plain(one.title)}")
        hint = Content.styled("  a: what to do", QUIET)
        fits = line.cell_length + hint.cell_length <= width
        lines.append(Content.assemble(line, hint) if fits else clipped(line, width))
    if len(ranked) > at_most:
        lines.append(Content.styled(f"and {fmt.count(len(ranked) - at_most, 'more finding')}: a", QUIET))
    return lines


def limit_lines(row: Row, node: NodeStatus, workers: Iterable[WorkerStatus], width: int) -> list[Content]:
    limits = row.service.limits
    if limits is None:
        parts = [Content.styled("cgroup not readable yet", QUIET)]
    else:
        quota = "no CPU quota"
        if limits.cpu_quota_cores is not None:
            quota = f"CPU quota {fmt.cores(limits.cpu_quota_cores)} cores"
            quota += f", used up in {fmt.percent(limits.throttled_ratio)} of periods"
        memory = "no memory limit"
        if limits.memory_limit_bytes is not None:
            memory = f"memory limit {fmt.size(limits.memory_limit_bytes)}, {fmt.size(limits.memory_used_bytes)} charged"
        cpus = "no cpuset" if limits.cpus is None else f"cpuset {fmt.plain(limits.cpus)}"
        parts = [Content(part) for part in (quota, cpus, memory)]
    affinities = [] if row.worker is None else [_affinity(row.worker, node, workers)]
    return [heading("limits"), *packed([*parts, *affinities], width)]


def _affinity(worker: WorkerStatus, node: NodeStatus, workers: Iterable[WorkerStatus]) -> Content:
    """`affinity 0-1, 2 of 4 CPUs, also of pid 102`"""
    if worker.allowed_cpus is None:
        return Content(f"affinity {fmt.UNKNOWN}")
    online = frozenset(core.cpu for core in node.cores)
    try:
        cpus = f", {len(parse_cpulist(worker.allowed_cpus) & online)} of {len(online)} CPUs" if online else ""
    except ValueError:
        cpus = ""
    others = affinity.sharing(worker, workers, online)
    also = f", also of pid {fmt.pids(others, 2)}" if others else ""
    return Content(f"affinity {fmt.plain(worker.allowed_cpus)}{cpus}{also}")


def setting_lines(service: ServiceStatus, width: int) -> list[Content]:
    """Every known lever with its value and where that comes from; what could not be read says what is missing."""
    if not service.settings:
        return [heading("settings"), Content.styled("none is known of this kind of server", QUIET)]
    rows = [
        (
            Content.styled(fmt.metric_name(setting.lever), QUIET),
            Content.styled(fmt.value(setting.value), BAD if setting.unread else STRONG),
        )
        for setting in service.settings
    ]
    lines = [heading("settings")]
    labels = aligned(rows, width=width // 2, yielding=1)
    indent = max(label.cell_length for label in labels) + 2
    for setting, label in zip(service.settings, labels, strict=True):
        origin = f"{'not readable: ' if setting.unread else 'from '}{fmt.plain(setting.origin)}"
        first, *rest = _wrapped(origin, width - indent)
        lines.append(Content.assemble(label.pad_right(indent - label.cell_length), first))
        lines += [Content.assemble(" " * indent, more) for more in rest]
    return lines


def missing_lines(row: Row, width: int) -> list[Content]:
    """What nobody could read inside, each reason once, with what to grant."""
    pids: dict[str, list[int]] = {}
    for worker in row.members if row.worker is None else (row.worker,):
        for reason in worker.missing:
            pids.setdefault(reason, []).append(worker.pid)
    if not pids:
        return []
    several = row.worker is None
    parts = (fmt.plain(reason) + (f": pid {fmt.pids(of)}" if several else "") for reason, of in pids.items())
    rows = [line for part in parts for line in _wrapped(part, width - _LABEL_WIDTH - 5)]
    return [Content.styled("not readable inside", BAD), *hanging("  ", rows)]


def _wrapped(text: str, width: int) -> list[Content]:
    return list(Content(text).wrap(max(8, width)))
