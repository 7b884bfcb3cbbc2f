"""A WSGI application whose requests are BLAS calls of about ten milliseconds on one thread; /health answers at once."""

import os

import numpy as np

LAYERS = int(os.environ.get("LAYERS", "10"))
_weights = np.random.default_rng(7).random((900, 900), dtype=np.float32) / 900


def app(environ, start_response):
    body = b"ok"
    if environ["PATH_INFO"] != "/health":
        x = np.ones((64, 900), dtype=np.float32)
        for _ in range(LAYERS):
            x = np.tanh(x @ _weights)
        body = str(float(x.sum())).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
