"""How long does `nodewright fleet` take before 1,000 nodes, and how much memory does it hold at most?

Recorded minutes of a real node (idle, healthy, with two causes of trouble) are played through the advisor; what `/metrics`
said of them is written under the names of so many nodes, each beginning at another moment, into blocks of a real Prometheus.
"""

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

import msgspec

from advisor.fleet.queries import Asking
from agent.config import Config, LoadedConfig, PricesSettings
from agent.http.exposition import Exposition
from agent.http.labels import Labels
from agent.played import Played, play
from agent.prices import node_price
from agent.snapshots import Snapshots
from agent.store.recorded_ticks import RecordedJudgement
from bench.crowd import NotHereError
from bench.day import JUDGE_EVERY_TICKS, Phase, compose
from bench.pieces import read_pieces
from bench.replay_day import PIECES, unpacked
from tests.live.debian import NoDebianError, debian_program
from tests.live.prometheus import prometheus, scraping

PHASES = ("idle", "bad", "healthy", "healthy")
MINUTES = 6
"""Of each phase; the first two are not shown, as a window fills."""
COPIES = 8
"""Of the recorded services on a node, each under a name of its own."""
EVERY_SECONDS = 30
WINDOW_SECONDS = 3600
LAUNCHER = Path(__file__).resolve().parent.parent / "nodewright.py"
PRICES = PricesSettings(currency="EUR", hourly=2.0)
Series = tuple[str, Labels]
Moment = dict[Series, float]


def measure(folder: Path, nodes: int, rounds: int) -> None:
    """Fill a Prometheus once, then run the command `rounds` times."""
    try:
        promtool = debian_program("prometheus", "promtool")
    except NoDebianError as problem:
        raise NotHereError(str(problem)) from problem
    recorded = [_recorded(folder, number, piece) for number, piece in enumerate(PHASES)]
    text = folder / "fleet.om"
    series = _write(text, recorded, nodes)
    print(
        f"  {nodes} nodes, {series} series, a sample each {EVERY_SECONDS} s: {text.stat().st_size / 1e6:.0f} MB of text",
        flush=True,
    )
    argv = [promtool, "tsdb", "create-blocks-from", "openmetrics", str(text), str(folder / "data")]
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    text.unlink()
    with prometheus(folder, scraping(())) as server:
        for number in range(rounds):
            print(f"  round {number + 1}: {_run(server.url, folder / 'answer.json')}", flush=True)


def _recorded(folder: Path, number: int, piece: str) -> list[Moment]:
    """What `/metrics` says each half minute of a composed recording, of that which the command asks for."""
    source, pieces = read_pieces(unpacked(PIECES, folder))
    path = folder / f"node-{number}.db"
    compose(path, source, pieces, [Phase(piece=piece, seconds=60 * MINUTES)], seed=number)
    wanted = set(_asked())
    moments: list[Moment] = []
    seen = 0
    shots: list[Snapshots] = []

    def look(played: Played, judgement: RecordedJudgement) -> None:
        nonlocal seen
        seen += 1
        if (seen * JUDGE_EVERY_TICKS) % EVERY_SECONDS:
            return
        shots[:] = shots or [Snapshots(played)]
        snapshot = shots[0].take(seen)
        snapshot = msgspec.structs.replace(
            snapshot, node=msgspec.structs.replace(snapshot.node, price=node_price(PRICES))
        )
        families = Exposition(snapshot, played.latest.samples(), {}).families()
        kept = [family for family in families if family.name in wanted]
        moments.append({(family.name, labels): value for family in kept for labels, value in family.values.items()})

    play(LoadedConfig(config=Config(prices=PRICES), origins={}), path, look)
    return moments[4:]


def _asked() -> Iterator[str]:
    for query in Asking().queries().values():
        yield "nodewright_" + query.partition("nodewright_")[2].partition("[")[0].partition(")")[0].partition("{")[0]


def _write(path: Path, recorded: Sequence[Sequence[Moment]], nodes: int) -> int:
    """OpenMetrics with times: each copy on a node plays a recording, from a moment of its own, over and over. The number of
    series."""
    end, chance, series = int(time.time()), random.Random(1), 0
    plays = {place: recorded[sum(place) % len(recorded)] for place in product(range(nodes), range(COPIES))}
    starts = {place: chance.randrange(len(moments)) for place, moments in plays.items()}
    every = {key for moments in recorded for moment in moments for key in moment}
    with path.open("w") as stream:
        for name in sorted({name for name, _ in every}):
            for (node, copy), moments in plays.items():
                for labels in sorted(
                    {labels for one, labels in {key for moment in moments for key in moment} if one == name}
                ):
                    if copy and "service" not in dict(labels):
                        continue
                    series += 1
                    head = _head(name, labels, f"node-{node:04d}:9753", copy)
                    for step in range(WINDOW_SECONDS // EVERY_SECONDS):
                        value = moments[(starts[node, copy] + step) % len(moments)].get((name, labels))
                        if value is not None:
                            stream.write(f"{head} {value} {end - WINDOW_SECONDS + (step + 1) * EVERY_SECONDS}\n")
        stream.write("# EOF\n")
    return series


def _head(name: str, labels: Labels, node: str, copy: int) -> str:
    own = [(key, f"{value}-{copy}" if key == "service" else value) for key, value in (("instance", node), *labels)]
    pairs = ",".join(f"{key}={msgspec.json.encode(value).decode()}" for key, value in own)
    return f"{name}{{{pairs}}}"


def _run(url: str, output: Path) -> str:
    argv = [sys.executable, str(LAUNCHER), "fleet", "--prometheus", url, "--format", "json"]
    with output.open("wb") as stream:
        began = time.monotonic()
        process = subprocess.Popen(argv, stdout=stream)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, argv)
    told = msgspec.json.decode(output.read_bytes())["data"]
    return (
        f"{wall:.2f} s (limit 10), {usage.ru_utime + usage.ru_stime:.2f} s CPU, peak {usage.ru_maxrss / 1024:.0f} MiB; "
        f"{told['node_count']} nodes, {told['service_count']} services, {len(told['items'])} items, "
        f"{len(told['inconclusive'])} that cannot be told"
    )
