"""Pictures of the example node at several moments."""

from datetime import UTC, datetime, timedelta

import msgspec

from advisor.documents import Snapshot
from tests.snapshots import example_snapshot

START = datetime(2026, 11, 20, 10, 0, 0, tzinfo=UTC)
START_SECONDS = START.timestamp()


def moment(second: float, **changes: object) -> Snapshot:
    """The example so many seconds after 10:00:00."""
    example = example_snapshot(**changes)
    at = (START + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return msgspec.structs.replace(example, node=msgspec.structs.replace(example.node, at=at))
