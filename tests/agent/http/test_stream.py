"""Clients hear of each new snapshot, the latest only, and are let go when the agent stops."""

import asyncio
from dataclasses import replace

import msgspec

from agent.http.updates import Updates
from tests.agent.http.example import example_deps
from tests.snapshots import LOADED, empty_snapshot, example_snapshot


async def next_event(content) -> dict[str, str]:
    event: dict[str, str] = {}
    while line := (await asyncio.wait_for(content.readline(), 10)).decode().rstrip("\n"):
        name, _, value = line.partition(": ")
        event[name] = value
    return event


async def test_each_snapshot_is_an_event_with_a_summary(make_client):
    shown = [example_snapshot(1)]
    deps = replace(example_deps(), snapshot=lambda: shown[-1])
    client = await make_client(deps)
    answer = await client.get("/v1/stream")
    assert answer.headers["Content-Type"] == "text/event-stream"
    first = await next_event(answer.content)
    assert first["event"] == "snapshot"
    summary = msgspec.json.decode(first["data"])
    assert summary["generation"] == 1
    assert summary["services"][0]["name"] == LOADED
    assert (summary["open_findings"], summary["worst"]) == (4, "critical")
    shown.append(empty_snapshot(2))
    await asyncio.to_thread(deps.updates.publish, 2)
    second = msgspec.json.decode((await next_event(answer.content))["data"])
    assert (second["generation"], second["open_findings"], second["worst"]) == (2, 0, None)
    answer.close()


async def test_a_stream_ends_when_the_agent_stops(make_client):
    deps = example_deps()
    client = await make_client(deps)
    answer = await client.get("/v1/stream")
    await next_event(answer.content)
    deps.updates.close()
    assert await asyncio.wait_for(answer.content.read(), 10) == b""


async def test_a_waiter_gets_the_latest_generation_and_skips_those_between():
    updates = Updates()
    updates.bind(asyncio.get_running_loop())
    waiter = asyncio.create_task(updates.after(0))
    await asyncio.sleep(0)
    for generation in (1, 2, 3):
        updates.publish(generation)
    assert await asyncio.wait_for(waiter, 10) == 3
    assert await updates.after(2) == 3


async def test_a_closed_source_of_updates_ends_every_wait():
    updates = Updates()
    updates.bind(asyncio.get_running_loop())
    waiter = asyncio.create_task(updates.after(0))
    await asyncio.sleep(0)
    updates.close()
    assert await asyncio.wait_for(waiter, 10) is None
    assert await updates.after(0) is None


def test_publishing_without_a_loop_or_after_its_end_is_no_error():
    updates = Updates()
    updates.publish(1)

    async def wait_in_vain() -> None:
        updates.bind(asyncio.get_running_loop())
        updates._waiters.add(asyncio.get_running_loop().create_future())

    asyncio.run(wait_in_vain())
    updates.publish(2)
    updates.close()
