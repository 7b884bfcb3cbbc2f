"""Is every number on every screen the one that `/v1` says, and is there none beside? Over recordings of real runs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

import pytest

from tests.tui.accounted import advice, gpus, migration, overview, profile, workers
from tests.tui.accounted.played import played, shown

SIZE = (200, 130)
"""The longest page fits."""


RECORDINGS: Mapping[str, Sequence[ModuleType]] = {
    "lab/oversubscribed": (overview, workers, advice, gpus, profile, migration),
    "lab/one-worker": (overview, workers, advice, migration),
    "h100/small-batches": (overview, workers, advice, gpus, migration),
    "h100/contexts": (overview, gpus),
}
"""Each with the screens that have something to say of it."""


@pytest.mark.parametrize("recording", RECORDINGS)
async def test_every_number_is_the_one_that_the_agent_says(tmp_path: Path, recording: str) -> None:
    async with played(recording, tmp_path) as agent, shown(agent, SIZE) as seen:
        for screen in RECORDINGS[recording]:
            await screen.account(seen)


async def test_every_number_of_the_past_is_the_one_that_the_agent_says_of_that_moment(tmp_path: Path) -> None:
    async with played("pieces", tmp_path) as agent, shown(agent, SIZE) as seen:
        for screen in (workers, advice):
            await screen.account(seen)
        await seen.back(2)
        for screen in (workers, advice, migration, overview):
            await screen.account(seen)
