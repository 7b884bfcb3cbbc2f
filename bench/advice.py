"""How fast is `/v1/advice` answered while sampling goes on, and does answering make sampling late?"""

import http.client
import time
from pathlib import Path
from urllib.parse import urlsplit

from agent.demo.processes import Programs
from bench.crowd import CrowdSize, start_crowd
from bench.needs import bench_bin
from bench.peers import get_json, start_agent
from bench.stats import percentile


def measure(programs: Programs, folder: Path, seconds: float, rate: float, warm_up_seconds: float) -> None:
    """`rate` requests a second at fixed times; latency counts from the time a request was due."""
    size = CrowdSize()
    print(f"crowd: {size}", flush=True)
    start_crowd(programs, size, bench_bin(programs), folder)
    _, base_url = start_agent(programs, folder / "agent")
    time.sleep(warm_up_seconds)
    before = get_json(f"{base_url}/v1/self")["data"]
    latencies_seconds, size_bytes = ask(base_url, round(rate * seconds), rate)
    after = get_json(f"{base_url}/v1/self")["data"]
    print(f"  {len(latencies_seconds)} answers of {size_bytes} bytes at {rate:g} requests a second")
    for name, share in (("p50", 0.5), ("p99", 0.99), ("worst", 1.0)):
        print(f"  {name:<6} {percentile(latencies_seconds, share) * 1e3:8.2f} ms")
    for name in ("worst_late_seconds", "late_ticks", "ticks"):
        print(f"  {name}: {before[name]} before, {after[name]} after")


def ask(base_url: str, count: int, rate: float) -> tuple[list[float], int]:
    """Ask `count` times over one kept connection; the latencies in seconds, and the size of the last answer."""
    connection = http.client.HTTPConnection(str(urlsplit(base_url).netloc), timeout=10)
    latencies_seconds: list[float] = []
    content = b""
    began = time.perf_counter()
    for number in range(count):
        due = began + number / rate
        time.sleep(max(0.0, due - time.perf_counter()))
        connection.request("GET", "/v1/advice")
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise OSError(f"/v1/advice answered {answer.status}")
        latencies_seconds.append(time.perf_counter() - due)
    connection.close()
    return latencies_seconds, len(content)
