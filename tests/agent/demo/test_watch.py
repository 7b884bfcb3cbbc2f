"""Which finding does the demo act on?"""

import json

import msgspec

from advisor.documents import AdviceDocument
from agent.demo.watch import Envelope, describe, most_important
from tests.agent.demo.fake_agent import advice, finding, place


def document(*findings: object) -> AdviceDocument:
    return msgspec.json.decode(json.dumps(advice(list(findings))), type=Envelope).data  # type: ignore[arg-type]


HOW = [place("env", "OMP_NUM_THREADS", "1")]


def test_the_highest_ranked_open_finding_about_the_servers_processes_is_taken() -> None:
    chosen = most_important(
        document(
            finding([7], HOW, id="other", rank=1),
            finding([101], HOW, id="second", rank=2),
            finding([102], HOW, id="first", rank=1),
        ),
        {101, 102},
    )
    assert chosen is not None
    assert chosen.id == "first"


def test_findings_that_are_quiet_closed_or_propose_nothing_are_passed_over() -> None:
    nothing = document(
        finding([101], HOW, severity="info"),
        finding([101], HOW, state="resolved"),
        finding([101], HOW, changes=[]),
    )
    assert most_important(nothing, {101}) is None


def test_a_finding_is_told_with_its_evidence_its_look_alikes_and_its_gain() -> None:
    chosen = most_important(document(finding([101], HOW)), {101})
    assert chosen is not None
    assert list(describe(chosen)) == [
        "  rule      cpu-oversubscribed-openmp (high, confidence 0.86)",
        "            2 workers x 2 threads share 2 cores",
        "  evidence  waiting_cores 1.9 cores (15 samples in 15 s, threshold 0.5)",
        "  not       cgroup-cpu-throttled: nr_throttled did not grow",
        "  change    compute_threads: 2 -> 1",
        "  gain      throughput_ratio 2 to 6, likely 3",
        "  gain      latency_p50_ratio 0.1 to 0.6, likely 0.3",
    ]
