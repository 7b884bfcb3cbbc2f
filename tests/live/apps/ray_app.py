"""A Ray Serve application with two replicas on a Ray node of its own, all on loopback.

    python ray_app.py PORT METRICS_PORT TEMPORARY_FOLDER

SIGTERM ends it, and with it its node. Ray replaces 127.0.0.1 by an address that others can reach; 127.0.0.2 it keeps.
"""

import asyncio
import signal
import sys

import ray
from ray import serve

WAIT_SECONDS = 0.13


@serve.deployment(num_replicas=2, max_ongoing_requests=16, ray_actor_options={"num_cpus": 0.1})
class Waiting:
    async def __call__(self, request):
        if request.method == "GET":
            return "ready"
        value = (await request.json())["value"]
        await asyncio.sleep(WAIT_SECONDS)
        if value < 0:
            raise ValueError("a negative number")
        return {"value": value}


port, metrics_port, folder = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
ray.init(
    num_cpus=2, include_dashboard=False, object_store_memory=100 << 20, _temp_dir=folder, _node_ip_address="127.0.0.2",
    _metrics_export_port=metrics_port,
)  # fmt: skip
serve.start(http_options={"host": "127.0.0.1", "port": port})
serve.run(Waiting.bind(), name="waiting", route_prefix="/predict")
signal.sigwait([signal.SIGTERM, signal.SIGINT])
serve.shutdown()
ray.shutdown()
