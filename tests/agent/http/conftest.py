"""Clients of an interface over a constructed snapshot."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from agent.http.app import build_app
from agent.http.deps import HttpDeps
from tests.agent.http.example import example_deps

Client = TestClient[Any, Any]
MakeClient = Callable[[HttpDeps], Awaitable[Client]]


@pytest.fixture
async def make_client() -> AsyncIterator[MakeClient]:
    """Opens clients, each over an app of its own."""
    clients: list[Client] = []

    async def make(deps: HttpDeps) -> Client:
        client = TestClient(TestServer(build_app(deps, "0.0.0")))
        await client.start_server()
        clients.append(client)
        return client

    yield make
    for client in clients:
        await client.close()


@pytest.fixture
async def client(make_client: MakeClient) -> Client:
    return await make_client(example_deps())
