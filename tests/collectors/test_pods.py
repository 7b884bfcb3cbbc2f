"""Pods in cgroup paths and the workload behind a pod's name."""

import csv

import pytest

from collectors.pods import in_pod, pod_uid, workload_of
from tests.captures import FIXTURES


def test_the_recorded_paths_yield_their_pods_and_no_others() -> None:
    with open(FIXTURES / "cgroup_paths.tsv", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert len(rows) == 18
    for row in rows:
        assert (pod_uid(row["path"]) or "-") == row["pod_uid"]
        assert in_pod(row["path"]) is (row["kubernetes"] == "True" or row["case"].startswith("sidecar"))


@pytest.mark.parametrize(
    ("pod", "workload"),
    [
        ("web-7d9f8b6c5-x2x7q", "web"),
        ("iris-model-5f7b9c8d64-zx5qk", "iris-model"),
        ("agent-x2x7q", "agent"),
        ("db-0", "db"),
        ("llama-worker", "llama-worker"),
        ("web", "web"),
    ],
)
def test_a_pods_name_loses_its_hashes(pod: str, workload: str) -> None:
    assert workload_of(pod) == workload
