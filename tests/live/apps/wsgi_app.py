"""A WSGI application that works as `work.py` says."""

import json

import numpy  # noqa: F401 - so that a compute library is mapped, as in a model server
from work import WORK


def app(environ, start_response):
    body = json.dumps(WORK[environ["PATH_INFO"]]()).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
