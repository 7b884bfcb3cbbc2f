"""`/metrics` needs no OpenSSL: the daemon leaves it out."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
PROGRAM = """
import sys
from agent.light import without_openssl
assert without_openssl()
from agent.http.prometheus import load_prometheus_client
load_prometheus_client()
from agent.http.exposition import Exposition
from prometheus_client.exposition import choose_encoder
from prometheus_client.parser import text_string_to_metric_families
from tests.snapshots import example_snapshot
for accepted in ("", "application/openmetrics-text"):
    encode, kind = choose_encoder(accepted)
    page = encode(Exposition(example_snapshot(), {}, {})).decode()
    print(kind.partition(";")[0], "nodewright_self_cpu_seconds_total 4.2" in page)
import urllib.request
print(sys.modules["ssl"], "_ssl" in sys.modules and sys.modules["_ssl"], hasattr(urllib.request, "HTTPSHandler"))
"""


def test_pages_are_written_in_a_process_without_openssl():
    ended = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ended.stdout.splitlines() == ["text/plain True", "application/openmetrics-text True", "None None False"], (
        ended.stderr
    )
