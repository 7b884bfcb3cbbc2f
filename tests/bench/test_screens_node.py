"""Is the node before which the screens are measured as large as the figures say?"""

import subprocess
import sys
from pathlib import Path

from tests.live.client import get_json

NODE = Path(__file__).parents[2] / "bench" / "screens_node.py"


def test_it_tells_128_workers_with_2000_threads_on_64_cores_over_http() -> None:
    with subprocess.Popen([sys.executable, str(NODE)], stdout=subprocess.PIPE, text=True) as program:
        try:
            assert program.stdout is not None
            port = int(program.stdout.readline())
            cores = get_json(port, "/v1/node")["data"]["cores"]
            workers = get_json(port, "/v1/workers")["data"]
            findings = get_json(port, "/v1/advice")["data"]["findings"]
        finally:
            program.terminate()
    assert len(cores) == 64
    assert all(core["busy_ratio"] > 0.3 for core in cores)
    assert (len(workers), sum(one["threads"] for one in workers)) == (128, 2048)
    assert findings
