"""How many series has `/metrics` of a large node, and what does a scrape of it cost?

Two forms in turn: as the agent writes its page (at most 2,000 series by default), and every series that there is. CPU time
of the thread that makes the page; its values are new each time, as they are in a running agent.
"""

import time

from agent.http.deps import MOST_SERIES
from agent.http.exposition import Exposition
from agent.http.page import Pages
from bench.judging import CORES, SERVICES, WORKERS
from bench.large_node import GPUS, LargeNode
from bench.stats import estimate, percentile

ACCEPT = "application/openmetrics-text; version=1.0.0"
EVERYTHING = 1_000_000
SCRAPES = 10
"""A round."""


def measure(rounds: int) -> None:
    """`rounds` rounds of ten scrapes of each form, one after the other."""
    node = LargeNode()
    forms = {f"at most {MOST_SERIES} series": MOST_SERIES, "every series": EVERYTHING}
    pages = {name: Pages() for name in forms}
    spent: dict[str, list[list[float]]] = {name: [] for name in forms}
    bodies = {name: _scrape(node, pages[name], most)[1] for name, most in forms.items()}  # the first writes every label
    for _ in range(rounds):
        for name, most in forms.items():
            spent[name].append([_scrape(node, pages[name], most)[0] for _ in range(SCRAPES)])
    print(f"  {CORES} cores, {GPUS} GPUs, {SERVICES} services, {SERVICES * WORKERS} workers, everything readable")
    for name, body in bodies.items():
        means = estimate([sum(each) / len(each) for each in spent[name]])
        everything = [one for each in spent[name] for one in each]
        print(
            f"  {name}: {series_of(body)} series, {len(body) / 1e3:.0f} kB; {means.ratio:.2f} ms CPU a scrape "
            f"(95 % interval {means.low:.2f} to {means.high:.2f}, {rounds} rounds of {SCRAPES}; "
            f"95 % of scrapes below {percentile(everything, 0.95):.2f})"
        )


def series_of(body: bytes) -> int:
    return sum(not line.startswith(b"#") for line in body.splitlines())


def _scrape(node: LargeNode, pages: Pages, most: int) -> tuple[float, bytes]:
    latest = node.second()
    began = time.thread_time()
    body, _ = pages.written(Exposition(node.snapshot, latest, node.cgroups, most).families(), ACCEPT)
    return (time.thread_time() - began) * 1e3, body
