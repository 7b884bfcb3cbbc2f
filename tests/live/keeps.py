"""A WSGI application that holds HELD_MIB from its start and keeps LEAK_KIB more for each request, up to MOST_MIB."""

import os

import numpy as np

HELD = np.ones(int(os.environ.get("HELD_MIB", "0")) << 20, np.uint8)
LEAK_BYTES = int(os.environ.get("LEAK_KIB", "0")) << 10
MOST_BYTES = int(os.environ.get("MOST_MIB", "0")) << 20
KEPT = []


def app(environ, start_response):
    if environ["PATH_INFO"] != "/health" and LEAK_BYTES and len(KEPT) * LEAK_BYTES < MOST_BYTES:
        KEPT.append(np.ones(LEAK_BYTES, np.uint8))
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
