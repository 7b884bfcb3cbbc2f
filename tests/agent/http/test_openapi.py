"""`/openapi.json` describes every route, and all that it refers to is in it."""

import json
import re

import pytest

from agent.http.app import all_routes
from agent.http.openapi import openapi_document
from tests.agent.http.example import BEARER

CONTRACT = (
    "/healthz", "/readyz", "/metrics", "/v1/node", "/v1/services", "/v1/services/{id}/capacity",
    "/v1/workers", "/v1/workers/{id}/threads", "/v1/models", "/v1/series",
    "/v1/advice", "/v1/advice/{id}", "/v1/advice/{id}/series", "/v1/advice/{id}/history",
    "/v1/advice/{id}/verify", "/v1/history",
    "/v1/outcomes", "/v1/outcomes/{id}", "/v1/migration",
    "/v1/rules", "/v1/rules/{id}", "/v1/profiles", "/v1/profiles/merged",
    "/v1/profiles/diff", "/v1/profiles/{id}", "/v1/stream", "/v1/self", "/v1/timeline",
)  # fmt: skip


@pytest.fixture
async def described(client):
    answer = await client.get("/openapi.json")
    assert answer.status == 200
    return await answer.json()


async def test_every_path_of_the_interface_is_described(described):
    assert described["openapi"].startswith("3.1")
    assert set(CONTRACT) == set(described["paths"])
    assert set(described["paths"]["/v1/advice/{id}"]) == {"get", "post"}


async def test_every_reference_leads_to_a_component(described):
    names = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(described)))
    assert {"AdviceDocument", "Finding", "Problem", "ServiceStatus", "AckRequest"} <= names
    assert names <= set(described["components"]["schemas"])


async def test_operations_have_unique_ids_answers_and_declared_path_parameters(described):
    operations = [(path, one) for path, methods in described["paths"].items() for one in methods.values()]
    ids = [one["operationId"] for _, one in operations]
    assert len(ids) == len(set(ids))
    for path, one in operations:
        assert one["summary"]
        assert {"200", "default"} == set(one["responses"])
        declared = {p["name"] for p in one["parameters"] if p["in"] == "path"}
        assert declared == set(re.findall(r"{(\w+)}", path))


async def test_writing_is_described_as_needing_the_token(described):
    assert described["paths"]["/v1/advice/{id}"]["post"]["security"] == [{"token": []}]
    assert {} in described["paths"]["/v1/node"]["get"]["security"]


@pytest.mark.parametrize("route", [one for one in all_routes("0") if one.path != "/v1/stream"], ids=lambda r: r.path)
async def test_every_route_answers_in_the_envelope_or_its_own_format(client, route):
    path = route.path.replace("{id}", "memory-pressure")
    answer = await client.request(route.method, path, headers=BEARER)
    body = await answer.text()
    if route.path not in ("/metrics", "/openapi.json"):
        assert set(json.loads(body)) in ({"data"}, {"error"})


def test_what_is_not_known_of_the_past_is_described_beside_the_data() -> None:
    paths = openapi_document(all_routes(""), "0.0.0")["paths"]
    schemas = {
        path: paths[path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]["properties"]
        for path in ("/v1/services", "/v1/rules")
    }
    assert schemas["/v1/services"]["past"] == {"$ref": "#/components/schemas/PastStatus"}
    assert "past" not in schemas["/v1/rules"]
