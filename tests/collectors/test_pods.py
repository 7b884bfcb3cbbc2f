"""The workload behind a pod's name."""

import pytest

from collectors.containers.workload import workload_of


@pytest.mark.parametrize(
    ("pod", "workload"),
    [
        ("web-7d9f8b6c5-x2x7q", "web"),
        ("iris-model-5f7b9c8d64-zx5qk", "iris-model"),
        ("agent-x2x7q", "agent"),
        ("db-0", "db"),
        ("llama-3-0", "llama-3"),
        ("llama-worker", "llama-worker"),
        ("web", "web"),
        ("iris-predictor-00002-deployment-7d9f8b6c5-x2x7q", "iris-predictor"),
        ("web-deployment-7d9f8b6c5-x2x7q", "web-deployment"),
    ],
)
def test_a_pods_name_loses_what_changes(pod: str, workload: str) -> None:
    assert workload_of(pod) == workload
