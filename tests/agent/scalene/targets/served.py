"""An ASGI application with one line that parses, one that multiplies and one that keeps what it allocates. `/spent` tells
the CPU seconds of the first two as the program itself measured them."""

import json
import time

import numpy
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

TEXT = json.dumps([{"id": i, "name": str(i), "values": [i, i * 2.5]} for i in range(4000)])
MATRIX = numpy.ones((500, 500))
SPENT = {"parse": 0.0, "multiply": 0.0}
KEPT = []


async def parse(request):
    began = time.thread_time()
    for _ in range(3):
        json.loads(TEXT)
    SPENT["parse"] += time.thread_time() - began
    return JSONResponse(None)


async def multiply(request):
    began = time.thread_time()
    numpy.matmul(MATRIX, MATRIX)
    SPENT["multiply"] += time.thread_time() - began
    return JSONResponse(None)


async def leak(request):
    KEPT.append(numpy.ones(100_000))
    return JSONResponse(None)


async def spent(request):
    return JSONResponse({**SPENT, "kept_bytes": sum(part.nbytes for part in KEPT)})


app = Starlette(routes=[Route(f"/{f.__name__}", f) for f in (parse, multiply, leak, spent)])
