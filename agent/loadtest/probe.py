"""Does the service answer at all, and how long does it take when nothing else is asked?"""

import asyncio
from dataclasses import dataclass

import aiohttp

from agent.errors import CliError
from agent.loadtest.outcome import Outcome
from agent.loadtest.payload import Payload
from agent.loadtest.percentiles import percentile
from agent.loadtest.sending import Sender, failure_of

WARM_UP = 2
MOST_REQUESTS = 50
LEAST_REQUESTS = 5
EXCERPT_BYTES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Unloaded:
    """Latency of requests one after the other. Seconds."""

    requests: int
    p50: float
    p99: float
    first_token_p99: float | None


async def first_answer(session: aiohttp.ClientSession, payload: Payload) -> None:
    """Send one request and read its answer. CliError 4 unless it is a success."""
    try:
        async with session.request(
            payload.method, payload.url, data=payload.bodies[0], headers=payload.headers, allow_redirects=False
        ) as answer:
            body = await answer.content.read(EXCERPT_BYTES)
            status, place = answer.status, answer.headers.get("Location", "")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        reason = failure_of(error)
        raise CliError(
            "loadtest.no-answer", f"{payload.url}: {reason}", "is it a server of HTTP?", exit_status=4
        ) from error
    if status in range(200, 300):
        return
    if place:
        hint = f"it redirects to {place}, which is not followed"
    else:
        hint = body.decode("utf-8", "replace").strip() or "the answer is empty"
    message = f"{payload.method} {payload.url} is answered with HTTP {status}"
    raise CliError("loadtest.no-answer", message, hint, exit_status=4)


async def unloaded(sender: Sender, seconds: float) -> Unloaded:
    """Requests one after the other for `seconds`, a few at least and at most 50. CliError 4 where one in ten fails."""
    loop = asyncio.get_running_loop()
    begin = loop.time()
    outcomes: list[Outcome] = []
    while len(outcomes) < WARM_UP + LEAST_REQUESTS or (
        loop.time() - begin < seconds and len(outcomes) < WARM_UP + MOST_REQUESTS
    ):
        outcome = Outcome(loop.time())
        await sender.send(outcome, loop.time)
        outcomes.append(outcome)
    counted = outcomes[WARM_UP:]
    failures = [one.failure for one in counted if one.failure is not None]
    if len(failures) * 10 > len(counted):
        message = f"{len(failures)} of {len(counted)} requests failed without any load: {failures[0]}"
        raise CliError("loadtest.no-answer", message, "see the log of the service", exit_status=4)
    latencies = sorted(one.latency(loop.time()) for one in counted if one.answered)
    first = sorted(one.first_token - one.planned for one in counted if one.first_token is not None)
    p50, p99 = percentile(latencies, 0.5), percentile(latencies, 0.99)
    assert p50 is not None
    assert p99 is not None
    return Unloaded(requests=len(counted), p50=p50, p99=p99, first_token_p99=percentile(first, 0.99))


async def settled(sender: Sender, limit_seconds: float, most_seconds: float) -> None:
    """Ask one request after the other until one is answered within the limit: what was left behind is then worked off."""
    loop = asyncio.get_running_loop()
    end = loop.time() + most_seconds
    while loop.time() < end:
        outcome = Outcome(loop.time())
        await sender.send(outcome, loop.time)
        if outcome.answered and outcome.latency(loop.time()) <= limit_seconds:
            return
        await asyncio.sleep(0.05)
