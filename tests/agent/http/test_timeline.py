"""Every document is answered of an earlier moment, where one is kept."""

from collections.abc import Iterator

import msgspec
import pytest

from advisor.catalogue import pages
from advisor.documents import AdviceDocument, NodeStatus, Timeline
from agent.http.encoded import encode
from agent.replay import Replayed
from tests.agent.http.example import example_deps
from tests.agent.pieces import LOADED, QUOTA, write_pieces


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replayed]:
    found = Replayed(LOADED, write_pieces(tmp_path_factory.mktemp("recording")))
    yield found
    found.moments.close()


async def test_every_document_is_answered_of_a_moment(make_client, replayed):
    client = await make_client(example_deps(replayed.snapshot, past=replayed.moments, rules=pages))
    timeline = msgspec.convert((await (await client.get("/v1/timeline")).json())["data"], Timeline)
    at = timeline.moments[50]
    then = replayed.moments.at(at)
    for name, kept in (
        ("node", then.node), ("services", then.services), ("workers", then.workers), ("models", then.models),
        ("migration", then.migrations), ("advice", then.advice), ("self", then.self_status),
    ):  # fmt: skip
        answer = await client.get(f"/v1/{name}?at={at}")
        assert (await answer.json())["data"] == msgspec.json.decode(encode(kept)), name
    pid = then.workers[0].pid
    threads = (await (await client.get(f"/v1/workers/{pid}/threads?at={at}")).json())["data"]
    assert [one["tid"] for one in threads] == [one.tid for one in then.threads[pid]]
    now = msgspec.convert((await (await client.get("/v1/node")).json())["data"], NodeStatus)
    assert now.at == timeline.last
    text = await client.get(f"/v1/advice?at={then.node.at}&rule={QUOTA}")
    cut = msgspec.convert((await text.json())["data"], AdviceDocument)
    assert [one.rule for one in cut.findings] == [QUOTA]


@pytest.mark.parametrize(
    ("query", "status", "key"),
    [
        ("at=2026-11-26T14:51:49Z", 404, "past.before"),
        ("at=yesterday", 400, "query.bad-value"),
        ("at=1&at=2", 400, "query.twice"),
    ],
)
async def test_a_moment_that_is_not_there_is_refused(make_client, replayed, query, status, key):
    client = await make_client(example_deps(past=replayed.moments))
    answer = await client.get(f"/v1/node?{query}")
    assert (answer.status, (await answer.json())["error"]["key"]) == (status, key)


async def test_a_running_agent_says_that_it_tells_the_present_only(client):
    for name in ("timeline", "node?at=1790000000"):
        answer = await client.get(f"/v1/{name}")
        assert answer.status == 404
        assert (await answer.json())["error"]["key"] == "past.not-kept"
