"""What does the agent say of several changes to a service, and of those that were made? Constructed, for the screens."""

from msgspec.structs import replace

from advisor.documents import OutcomesDocument, Snapshot
from advisor.finding import Change, Finding, Gain, Severity, Subject, finding_id
from advisor.ledger.configuration import LeverChange
from advisor.ledger.outcome import Measured, Outcome, Promise
from advisor.ledger.scores import scored, scores
from advisor.plan import Plan, plan_of
from collectors.levers import Lever, Place
from tests.snapshots import HEALTHY, LOADED, LOADED_ID, example_snapshot

BATCHING = finding_id("batching-off", Subject(kind="service", name=LOADED), LOADED_ID)


def planned_snapshot() -> Snapshot:
    """The example with a second change for the loaded service, and the plan of both."""
    example = example_snapshot()
    cause = example.advice.findings[0]
    findings = (cause, batching(cause), *example.advice.findings[1:])
    advice = replace(example.advice, findings=findings, plans=(plan(findings), plan(findings, HEALTHY)))
    return replace(example, advice=advice)


def plan(findings: tuple[Finding, ...], service: str = LOADED) -> Plan:
    """As the advisor makes it of these."""
    own = sorted((one for one in findings if one.subject.name == service), key=lambda one: one.rank)
    recovers = {"cpu-oversubscribed-openmp": "waiting", "batching-off": "work"}
    return plan_of(service, None, own, recovers, None, None, "nothing holds it back")  # type: ignore[arg-type]


def batching(cause: Finding) -> Finding:
    place = Place(
        kind="file", target="/srv/model-settings.json", key="max_batch_size", value=8, effective=True, because=None
    )
    return replace(
        cause,
        id=BATCHING,
        rank=2,
        rule="batching-off",
        severity=Severity.MEDIUM,
        title="Requests are computed one by one",
        changes=(Change(lever=Lever.MAX_BATCH_SIZE, current=0, proposed=8, how=(place,)),),
        gains=(Gain(metric="throughput_ratio", p10=1.1, p50=1.4, p90=2.0),),
        rejected=(),
    )


def example_outcomes() -> OutcomesDocument:
    """Of the loaded service: one change that held what was said, one that did not, one that is being measured."""
    outcomes = (_waiting(), _refuted(), _verified())
    return OutcomesDocument(outcomes=outcomes, scores=scores(scored(outcomes), {}))


def _promise(*gains: Gain) -> Promise:
    cause = example_snapshot().advice.findings[0]
    return Promise(
        finding=cause.id, rule=cause.rule, rule_version="1", title=cause.title, confidence=0.86, gains=gains,
        as_proposed=True,
    )  # fmt: skip


def _verified() -> Outcome:
    throughput = Gain(metric="throughput_ratio", p10=2.1, p50=4.0, p90=9.0)
    latency = Gain(metric="latency_p99_ratio", p10=0.03, p50=0.1, p90=0.4)
    return Outcome(
        id="a1", service=LOADED, service_id=LOADED_ID, state="verified",
        changes=(LeverChange(lever="compute_threads", old=2, new=1),),
        promises=(_promise(throughput, latency),), changed_at="2026-11-18T17:20:00Z",
        measured=(
            Measured(
                metric="throughput_ratio", ratio=3.2, low=2.9, high=3.6, what="requests a second, as clients saw them",
                before=41.5, after=132.8, samples_before=40, samples_after=38,
            ),
            Measured(
                metric="latency_p99_ratio", ratio=0.52, low=0.45, high=0.6, what="p99 of the server's own histogram",
                before=0.62, after=0.32, samples_before=40, samples_after=38,
            ),
        ),
        covered={"throughput_ratio": True, "latency_p99_ratio": False},
        because="throughput × 3.20 (2.90–3.60), promised 2.10–9.00", stable=True, final=True,
        measured_at="2026-11-18T17:35:00Z",
    )  # fmt: skip


def _refuted() -> Outcome:
    throughput = Gain(metric="throughput_ratio", p10=1.2, p50=1.5, p90=2.0)
    return Outcome(
        id="a2", service=LOADED, service_id=LOADED_ID, state="refuted",
        changes=(LeverChange(lever="workers", old=2, new=4),), promises=(_promise(throughput),),
        changed_at="2026-11-19T08:00:00Z",
        measured=(
            Measured(
                metric="throughput_ratio", ratio=0.99, low=0.96, high=1.02, what="requests a second",
                before=41.5, after=41.1, samples_before=40, samples_after=38,
            ),
        ),
        covered={"throughput_ratio": False}, because="throughput × 0.99 (0.96–1.02), promised 1.20–2.00", final=True,
        rollback=(LeverChange(lever="workers", old=4, new=2),),
    )  # fmt: skip


def _waiting() -> Outcome:
    return Outcome(
        id="a3", service=HEALTHY, service_id="0f1e2d3c4b5a", state="waiting",
        changes=(LeverChange(lever="model iris", old="v1", new="v2"),), promises=(), changed_at="2026-11-20T09:59:00Z",
        because="waits for as much load as before",
    )  # fmt: skip
