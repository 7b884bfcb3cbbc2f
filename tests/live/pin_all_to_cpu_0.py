"""gunicorn settings with the mistake of pinning every worker to the same CPU."""

import os


def post_fork(server, worker):
    os.sched_setaffinity(0, {0})
