"""Profiles over HTTP: listed, read in each format, merged, compared, and asked for."""

import base64
import hashlib
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from advisor.profiling.request import ProfileRequest, ProfileState
from agent.profiling.access import KeptProfiles, NotStarted
from agent.store.profiles import append_profile
from agent.store.reader import StoreReader
from tests.agent.http.conftest import Client, MakeClient
from tests.agent.http.example import BEARER, example_deps
from tests.agent.profiling.examples import ENCODE, MATRIX, NOON, sample, stored, two_stacks, whole

SERVICE = "gunicorn/app:8000"


class Starter:
    """Begins what it is asked for, and knows three that it began before."""

    def __init__(self) -> None:
        self.asked: list[ProfileRequest] = []
        self.refuse: NotStarted | None = None
        common = {"target": SERVICE, "at_unix_seconds": NOON, "seconds": 10.0}
        self.states = {
            "runs": ProfileState(id="runs", state="running", **common),
            "fails": ProfileState(
                id="fails", state="failed", reason="no permission", hint="grant CAP_SYS_PTRACE", **common
            ),
            "after": ProfileState(id="after", state="done", **common),
        }  # fmt: skip

    def start(self, asked: ProfileRequest) -> ProfileState:
        if self.refuse is not None:
            raise self.refuse
        self.asked.append(asked)
        return ProfileState(
            id="new", state="running", target=str(asked.target), at_unix_seconds=NOON, seconds=asked.seconds
        )

    def state(self, identity: str) -> ProfileState | None:
        return self.states.get(identity)


@pytest.fixture
def starter() -> Starter:
    return Starter()


@pytest.fixture
async def client(make_client: MakeClient, tmp_path: Path, starter: Starter) -> Client:
    """Over a real store that holds four profiles."""
    state = tmp_path / "state.db"
    for profile in (
        whole(id="full", at_unix_seconds=NOON - 86400.0, kind="request", pid=77),
        two_stacks(id="before"),
        stored([sample(MATRIX, 300), sample(ENCODE, 700)], id="after", at_unix_seconds=NOON + 60.0),
        two_stacks(id="elsewhere", service="other"),
    ):
        append_profile(state, profile)
    return await make_client(example_deps(profiles=KeptProfiles(StoreReader(state), starter)))


async def answer(client: Client, path: str, status: int = 200):
    response = await client.get(path)
    assert response.status == status, await response.text()
    return (await response.json())["data" if status < 400 else "error"]


async def test_profiles_are_listed_newest_first_and_filtered(client):
    listed = await answer(client, "/v1/profiles")
    assert [one["id"] for one in listed] == ["after", "elsewhere", "before", "full"]
    assert listed[0]["samples"] == 1000
    assert "stacks" not in listed[0]

    async def ids(query: str) -> list[str]:
        return [one["id"] for one in await answer(client, f"/v1/profiles?{query}")]

    assert await ids(f"service={SERVICE}&limit=2") == ["after", "before"]
    assert await ids("pid=77") == ["full"]
    assert await ids("kind=request") == ["full"]
    assert await ids(f"start={NOON}&end={NOON + 1}") == ["elsewhere", "before"]
    assert await ids("end=2026-10-31T00:00:00Z") == ["full"]


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "pid=-1", "kind=x", "start=soon", "colour=red"])
async def test_a_query_that_is_not_possible_is_refused(client, query):
    assert (await answer(client, f"/v1/profiles?{query}", 400))["key"].startswith("query.")


async def test_a_profile_comes_with_its_stacks_and_digest(client):
    found = await answer(client, "/v1/profiles/full")
    assert found["state"] == "done"
    assert found["profile"]["digest"]["classes"]["kernel"] == {"value": 0.7, "error": 0.02}
    assert sum(one["count"] for one in found["profile"]["stacks"]) == 1380
    assert (await answer(client, "/v1/profiles/none", 404))["key"] == "profile.unknown"


async def test_each_format_has_its_type_and_is_not_guessed_at(client):
    for style, media in [
        ("speedscope", "application/json"), ("collapsed", "text/plain; charset=utf-8"),
        ("svg", "image/svg+xml; charset=utf-8"), ("text", "text/plain; charset=utf-8"),
    ]:  # fmt: skip
        response = await client.get(f"/v1/profiles/before?format={style}")
        assert (response.status, response.headers["Content-Type"]) == (200, media)
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert ("Content-Security-Policy" in response.headers) == (style == "svg")
    text = await (await client.get("/v1/profiles/before?format=collapsed")).text()
    assert sorted(text.splitlines()) == sorted([";".join(MATRIX) + " 700", ";".join(ENCODE) + " 300"])
    scope = await (await client.get("/v1/profiles/full?format=speedscope")).json()
    assert len(scope["profiles"]) == 4
    gil = await (await client.get("/v1/profiles/full?format=collapsed&side=gil")).text()
    assert gil == ";".join(ENCODE) + " 250\n"
    assert (await answer(client, "/v1/profiles/full?format=pdf", 400))["key"] == "query.bad-value"


async def test_the_picture_may_run_its_own_script_only(client):
    response = await client.get("/v1/profiles/before?format=svg")
    policy, tree = response.headers["Content-Security-Policy"], ET.fromstring(await response.text())
    (script,) = tree.iter("{http://www.w3.org/2000/svg}script")
    digest = base64.b64encode(hashlib.sha256((script.text or "").encode()).digest()).decode()
    assert re.findall(r"script-src ([^;]*)", policy) == [f"'sha256-{digest}'"]
    assert "default-src 'none'" in policy
    assert "sandbox allow-scripts" in policy


async def test_a_running_profile_says_so_and_a_failed_one_says_why(client):
    running = await answer(client, "/v1/profiles/runs")
    assert (running["state"], running["profile"]) == ("running", None)
    failed = await answer(client, "/v1/profiles/fails")
    assert (failed["state"], failed["reason"], failed["hint"]) == ("failed", "no permission", "grant CAP_SYS_PTRACE")
    response = await client.get("/v1/profiles/runs?format=svg")
    assert (response.status, response.headers["Retry-After"]) == (409, "1")
    assert (await answer(client, "/v1/profiles/fails?format=text", 409))["message"] == "no permission"


async def test_a_finished_profile_of_a_service_keeps_the_name_that_was_asked_for(client):
    found = await answer(client, "/v1/profiles/after")
    assert (found["state"], found["target"], found["seconds"]) == ("done", SERVICE, 10.0)
    assert found["profile"]["id"] == "after"
    assert (await answer(client, "/v1/profiles/full"))["target"] == "77"


async def test_a_span_of_a_service_is_merged(client):
    merged = await answer(client, f"/v1/profiles/merged?service={SERVICE}&start={NOON - 1}&end={NOON + 61}")
    assert {tuple(one["frames"]): one["count"] for one in merged["stacks"] if one["work"] != "python"} == {
        MATRIX: 700, ENCODE: 300,
    }  # fmt: skip
    assert merged["samples"] == 2000
    response = await client.get(f"/v1/profiles/merged?service={SERVICE}&start={NOON}&end={NOON + 61}&format=collapsed")
    assert sorted((await response.text()).splitlines()) == sorted(
        [";".join(MATRIX) + " 1000", ";".join(ENCODE) + " 1000"]
    )
    assert (await answer(client, "/v1/profiles/merged?service=nobody", 404))["key"] == "profile.none"
    assert (await answer(client, "/v1/profiles/merged", 400))["key"] == "query.missing"
    assert (await answer(client, f"/v1/profiles/merged?service={SERVICE}&start=9&end=8", 400))[
        "key"
    ] == "query.bad-value"


async def test_two_profiles_are_compared_in_each_format(client):
    found = await answer(client, "/v1/profiles/diff?base=before&other=after")
    first = found["functions"][0]
    assert first["self_share"]["sure"]
    assert abs(first["self_share"]["after"] - first["self_share"]["before"]) == pytest.approx(0.4)
    picture = await client.get("/v1/profiles/diff?base=before&other=after&format=svg&colours=orange-purple")
    assert "+40.0 encode" in await picture.text()
    assert "Content-Security-Policy" in picture.headers
    text = await client.get("/v1/profiles/diff?base=before&other=after&format=text")
    assert "-40.0 ± 2.1" in await text.text()
    spans = f"base_start={NOON - 1}&base_end={NOON + 1}&other_start={NOON + 50}&other_end={NOON + 70}"
    same = await answer(client, f"/v1/profiles/diff?service={SERVICE}&{spans}")
    assert same["functions"] == found["functions"]


@pytest.mark.parametrize(
    ("query", "status", "key"),
    [
        ("base=before", 400, "query.missing"),
        (f"service={SERVICE}&base_start=1&base_end=2", 400, "query.missing"),
        (f"service={SERVICE}&base=before&other=after", 400, "query.missing"),
        ("base=before&other=none", 404, "profile.unknown"),
        ("base=before&other=runs", 409, "profile.running"),
        ("base=before&other=after&format=collapsed", 400, "query.bad-value"),
    ],
)
async def test_a_comparison_that_is_not_possible_is_refused(client, query, status, key):
    assert (await answer(client, f"/v1/profiles/diff?{query}", status))["key"] == key


async def test_a_profile_is_begun_with_the_token_only(client, starter):
    body = {"target": 812, "seconds": 5, "hertz": 50, "gil": True}
    assert (await client.post("/v1/profiles", json=body)).status == 401
    assert starter.asked == []
    response = await client.post("/v1/profiles", json=body, headers=BEARER)
    assert (response.status, response.headers["Location"]) == (202, "/v1/profiles/new")
    assert (await response.json())["data"]["state"] == "running"
    assert starter.asked == [ProfileRequest(target=812, seconds=5.0, hertz=50, gil=True)]
    assert (await client.post("/v1/profiles", json={"target": SERVICE}, headers=BEARER)).status == 202
    assert starter.asked[1] == ProfileRequest(target=SERVICE, seconds=10.0, hertz=100)


@pytest.mark.parametrize(
    "body",
    [
        {}, {"target": 1, "seconds": 0.5}, {"target": 1, "seconds": 301}, {"target": 1, "hertz": 0},
        {"target": [1]}, {"target": 1, "nativ": True}, {"target": 1, "seconds": "5"},
    ],
)  # fmt: skip
async def test_a_request_out_of_range_is_refused_by_name(client, starter, body):
    response = await client.post("/v1/profiles", json=body, headers=BEARER)
    assert response.status == 400
    error = (await response.json())["error"]
    assert error["key"] == "body.invalid"
    assert re.search(r"target|seconds|hertz|nativ", error["message"])
    assert starter.asked == []


@pytest.mark.parametrize(
    ("cause", "status", "key"),
    [("off", 409, "profile.off"), ("unknown", 404, "profile.target-unknown"), ("busy", 429, "profile.busy")],
)
async def test_why_a_profile_was_not_begun_is_answered(client, starter, cause, status, key):
    starter.refuse = NotStarted(cause, "a reason", "a hint")
    response = await client.post("/v1/profiles", json={"target": 5}, headers=BEARER)
    assert response.status == status
    assert (await response.json())["error"] == {"key": key, "message": "a reason", "hint": "a hint"}


async def test_an_agent_without_profiles_lists_none_and_begins_none(make_client):
    client = await make_client(example_deps())
    assert await answer(client, "/v1/profiles") == []
    response = await client.post("/v1/profiles", json={"target": 5}, headers=BEARER)
    assert (response.status, (await response.json())["error"]["key"]) == (409, "profile.off")
    read_only = await make_client(example_deps(read_only=True))
    assert (await read_only.post("/v1/profiles", json={"target": 5}, headers=BEARER)).status == 403
