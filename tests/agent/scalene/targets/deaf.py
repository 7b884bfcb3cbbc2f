"""Listens on a port, tells its pid in the file of its first argument, works, and does not heed SIGINT."""

import os
import signal
import socket
import subprocess
import sys

signal.signal(signal.SIGINT, signal.SIG_IGN)
with socket.create_server(("127.0.0.1", 0)):
    child = subprocess.Popen(["sleep", "300"], start_new_session=True)  # one that left the session
    with open(sys.argv[1] + ".new", "w") as stream:
        stream.write(f"{os.getpid()} {child.pid}")
    os.rename(sys.argv[1] + ".new", sys.argv[1])
    while True:
        sum(range(10_000))  # works
