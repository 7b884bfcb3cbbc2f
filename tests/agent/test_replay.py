"""A recording plays through the same history and rules: what was recorded is judged again, and served read-only."""

import http.client
import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import msgspec
import pytest

from advisor.board import Acknowledged
from advisor.catalogue import versions
from advisor.finding import Subject, finding_id
from advisor.ledger.outcome import Measured
from advisor.ledger.snapshot import LedgerSnapshot
from advisor.profiling.view import ProfileView
from agent.cli import run_command
from agent.config import Config, LoadedConfig, PricesSettings, RuleSettings, ServiceSettings
from agent.old_recording import inferred_ticks
from agent.played import Played, play
from agent.recorded import Recorded, processes_of, services_of, settings_of, with_settings
from agent.replayed_advice import judge_recording
from agent.store.errors import BadRecording
from agent.store.recording import Recorder, RecordingMeta
from agent.store.replay import Replay
from collectors.cpu_features import CpuFeatures
from collectors.entities import Process, Role, Service, Worker, WorkerKey
from collectors.facts import Library, ProcessFacts
from collectors.gpu.samples import GpuInfoSample, nothing_known
from collectors.profiles.profile import Missing
from collectors.reading import Instant, Ok, Reading, Unsupported
from collectors.sample import Sample
from collectors.sources.cpu import CoreSample
from collectors.sources.threads import ThreadClassSample, ThreadSample
from collectors.topology import Topology
from tests.agent.http.test_outcomes import MEASURED, VERIFIED
from tests.agent.running import command, free_port

SECOND = 1_000_000_000
START = 1_790_000_000 * SECOND
KEYS = (WorkerKey(101, 7), WorkerKey(102, 8))
LOADED = LoadedConfig(config=Config(), origins={})


def the_service() -> Service:
    workers = tuple(
        Worker(
            process=Process(key=k, ppid=1, uid=0, comm="gunicorn", argv=("gunicorn", "--api-key", "hunter2-abc")),
            role=Role.WORKER,
            framework="gunicorn",
            service="gunicorn/shop:8000",
            slot=i,
            compute_libraries=("openblas",),
            request_threads=1,
        )
        for i, k in enumerate(KEYS)
    )
    return Service(
        id="s1",
        name="gunicorn/shop:8000",
        framework="gunicorn",
        application="shop",
        port=8000,
        owner=None,
        manager="bare",
        workers=workers,
        started=7,
    )


def reading(collector: str, second: float, samples: list[Sample]) -> Reading:
    at = Instant(int(second * SECOND), START + int(second * SECOND))
    return Reading(collector=collector, at=at, duration_ns=1, cpu_ns=1, late_ns=0, outcome=Ok(tuple(samples)))


def fighting(seconds: int) -> list[Reading]:
    """Two workers of two threads on two CPUs, each thread running and waiting half of the time."""
    found = []
    for second in range(seconds):
        threads: list[Sample] = []
        for key in KEYS:
            for tid, kind in ((key.pid, "main"), (key.pid + 50, "compute")):
                run = second * SECOND // 2
                threads.append(
                    ThreadSample(
                        entity=f"thread:{key.pid}:{key.started}:{tid}",
                        worker=key.entity,
                        name="gunicorn",
                        thread_class=kind,
                        state="R",
                        run_ns=run,
                        delay_ns=run,
                        timeslices=second,
                        last_cpu=tid % 2,
                        allowed_cpus="0-1",
                        busy=1,
                    )
                )
                threads.append(ThreadClassSample(entity=f"{key.entity}:{kind}", run_ns=run, delay_ns=run, threads=1))
        cores: list[Sample] = [
            CoreSample(
                entity=f"core:{c}",
                user_ticks=second * 100,
                system_ticks=0,
                iowait_ticks=0,
                irq_ticks=0,
                steal_ticks=0,
                idle_ticks=0,
            )
            for c in (0, 1)
        ]
        found += [reading("cpu", second, cores), reading("threads", second + 0.001, threads)]
    return found


def facts() -> dict[WorkerKey, ProcessFacts]:
    no = Unsupported("not recorded", "")
    return {
        k: ProcessFacts(
            key=k,
            environ=no,
            libraries=(Library("openblas", "/x"),),
            model_files=no,
            cwd=no,
            exe=no,
            listening=no,
            limits=no,
        )
        for k in KEYS
    }


@pytest.fixture
def recording(tmp_path):
    """24 ticks, judged after every second one."""
    path = tmp_path / "node.db"
    meta = RecordingMeta(node="n1", version="0", start=START, settings=settings_of(Config()), rules=versions())
    with Recorder(path, meta) as recorder:
        recorder.change(services_of([the_service()]), processes_of([the_service()], facts()))
        for number, each in enumerate(fighting(24)):
            recorder.write(each)
            if number % 2:
                recorder.end_tick(each.at)
            if number % 4 == 3:
                recorder.judged(each.at, "")
    return path


@pytest.fixture
def old(recording):
    """The same in format 1: services as they were last, no ticks, no judgements."""
    no_ticks = ("tick", "judgement", "change", "document", "profile_seen", "acknowledged", "rule_version")
    columns = "time, collector, mono_ns, wall_ns, duration_ns, cpu_ns, late_ns, status, reason, hint"
    known = Recorded(services=(the_service(),), processes=tuple(facts().values()))
    with closing(sqlite3.connect(recording)) as connection:
        connection.executescript(
            f"CREATE TABLE kept AS SELECT {columns} FROM reading; DROP TABLE reading;"
            "ALTER TABLE kept RENAME TO reading; UPDATE meta SET value = 'nodewright recording 1' WHERE key = 'format';"
            "DELETE FROM meta WHERE key NOT IN ('format', 'node', 'version', 'start', 'epoch_unix_seconds');"
            + "".join(f"DROP TABLE {name};" for name in no_ticks)
        )
        connection.execute("INSERT INTO meta VALUES ('facts', ?)", (msgspec.json.encode(known).decode(),))
        connection.commit()
    return recording


@pytest.mark.parametrize("made", ["recording", "old"])
def test_todays_rules_judge_a_recording(made, request):
    document = judge_recording(LOADED, request.getfixturevalue(made))
    assert document.node == "n1"
    assert [f.rule for f in document.findings] == ["cpu-oversubscribed-openmp"]
    assert {e.metric: e.observed for e in document.findings[0].evidence}["waiting_cores"] == pytest.approx(2.0)


def test_a_recording_holds_no_secret_of_a_command_line(recording):
    assert b"hunter2" not in recording.read_bytes()


def test_a_tick_begins_where_a_collector_comes_again_and_background_readings_set_no_time():
    late = reading("serving", 0.4, [])
    stream = [late, reading("cpu", 1, []), reading("threads", 1.1, []), reading("cpu", 2, []), late]
    found = [(tick.at.mono_ns / SECOND, [r.collector for r in tick.readings]) for tick in inferred_ticks(stream)]
    assert found == [(1.0, ["cpu", "threads", "serving"]), (2.0, ["cpu", "serving"])]


def test_what_is_read_beside_the_sampler_is_taken_in_by_the_tick_after_it():
    stream = [reading("cpu", 1, []), reading("nvidia", 1.4, []), reading("cpu", 2, []), reading("nvidia", 2.4, [])]
    found = [[r.collector for r in tick.readings] for tick in inferred_ticks(stream)]
    assert found == [["cpu"], ["cpu", "nvidia", "nvidia"]]
    longer = [*stream, reading("cpu", 3, [])]
    assert [[r.collector for r in tick.readings] for tick in inferred_ticks(longer)] == [
        ["cpu"],
        ["cpu", "nvidia"],
        ["cpu", "nvidia"],
    ]


def played_with(tmp_path, **steps: Callable[[Recorder], None]) -> tuple[Played, list[ProfileView | None]]:
    """Play 24 ticks, judged after every second one; `steps` are taken before tick N (`at_N`). Also what was known of profiles
    at each judgement."""
    path, known = tmp_path / f"{len(steps)}.db", []
    meta = RecordingMeta(node="n1", version="0", start=START, settings=settings_of(Config()))
    with Recorder(path, meta) as recorder:
        recorder.change(services_of([the_service()]), processes_of([the_service()], facts()))
        readings = fighting(24)
        for tick in range(24):
            steps.get(f"at_{tick}", lambda _: None)(recorder)
            recorder.write(readings[2 * tick])
            recorder.write(readings[2 * tick + 1])
            recorder.end_tick(readings[2 * tick].at)
            if tick % 2:
                recorder.judged(readings[2 * tick].at, "")
    return play(LOADED, path, lambda p, _: known.append(p.judging.profile_of(the_service(), 0))), known


def test_services_come_and_go_when_they_did(tmp_path):
    played, _ = played_with(tmp_path, at_21=lambda recorder: recorder.change([], []))
    assert played.services == ()
    assert [(f.rule, how) for f, how in played.judging.board.ended] == [("cpu-oversubscribed-openmp", "resolved")]


def test_what_was_acknowledged_then_is_acknowledged_again(tmp_path):
    finding = finding_id("cpu-oversubscribed-openmp", Subject(kind="service", name="gunicorn/shop:8000"), "s1")
    entry = msgspec.json.encode(Acknowledged("acknowledged", "known", None, "ops"))
    played, _ = played_with(tmp_path, at_3=lambda recorder: recorder.acknowledge(finding, entry))
    assert [(f.state, f.acknowledgement and f.acknowledgement.owner) for f in played.advice.findings] == [
        ("acknowledged", "ops")
    ]
    played, _ = played_with(
        tmp_path, at_3=lambda r: r.acknowledge(finding, entry), at_22=lambda r: r.acknowledge(finding, None)
    )
    assert [f.state for f in played.advice.findings] == ["open"]


def test_each_judgement_is_told_of_profiles_what_it_was_told_then(tmp_path):
    missing = (Missing("gil", "not installed", "pip install"),)
    view = ProfileView(age_seconds=0.0, workers=(), missing=missing)
    _, known = played_with(tmp_path, at_5=lambda recorder: recorder.profile("s1", 0, 2.25, msgspec.json.encode(view)))
    assert known == [None, None, ProfileView(age_seconds=2.25, workers=(), missing=missing), *[None] * 9]


def test_the_settings_of_then_hold_and_not_those_of_now(tmp_path):
    then = Config(rule={"cpu-oversubscribed-openmp": RuleSettings(enabled=False)})
    played, _ = played_with(tmp_path, at_0=lambda recorder: recorder.write_document("settings", settings_of(then)))
    assert [f.rule for f in played.advice.findings if f.rule == "cpu-oversubscribed-openmp"] == []


def test_what_came_of_earlier_changes_is_as_it_was_then(tmp_path):
    """Six promises of this rule that all missed by as much: its intervals were wider then."""
    plain, _ = played_with(tmp_path)
    missed = [msgspec.structs.replace(VERIFIED, id=str(number), measured=(far_off(),)) for number in range(6)]
    kept = msgspec.json.encode(LedgerSnapshot(outcomes=tuple(missed)))
    played, _ = played_with(tmp_path, at_0=lambda recorder: recorder.write_document("ledger", kept))
    (before,), (then,) = (
        [g for g in p.advice.findings[0].gains if g.metric == "throughput_ratio"] for p in (plain, played)
    )
    assert then.p50 == before.p50
    assert then.p10 < before.p10
    assert then.p90 > before.p90
    assert len(played.judging.outcomes().outcomes) == 6


def test_a_recording_of_before_the_newer_fields_replays(tmp_path):
    """The tables of GPUs had no units and no bus then, the topology no caches and the ledger nothing of devices' memory."""
    path = tmp_path / "before.db"
    ledger = msgspec.to_builtins(LedgerSnapshot(outcomes=(VERIFIED,)))
    topology = msgspec.to_builtins(Topology((), CpuFeatures(flags=("avx2",), cache_bytes=32 << 20)))
    del ledger["vram"], topology["features"]["cache_bytes"]
    meta = RecordingMeta(
        node="n1", version="0", start=START, ledger=msgspec.json.encode(ledger), topology=msgspec.json.encode(topology)
    )
    known = {"name": "NVIDIA L4", "vendor": "nvidia", "cuda_cores": 7424, "memory_bus_bits": 192}
    info = nothing_known(GpuInfoSample, "gpu:GPU-1", **known)
    with Recorder(path, meta) as recorder:
        for second in range(1, 4):
            for each in (reading("cpu", second, []), reading("nvidia", second + 0.001, [info])):
                recorder.write(each)
            recorder.end_tick(each.at)
        recorder.judged(each.at, "")
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "DROP VIEW IF EXISTS gpu_info_rates; ALTER TABLE gpu_info DROP COLUMN cuda_cores;"
            "ALTER TABLE gpu_info DROP COLUMN memory_bus_bits"
        )
    played = play(LOADED, path)
    assert played.judging.cpu == CpuFeatures(flags=("avx2",), cache_bytes=None)
    assert [one.id for one in played.judging.outcomes().outcomes] == [VERIFIED.id]
    assert played.judging.migrations.vram.corrections == {}
    with Replay(path) as replay:
        found = [s for one in replay.readings() if isinstance(one.outcome, Ok) for s in one.outcome.samples]
    old = msgspec.structs.replace(info, cuda_cores=None, memory_bus_bits=None)
    assert found == [old] * 3


def far_off() -> Measured:
    return msgspec.structs.replace(MEASURED, ratio=32.0, low=30.0, high=34.0)


def test_of_the_settings_no_address_path_or_secret_is_recorded():
    shop = ServiceSettings(slo_p99_seconds=0.2, metrics_url="http://shop/metrics?key=hunter2", pattern="shop.*")
    prices = PricesSettings(file=Path("/etc/prices.toml"), hourly=2.5)
    config = Config(
        service={"gunicorn/shop:8000": shop}, prices=prices, devices={"gpu": {"note": "see /srv/x", "hourly": 3.0}}
    )
    raw = settings_of(config)
    again = with_settings(Config(), raw, "n1")
    for word in (b"hunter2", b"shop.*", b"prices.toml", b"/srv"):
        assert word not in raw
    assert again.service == {"gunicorn/shop:8000": ServiceSettings(slo_p99_seconds=0.2)}
    assert (again.prices.hourly, again.devices, again.node_name) == (2.5, {"gpu": {"hourly": 3.0}}, "n1")


def test_rules_that_have_changed_since_are_named(recording, capsys):
    with closing(sqlite3.connect(recording)) as connection:
        connection.execute("UPDATE rule_version SET version = 'ffffffff' WHERE rule = 'gil-convoy'")
        connection.execute("DELETE FROM rule_version WHERE rule = 'workers-exceed-cores'")
        connection.commit()
    judge_recording(LOADED, recording)
    said = capsys.readouterr().err
    assert f"2 of {len(versions())} rules have changed since it was recorded: gil-convoy, workers-exceed-cores" in said


def test_the_history_of_a_recording_says_when_a_finding_opened(recording, capsys):
    assert run_command(["advise", "--recording", str(recording), "--history"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("2026-09-21T14:13:37Z  opened           high     cpu-oversubscribed-openmp")


@pytest.mark.parametrize(
    "more", [[], ["--recording", "x.db", "--format", "github"], ["--recording", "x.db", "--service", "a"]]
)
def test_a_history_is_of_a_recording_whole_and_as_text_or_json(more, capsys):
    assert run_command(["advise", "--history", *more]) == 2
    assert "--history" in capsys.readouterr().err


def test_a_file_that_is_no_recording_is_one_clear_error(tmp_path):
    (tmp_path / "x.db").write_bytes(b"no database")
    with pytest.raises(BadRecording, match="no recording"):
        judge_recording(LOADED, tmp_path / "x.db")


def test_a_replay_is_served_and_cannot_be_changed(recording, tmp_path):
    port = free_port()
    process = subprocess.Popen(
        command("replay", str(recording), "--listen", f"127.0.0.1:{port}"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"XDG_STATE_HOME": str(tmp_path), "PATH": sys.exec_prefix},
    )
    with ExitStack() as closing:
        closing.callback(end, process)
        assert process.stdout is not None
        assert b"serving" in process.stdout.readline()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        closing.callback(connection.close)
        connection.request("GET", "/v1/advice")
        document = json.loads(connection.getresponse().read())["data"]
        assert document["findings"][0]["rule"] == "cpu-oversubscribed-openmp"
        token = (tmp_path / "nodewright" / "token").read_text().strip()
        connection.request(
            "POST",
            f"/v1/advice/{document['findings'][0]['id']}",
            body=b'{"state": "acknowledged"}',
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        assert connection.getresponse().status in (403, 405, 409)
    assert process.returncode == 0


def end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.communicate(timeout=10)
