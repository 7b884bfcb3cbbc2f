"""Every document is answered of an earlier moment, where one is kept."""

from collections.abc import Iterator

import msgspec
import pytest

from advisor.catalogue import pages
from advisor.documents import AdviceDocument, NodeStatus, PastStatus, Problem, Timeline
from agent.http.deps import NotNow
from agent.http.encoded import encode
from agent.http.past_snapshot import PastSnapshot
from agent.moments import RecordedPast
from agent.replay import Replayed
from tests.agent.http.example import example_deps
from tests.agent.pieces import LOADED, QUOTA, write_pieces
from tests.snapshots import example_snapshot


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replayed]:
    found = Replayed(LOADED, write_pieces(tmp_path_factory.mktemp("recording")))
    yield found
    found.moments.close()


async def test_every_document_is_answered_of_a_moment(make_client, replayed):
    client = await make_client(example_deps(replayed.snapshot, past=RecordedPast(replayed.moments), rules=pages))
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
    client = await make_client(example_deps(past=RecordedPast(replayed.moments)))
    answer = await client.get(f"/v1/node?{query}")
    assert (answer.status, (await answer.json())["error"]["key"]) == (status, key)


async def test_of_a_timeline_a_part_can_be_asked_for(make_client, replayed):
    client = await make_client(example_deps(past=RecordedPast(replayed.moments)))
    whole = replayed.moments.timeline().moments
    answer = await client.get(f"/v1/timeline?since={whole[10]}&until={whole[12]}")
    assert (await answer.json())["data"]["moments"] == list(whole[10:12])
    wrong = await client.get("/v1/timeline?since=20&until=10")
    assert (wrong.status, (await wrong.json())["error"]["key"]) == (400, "query.bad-value")


class Stored:
    """What a running agent has stored: one moment, which can be had, or why not."""

    def __init__(self, snapshot, refused=None):
        self.snapshot, self.refused = snapshot, refused
        self.waits = []

    async def timeline(self, since, until):
        return None

    async def at(self, seconds, wait_seconds):
        self.waits.append(wait_seconds)
        if self.refused is not None:
            raise self.refused
        return self.snapshot


async def test_beside_a_stored_moment_stands_what_is_not_known_of_it(make_client):
    shown, told = example_snapshot(), PastStatus(
        seen_seconds=1230.0, wanted_seconds=1200.0, shorter=None, version="0.1.0", rules_changed=(), missing=("profiles",)
    )  # fmt: skip
    then = msgspec.structs.replace(shown, node=msgspec.structs.replace(shown.node, past=told))
    client = await make_client(example_deps(past=Stored(PastSnapshot(encode(then))), rules=pages))
    name, pid = shown.services[0].name, next(iter(shown.threads))
    for path in (
        "node?at=5", "services?at=5", f"workers?at=5&service={name}", "models?at=5", f"migration?at=5&service={name}",
        "advice?at=5", "self?at=5", f"workers/{pid}/threads?at=5",
    ):  # fmt: skip
        answer = await (await client.get(f"/v1/{path}")).json()
        assert msgspec.convert(answer["past"], PastStatus) == told, path
        live = await (await client.get(f"/v1/{path.replace('at=5', '').replace('?&', '?').rstrip('?')}")).json()
        if path != "node?at=5":
            assert answer["data"] == live["data"], path
    assert "past" not in await (await client.get("/v1/services")).json()


@pytest.mark.parametrize(("again", "status", "header"), [(1.0, 503, "1"), (10.0, 503, "10"), (None, 404, None)])
async def test_a_moment_that_cannot_be_told_now_is_refused_in_one_line(make_client, again, status, header):
    problem = Problem("past.computing", "being worked out: 40 %", "ask again in a second")
    client = await make_client(example_deps(past=Stored(None, NotNow(problem, again))))
    answer = await client.get("/v1/services?at=5")
    assert (answer.status, answer.headers.get("Retry-After")) == (status, header)
    assert (await answer.json())["error"] == msgspec.to_builtins(problem)


@pytest.mark.parametrize(
    ("prefer", "waits"),
    [({}, 20), ({"Prefer": "wait=0"}, 0), ({"Prefer": 'respond-async, wait="7"'}, 7), ({"Prefer": "wait=9000"}, 60),
     ({"Prefer": "wait=soon"}, 20)],
)  # fmt: skip
async def test_whoever_asks_says_how_long_to_wait(make_client, prefer, waits):
    past = Stored(example_snapshot())
    client = await make_client(example_deps(past=past))
    assert (await client.get("/v1/node?at=5", headers=prefer)).status == 200
    assert past.waits == [waits]


async def test_where_nothing_is_stored_the_past_is_not_told(client):
    for name in ("timeline", "node?at=1790000000"):
        answer = await client.get(f"/v1/{name}")
        assert answer.status == 404
        assert (await answer.json())["error"]["key"] == "past.not-kept"
