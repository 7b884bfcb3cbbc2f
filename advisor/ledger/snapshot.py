"""What of the ledger travels: across a restart of the agent, and with a recording?"""

import msgspec

from advisor.ledger.changes import Remembered
from advisor.ledger.outcome import Outcome


class LedgerSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What came of changes, oldest first, and how each service was configured when it was seen last."""

    outcomes: tuple[Outcome, ...] = ()
    configured: tuple[Remembered, ...] = ()
