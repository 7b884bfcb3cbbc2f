"""A WSGI application whose requests take 20 ms and no CPU; /health answers at once."""

import time


def app(environ, start_response):
    if environ["PATH_INFO"] != "/health":
        time.sleep(0.02)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"ok"]
