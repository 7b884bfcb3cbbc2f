"""A load test's result is taken from whoever has the token, where it fits."""

import msgspec

from advisor.measured import MeasuredCapacity
from agent.capacities import CapacityRequest, StaleCapacity
from tests.agent.http.example import BEARER, example_deps
from tests.agent.test_capacities import AT, TOLD

PATH = "/v1/services/5f0c/capacity"
LEARNT = MeasuredCapacity(
    at=AT, knee_per_second=47.0, upper_per_second=51.0, bound="measured", workers=2, generation=3, steps=TOLD.steps
)


def learn(identity: str, told: CapacityRequest) -> MeasuredCapacity | None:
    if told.generation != 3:
        raise StaleCapacity("the configuration of web changed")
    return LEARNT if (identity, told) == ("5f0c", TOLD) else None


async def post(make_client, path: str = PATH, headers=BEARER, **change):
    client = await make_client(example_deps(learn_capacity=learn))
    answer = await client.post(path, json=msgspec.to_builtins(TOLD) | change, headers=headers)
    return answer.status, await answer.json()


async def test_it_is_taken_in_and_answered_as_kept(make_client):
    status, body = await post(make_client)
    assert status == 200
    assert msgspec.convert(body["data"], type=MeasuredCapacity) == LEARNT


async def test_without_the_token_it_is_refused(make_client):
    assert (await post(make_client, headers={}))[0] == 401


async def test_what_does_not_fit_is_refused_with_its_reason(make_client):
    status, body = await post(make_client, generation=2)
    assert (status, body["error"]["key"], body["error"]["message"]) == (
        409, "capacity.stale", "the configuration of web changed",
    )  # fmt: skip
    status, body = await post(make_client, "/v1/services/none/capacity")
    assert (status, body["error"]["key"]) == (404, "service.unknown")
    status, body = await post(make_client, knee_per_second=-1)
    assert (status, body["error"]["key"]) == (400, "body.invalid")
