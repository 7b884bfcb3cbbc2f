"""A WSGI application that maps its model's file and reads all of it for each answer."""

import mmap
import os

import numpy as np

with open(os.environ["MODEL_FILE"], "rb") as file:
    MODEL = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def app(environ, start_response):
    if environ["PATH_INFO"] != "/health":
        int(np.frombuffer(MODEL, np.uint8)[:: mmap.PAGESIZE].sum())
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
