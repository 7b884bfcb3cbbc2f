"""A WSGI application whose requests do one kind of work, which KIND names; /health answers at once."""

import json
import os
import urllib.request

WORDS = {f"w{number}": number * 0.5 for number in range(400)}
BODY = json.dumps([[n * 0.001 + row for n in range(784)] for row in range(40)]).encode()


def interpreted() -> float:
    """About ten milliseconds of Python's own work."""
    total = 0.0
    for turn in range(300):
        for word, weight in WORDS.items():
            total += weight * (len(word) + turn % 7)
    return total


def waiting() -> float:
    """Asks another server, which takes 50 ms."""
    with urllib.request.urlopen(os.environ["DOWNSTREAM"], timeout=30) as answer:
        return float(len(answer.read()))


def parsing() -> float:
    """A tensor as JSON around a sum."""
    rows = json.loads(BODY)
    return float(len(json.dumps(rows))) + sum(rows[0])


KINDS = {"interpreted": interpreted, "waiting": waiting, "parsing": parsing}


def app(environ, start_response):
    body = b"ok" if environ["PATH_INFO"] == "/health" else str(KINDS[os.environ["KIND"]]()).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
