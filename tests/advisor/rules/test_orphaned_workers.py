"""R57 on built hosts."""

import msgspec
import pytest

from advisor.board import Board
from advisor.catalogue import all_rules
from advisor.engine import Engine
from advisor.facts import ServiceFacts
from advisor.finding import Need
from advisor.orphaned import Orphaned, Peer, orphaned_of
from advisor.rules.orphaned_workers import OrphanedWorkers
from advisor.view import View
from collectors.entities import Role, WorkerKey
from collectors.facts import Library, Listening, ProcessFacts
from collectors.reading import Instant, Unsupported
from collectors.registry import all_frameworks
from tests.advisor.built import MIB, concluded, facts, gains, numbers, thread, verdict, view, worker

RULE = OrphanedWorkers()
SECOND_NS = 1_000_000_000
BUSY = Unsupported("not readable", "CAP_SYS_PTRACE")
CUDA = (Library("cuda", "/lib/libcudart.so"),)
USED = 8 << 30


def orphans(resident: int | None = 200 * MIB, *, established: int | None = None, idle: bool = True) -> View:
    """Two workers and their tracker, whose front-end is gone, on a node that uses 8 GiB."""
    used = 0.0 if idle else 0.4
    members = [
        *(worker(k, [thread(k, used)], resident=resident) for k in (101, 102)),
        worker(100, [thread(100, 0.0)], role=Role.SUPPORT, resident=12 * MIB),
    ]
    seen = view(members, samples=0 if idle else 15, demand=(), queue=(), delay_readable=False)
    service = msgspec.structs.replace(seen.service, orphaned=True, orphaned_ns=0)
    return msgspec.structs.replace(
        seen,
        service=service,
        loaded_now=not idle,
        established_now=established,
        memory_available_bytes=USED,
        memory_total_bytes=2 * USED,
    )


def known(
    seen: View,
    seconds: float = 60.0,
    *,
    ports: tuple[int, ...] = (),
    readable: bool = True,
    peers: tuple[Peer, ...] = (),
    libraries: tuple[Library, ...] = (),
) -> ServiceFacts:
    """What is known of the orphans, `seconds` after their front-end went."""
    listening = tuple(Listening("127.0.0.1", port, 900 + port) for port in ports)
    told = facts(seen)
    processes: dict[WorkerKey, ProcessFacts] = {
        key: msgspec.structs.replace(each, listening=listening if readable else BUSY, libraries=libraries)
        for key, each in told.processes.items()
    }
    lost = Orphaned(seconds=seconds, node_used_bytes=USED, peers=peers)
    return msgspec.structs.replace(told, processes=processes, orphaned=lost)


def peer(share: float | None = None, resident: int | None = 400 * MIB, *, one_socket: bool = True) -> Peer:
    return Peer(name="gunicorn/app:8000#2", resident_bytes=resident, share=share, one_socket=one_socket)


def level(seen: View, told: ServiceFacts) -> str:
    (found,) = Engine([RULE]).judge(seen, told).judged
    return str(found.severity)


def test_orphans_are_counted_with_what_they_hold_and_named_by_pid():
    seen = orphans()
    found = concluded(RULE, seen, known(seen, 62))
    assert numbers(found) == {
        "orphaned_workers": 2,
        "orphaned_seconds": 62,
        "orphans_resident_bytes": 400 * MIB,
        "node_used_bytes": USED,
        "orphans_listening": 0,
    }
    assert found.title == "2 workers without a front-end hold 400 MiB"
    assert "kill 101 102 (kill -9" in found.summary
    assert "parent is pid 1 now" in found.summary
    assert found.subject.pids == (101, 102)
    assert found.changes == ()
    share = 400 * MIB / USED
    assert gains(found)["memory_ratio"] == pytest.approx((1 - share, 1 - 0.75 * share, 1 - 0.5 * share), abs=1e-3)
    assert level(seen, known(seen)) == "info"


def test_a_large_part_of_the_nodes_memory_weighs_more():
    seen = orphans(3 << 30)
    found = concluded(RULE, seen, known(seen))
    assert gains(found)["memory_ratio"] == (0.25, 0.438, 0.625)
    assert level(seen, known(seen)) == "medium"


def test_beside_a_new_server_the_share_is_that_of_the_memory_of_both():
    seen = orphans()
    told = known(seen, peers=(peer(),))
    found = concluded(RULE, seen, told)
    assert numbers(found)["whole_resident_bytes"] == 800 * MIB
    assert "node_used_bytes" not in numbers(found)
    assert gains(found)["memory_ratio"] == (0.5, 0.625, 0.75)
    assert level(seen, told) == "low"


def test_a_new_server_of_unknown_size_gives_no_gain():
    seen = orphans()
    assert gains(concluded(RULE, seen, known(seen, peers=(peer(resident=None),)))) == {}


def test_a_held_port_weighs_more_than_the_memory():
    seen = orphans()
    told = known(seen, ports=(8000,))
    found = concluded(RULE, seen, told)
    assert found.title == "2 workers without a front-end hold 400 MiB and port 8000"
    assert numbers(found)["orphans_listening"] == 2
    assert "a server that is started there fails" in found.summary
    assert level(seen, told) == "medium"


@pytest.mark.parametrize(("one_socket", "where"), [(True, "from the same socket"), (False, "on the same port")])
def test_taking_requests_of_a_living_server_is_worst(one_socket: bool, where: str):
    seen = orphans()
    told = known(seen, ports=(8000,), peers=(peer(0.4, one_socket=one_socket), peer()))
    found = concluded(RULE, seen, told)
    assert numbers(found)["accepting_share"] == 0.4
    assert f"gunicorn/app:8000#2 accepts {where}: 40% of what accepts there are these 2." in found.summary
    assert level(seen, told) == "high"


def test_of_a_framework_known_from_documentation_only_even_a_harm_is_low():
    name = next(framework.name for framework in all_frameworks() if framework.evidence == "documented")
    seen = orphans()
    seen = msgspec.structs.replace(seen, service=msgspec.structs.replace(seen.service, framework=name))
    assert level(seen, known(seen, ports=(8000,))) == "low"


def test_before_gunicorns_workers_had_time_to_leave_nothing_is_said():
    seen = orphans()
    assert verdict(RULE, seen, known(seen, 15.9)) is None
    assert concluded(RULE, seen, known(seen, 16.0)).confidence == 0.95


def test_old_workers_of_an_upgrade_get_time_to_finish():
    seen = orphans(established=3)
    assert verdict(RULE, seen, known(seen, 59, peers=(peer(),))) is None
    late = concluded(RULE, seen, known(seen, 61, peers=(peer(),)))
    assert late.rejected[0].because == "61 s have passed"
    unknown = orphans(established=None)
    assert verdict(RULE, unknown, known(unknown, 59, peers=(peer(),))) is None


def test_workers_that_listen_or_have_no_connections_are_not_draining():
    listening, idle = orphans(established=3), orphans(established=0)
    found = concluded(RULE, listening, known(listening, 20, ports=(8000,), peers=(peer(0.5),)))
    assert found.rejected[0].because == "2 of them listen, which a worker that is about to leave does not"
    found = concluded(RULE, idle, known(idle, 20, peers=(peer(),)))
    assert found.rejected[0].because == "0 connections are established on their port"
    assert found.rejected[1].because == "their parent is pid 1 and 0 front-ends are among them"


def test_sockets_that_are_not_readable_are_unknown_and_not_absent():
    seen = orphans()
    found = concluded(RULE, seen, known(seen, readable=False))
    assert "orphans_listening" not in numbers(found)
    assert "Whether they still listen is not readable." in found.summary
    assert found.confidence == 0.8


def test_without_memory_and_sockets_it_says_what_it_needs():
    seen = orphans(None)
    found = verdict(RULE, seen, known(seen, readable=False))
    assert isinstance(found, Need)
    assert found.kind == "privilege"


def test_memory_that_is_not_readable_is_no_evidence():
    seen = orphans(None)
    found = concluded(RULE, seen, known(seen, ports=(8000,)))
    assert "orphans_resident_bytes" not in numbers(found)
    assert found.title == "2 workers without a front-end hold port 8000"
    assert found.gains == ()


def test_video_memory_is_named_only_where_cuda_is_mapped_and_never_counted():
    seen = orphans()
    found = concluded(RULE, seen, known(seen, libraries=CUDA))
    assert "how much video memory they hold is not readable" in found.summary
    assert not any("video" in name or "device" in name for name in numbers(found))
    assert "video memory" not in concluded(RULE, seen, known(seen)).summary


def test_what_passes_requests_on_is_ended_with_the_workers_and_a_tracker_is_not():
    seen = orphans()
    front = seen.service.workers[0]
    members = (msgspec.structs.replace(front, role=Role.GATEWAY), *seen.service.workers[1:])
    views = (msgspec.structs.replace(seen.workers[0], role=Role.GATEWAY), *seen.workers[1:])
    seen = msgspec.structs.replace(seen, service=msgspec.structs.replace(seen.service, workers=members), workers=views)
    found = concluded(RULE, seen, known(seen, ports=(8000,)))
    assert found.subject.pids == (101, 102)
    assert numbers(found)["orphans_listening"] == 2
    assert numbers(found)["orphans_resident_bytes"] == 400 * MIB


def test_a_service_with_its_front_end_is_not_judged_and_orphans_by_no_other_rule():
    seen = orphans(idle=False)
    judgement = Engine(all_rules()).judge(seen, known(seen))
    assert [j.rule for j in judgement.judged] == ["orphaned-workers"]
    assert judgement.inconclusive == ()
    living = msgspec.structs.replace(
        seen, service=msgspec.structs.replace(seen.service, orphaned=False, orphaned_ns=None), delay_readable=True
    )
    assert "orphaned-workers" not in [j.rule for j in Engine(all_rules()).judge(living, known(living)).judged]


def test_the_finding_opens_without_load_and_ends_when_they_have_left():
    board, seen = Board(), orphans()
    for second in (0, 2):
        at = Instant(second * SECOND_NS, second * SECOND_NS)
        board.update(seen.service, Engine([RULE]).judge(seen, known(seen)), seen, at)
    (found,) = board.findings(at)
    assert (found.rule, found.subject.pids) == ("orphaned-workers", (101, 102))
    gone = Engine([RULE]).judge(seen, known(seen, 1))
    board.update(seen.service, gone, seen, Instant(4 * SECOND_NS, 4 * SECOND_NS))
    assert board.findings(at) == ()
    assert [how for _, how in board.ended] == ["resolved"]


# ---- what runs beside them -------------------------------------------------------------------------------------------


def living(
    port: int | None = 8000, name: str = "gunicorn/app:8000", application: str = "app", cgroup: str = "/"
) -> View:
    """Another service: a front-end and two workers of 100 MiB each."""
    members = [worker(200, [thread(200, 0.0)], role=Role.FRONT_END, resident=100 * MIB)]
    members += [worker(k, [thread(k, 0.0)], resident=100 * MIB) for k in (201, 202)]
    seen = view(members)
    processes = [
        msgspec.structs.replace(w, process=msgspec.structs.replace(w.process, cgroups=(("", cgroup),)))
        for w in seen.service.workers
    ]
    service = msgspec.structs.replace(
        seen.service, id="other", name=name, port=port, application=application, workers=tuple(processes)
    )
    return msgspec.structs.replace(seen, service=service)


def beside(other: View, theirs: int | None, own: int = 900, port: int = 8000) -> Orphaned:
    """What is known beside orphans with socket `own`, where the other service's workers have socket `theirs`."""
    seen = orphans()
    processes = tuple(
        msgspec.structs.replace(w, process=msgspec.structs.replace(w.process, cgroups=(("", "/"),)))
        for w in seen.service.workers
    )
    seen = msgspec.structs.replace(seen, service=msgspec.structs.replace(seen.service, workers=processes))

    def inside(of: View, inode: int | None) -> dict[WorkerKey, ProcessFacts]:
        sockets = () if inode is None else (Listening("0.0.0.0", port, inode),)
        return {k: msgspec.structs.replace(f, listening=sockets) for k, f in facts(of).processes.items()}

    found = orphaned_of(
        seen.service,
        {seen.service.id: seen, "other": other},
        {seen.service.id: inside(seen, own), "other": inside(other, theirs)},
        62 * SECOND_NS,
    )
    assert found is not None
    return found


def test_a_server_on_the_same_socket_shares_it_by_the_processes_that_accept():
    found = beside(living(), 900)
    assert (found.seconds, found.node_used_bytes) == (62.0, USED)
    (one,) = found.peers
    assert (one.share, one.one_socket, one.resident_bytes) == (0.5, True, 300 * MIB)


def test_a_front_end_that_accepts_alone_counts_as_one():
    seen = living()
    workers = tuple(w for w in seen.service.workers if w.role is Role.FRONT_END)
    alone = msgspec.structs.replace(seen, service=msgspec.structs.replace(seen.service, workers=workers))
    (one,) = beside(alone, 900).peers
    assert one.share == pytest.approx(2 / 3)


def test_a_server_on_the_same_port_with_its_own_socket_shares_it_by_the_sockets():
    (one,) = beside(living(), 901).peers
    assert (one.share, one.one_socket) == (0.5, False)


def test_the_same_port_in_another_container_is_another_port():
    assert beside(living(cgroup="/docker/abc", application="other"), 901).peers == ()


def test_a_server_of_the_same_name_elsewhere_is_compared_and_shares_nothing():
    (one,) = beside(living(port=8001), 901, port=8001).peers
    assert (one.share, one.resident_bytes) == (None, 300 * MIB)


def test_an_unrelated_service_is_no_peer():
    assert beside(living(port=9000, application="cart"), 901, port=9000).peers == ()


def test_a_service_with_its_front_end_has_nothing_beside_it():
    seen = living()
    assert orphaned_of(seen.service, {"other": seen}, {}, SECOND_NS) is None
