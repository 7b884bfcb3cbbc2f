"""The agent that watches the real servers of one module."""

from collections.abc import Iterator

import pytest

from tests.agent.running import Agent, agent


@pytest.fixture(scope="module")
def watching(tmp_path_factory) -> Iterator[Agent]:
    with agent(tmp_path_factory.mktemp("agent")) as running:
        yield running
