"""Which workload does a pod's name belong to?

A pod's name ends in hashes that change with each restart or rollout, so what is to last is kept under the workload.
"""

import re

_RANDOM = "[bcdfghjklmnpqrstvwxz2456789]"
"""The letters that Kubernetes makes random suffixes of."""
_SUFFIX = re.compile(rf"(?:-{_RANDOM}{{6,10}})?-{_RANDOM}{{5}}$|-\d+$")
_REVISION = re.compile(r"-\d{5}-deployment$")
"""Knative names a Deployment after the revision, which each change of the service makes anew."""


def workload_of(pod_name: str) -> str:
    """The pod's name without what changes: `web-7d9f8b6c5-x2x7q` and `web-x2x7q` are `web`, `db-0` is `db`,
    `iris-predictor-00002-deployment-7d9f8b6c5-x2x7q` is `iris-predictor`."""
    return _REVISION.sub("", _SUFFIX.sub("", pod_name)) or pod_name
