"""What of the ledger travels: across a restart of the agent, and with a recording?"""

import msgspec

from advisor.ledger.changes import Remembered
from advisor.ledger.outcome import Outcome
from advisor.migration.vram_calibration import Observed


class LedgerSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What came of changes, oldest first, how each service was configured when it was seen last, and what models held of
    devices."""

    outcomes: tuple[Outcome, ...] = ()
    configured: tuple[Remembered, ...] = ()
    vram: tuple[Observed, ...] = ()
