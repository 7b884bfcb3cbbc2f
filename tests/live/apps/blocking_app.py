"""An ASGI application that computes in its coroutine for about 60 ms, as one does that calls a model there."""

import time


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    if scope["path"] != "/who":
        until = time.perf_counter() + 0.06
        while time.perf_counter() < until:
            sum(range(500))
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})
