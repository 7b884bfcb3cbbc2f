"""Do the tree and the page of a process react to keys, and show what the agent answers?"""

import asyncio
from functools import lru_cache

import msgspec
import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static

from advisor.documents import CoreStatus, Problem, Snapshot, ThreadStatus
from tests.fakes_tui import REFUSED, FakeSource, press
from tests.snapshots import (
    HEALTHY,
    HEALTHY_ID,
    LOADED_ID,
    closed_snapshot,
    example_snapshot,
    example_threads,
    gpu_snapshot,
)
from tests.tui.worker_series import END, worker_answers
from tui import format as fmt
from tui.app import TopApp
from tui.screens.advice import AdviceScreen
from tui.screens.overview import OverviewScreen
from tui.screens.workers import WorkersScreen
from tui.source import Answer
from tui.widgets.finding_head import FindingHead
from tui.widgets.line_view import LineView
from tui.widgets.notice import Notice
from tui.widgets.worker_page import WorkerPage
from tui.widgets.worker_tree import WorkerTree
from tui.worker_history import ask_history

NARROW, WIDE = (80, 24), (160, 48)
TO_WORKER = ("w", "j", "j", "enter")


def app_over(*answers: Snapshot | Problem, **how: object) -> TopApp:
    return TopApp(FakeSource(answers, known=worker_answers(), **how), interval_seconds=3600.0)  # type: ignore[arg-type]


def text(view: LineView) -> list[str]:
    """All its lines, those out of sight included."""
    return [view.line(index).plain.rstrip() for index in range(view.line_count())]


def screen_text(app: TopApp) -> str:
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


def tree_of(app: TopApp) -> WorkerTree:
    return app.screen.query_one(WorkerTree)


def page_of(app: TopApp) -> WorkerPage:
    return app.screen.query_one(WorkerPage)


async def settle(pilot: Pilot[None], *keys: str) -> None:
    """Press keys one by one, and wait for what is asked of the agent."""
    for key in keys:
        await press(pilot, key)
    asking = [one for one in pilot.app.workers if one.group in ("threads", "history")]
    if asking:
        await pilot.app.workers.wait_for_complete(asking)
    await pilot.pause()


@pytest.mark.parametrize("key", ["2", "w"])
async def test_two_or_w_shows_the_workers_with_the_first_line_meant(key: str) -> None:
    app = app_over(example_snapshot())
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot, key)
        assert isinstance(app.screen, WorkersScreen)
        assert app.screen.focused is tree_of(app)
        assert [line[:1] for line in text(tree_of(app))] == [" ", "▌", " ", " ", " ", " ", " "]


async def test_w_on_a_service_of_the_overview_goes_to_its_processes_and_a_to_its_advice() -> None:
    app = app_over(example_snapshot())
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot, "j", "w")
        row = tree_of(app).row
        assert row is not None
        assert row.id == f"service/{HEALTHY_ID}"
        await settle(pilot, "a")
        assert isinstance(app.screen, AdviceScreen)
        finding = app.screen.query_one(FindingHead).finding
        assert finding is not None
        assert finding.subject.name == HEALTHY
        await settle(pilot, "o", "k", "w")
        assert tree_of(app).chosen == f"service/{LOADED_ID}"
        await settle(pilot, "o", "enter")
        assert isinstance(app.screen, AdviceScreen)


async def test_enter_folds_a_service_and_w_from_the_overview_unfolds_it() -> None:
    app = app_over(example_snapshot())
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot, "w", "enter")
        assert len(tree_of(app).rows) == 3
        assert "▸ gunicorn/app:8000" in text(tree_of(app))[1]
        await settle(pilot, "o", "w")
        assert len(tree_of(app).rows) == 6


async def test_left_goes_to_the_service_then_folds_and_right_unfolds_then_enters() -> None:
    app = app_over(example_snapshot())
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot, "w", "j", "j", "left")
        assert tree_of(app).chosen == f"service/{LOADED_ID}"
        await settle(pilot, "left")
        assert len(tree_of(app).rows) == 3
        await settle(pilot, "right", "j", "right")
        assert page_of(app).display
        assert app.screen.focused is page_of(app)


@pytest.mark.parametrize("size", [NARROW, WIDE])
async def test_the_page_opens_beside_the_tree_or_in_its_place_and_esc_closes_it(size: tuple[int, int]) -> None:
    app = app_over(example_snapshot())
    async with app.run_test(size=size) as pilot:
        await settle(pilot, *TO_WORKER)
        assert page_of(app).display
        assert (tree_of(app).region.width > 0) is (size == WIDE)
        await settle(pilot, "escape")
        assert page_of(app).region.width == 0
        assert app.screen.focused is tree_of(app)
        assert tree_of(app).chosen == "worker/101/40101"


async def test_every_number_of_the_page_is_that_of_the_documents() -> None:
    app = app_over(gpu_snapshot())
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot, *TO_WORKER)
        told = " ".join(" ".join(text(page_of(app))).split())
        snapshot = gpu_snapshot()
        worker, service = snapshot.workers[1], snapshot.services[0]
        limits = service.limits
        assert limits is not None
        for part in (
            f"pid {worker.pid} · {worker.role} {worker.slot} of {service.name} · running",
            worker.command,
            f"{fmt.cores(worker.cores_used)} cores · {fmt.cores(worker.waiting_cores)} waiting",
            f"{worker.threads} threads, {worker.active_threads} active",
            f"{fmt.size(worker.resident_bytes)} memory",
            f"{fmt.size(worker.proportional_bytes)} PSS",
            f"VRAM {fmt.size(worker.gpu_memory_bytes)}, SM {fmt.percent(worker.gpu_sm_ratio)}",
            f"{worker.major_faults_per_second} faults/s",
            "HIGH #1 More compute threads than cores",
            f"CPU quota {fmt.cores(limits.cpu_quota_cores)} cores, used up in {fmt.percent(limits.throttled_ratio)}",
            f"memory limit {fmt.size(limits.memory_limit_bytes)}, {fmt.size(limits.memory_used_bytes)} charged",
            f"affinity {worker.allowed_cpus}, 2 of 4 CPUs, also of pid 100, 102",
            *(f"{fmt.value(one.value)} from {one.origin}" for one in service.settings),
            *(f"{one.tid} {one.thread_class} {fmt.cores(one.cores_used)}" for one in example_threads(101)),
            "memory 150–194 MiB",
        ):
            assert part in told, part


async def test_history_is_asked_for_while_the_page_is_open_alone() -> None:
    source = FakeSource([example_snapshot()], known=worker_answers())
    app = TopApp(source, interval_seconds=3600.0)
    async with app.run_test(size=WIDE) as pilot:
        await settle(pilot, "w")
        assert source.got == []
        await settle(pilot, "j", "j", "enter")
        assert "workers/101/threads" in source.got
        assert {name.partition("?")[0] for name in source.got} == {"series", "workers/101/threads"}
        asked = len(source.got)
        await settle(pilot, "escape", "r")
        assert len(source.got) == asked


async def test_the_history_of_the_next_process_is_of_the_classes_of_its_own_threads() -> None:
    """Waiting is stored by class: with those of the process before, what the others wait would be left out."""

    class Slow(FakeSource):
        async def get(self, name: str, kind: type[Answer]) -> Answer:
            for _ in range(10 if name.endswith("/threads") else 0):
                await asyncio.sleep(0)
            return await super().get(name, kind)

    known = {**worker_answers(), "workers/101/threads": example_threads(101)[:1]}
    source = Slow([example_snapshot()], known=known)
    app = TopApp(source, interval_seconds=3600.0)
    async with app.run_test(size=WIDE) as pilot:
        await settle(pilot, *TO_WORKER)
        tree_of(app).focus()
        await settle(pilot, "j")
        asked = [name.partition("entity=")[2].partition("&")[0] for name in source.got if "thread_class" in name]
        classes = {one.thread_class for one in example_threads(102)}
        assert {name for name in asked if ":102:" in name} == {f"worker:102:40102:{one}" for one in classes}


async def test_after_a_jump_in_time_the_history_is_asked_for_anew() -> None:
    snapshot = example_snapshot()
    later = msgspec.structs.replace(snapshot, node=msgspec.structs.replace(snapshot.node, at="2026-11-20T10:00:30Z"))
    source = FakeSource([snapshot, snapshot, later], known=worker_answers())
    app = TopApp(source, interval_seconds=3600.0)
    async with app.run_test(size=WIDE) as pilot:
        await settle(pilot, *TO_WORKER)

        def asked() -> int:
            return sum(name.startswith("series") for name in source.got)

        before = asked()
        assert before > 0
        await settle(pilot, "r")
        assert (source.asked, asked()) == (2, before)
        await settle(pilot, "r")
        assert (source.asked, asked()) == (3, 2 * before)


async def test_on_wide_terminals_the_page_follows_the_cursor_of_the_tree() -> None:
    app = app_over(example_snapshot())
    async with app.run_test(size=WIDE) as pilot:
        await settle(pilot, *TO_WORKER)
        tree_of(app).focus()
        await settle(pilot, "j")
        assert text(page_of(app))[0].startswith(" pid 102")
        assert any("2102 io" in line for line in text(page_of(app)))
        await settle(pilot, "home")
        told = text(page_of(app))
        assert told[0].startswith(" gunicorn/app:8000 · systemd: app.service · loaded")
        assert not any(line.startswith(" threads ·") for line in told)


async def test_an_agent_that_does_not_tell_threads_or_history_is_no_failure() -> None:
    app = TopApp(FakeSource([example_snapshot()]), interval_seconds=3600.0)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot, *TO_WORKER)
        told = text(page_of(app))
        assert " threads · 2 of 4, the busiest" in told
        assert " there is nothing of that name (look at /openapi.json)" in told


async def test_looking_narrows_the_tree_and_esc_forgets_it() -> None:
    app = app_over(example_snapshot())
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot, "w", "slash", "1", "0", "2")
        assert isinstance(app.screen, WorkersScreen)
        assert [row.id for row in tree_of(app).rows] == [f"service/{LOADED_ID}", "worker/102/40102"]
        assert tree_of(app).chosen == "worker/102/40102"
        assert str(app.screen.query_one("#told", Static).content) == "1 of 4 processes · esc: all again"
        await settle(pilot, "enter", "enter")
        assert text(page_of(app))[0].startswith(" pid 102")
        await settle(pilot, "escape")
        assert len(tree_of(app).rows) == 2
        await settle(pilot, "escape")
        assert len(tree_of(app).rows) == 6
        assert not app.screen.query_one("#looking", Input).display


async def test_s_sorts_by_the_next_column_and_shift_s_turns_it_round() -> None:
    app = app_over(example_snapshot())
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot, "w", "s")
        assert "▼cores" in text(tree_of(app))[0]
        assert [row.worker.pid for row in tree_of(app).rows if row.worker] == [101, 102, 100, 201]
        await settle(pilot, "S")
        assert "▲cores" in text(tree_of(app))[0]
        assert [row.worker.pid for row in tree_of(app).rows if row.worker] == [201, 100, 102, 101]
        for _ in range(4):
            await settle(pilot, "s")
        assert not any(arrow in text(tree_of(app))[0] for arrow in "▲▼")


async def test_the_cursor_stays_on_its_process_when_others_come_and_go() -> None:
    first = example_snapshot()
    less = msgspec.structs.replace(first, workers=first.workers[2:])
    app = app_over(first, less, first)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot, "w", "j", "j", "j")
        assert tree_of(app).chosen == "worker/102/40102"
        await settle(pilot, "r")
        assert [row.id for row in tree_of(app).rows][1] == tree_of(app).chosen == "worker/102/40102"
        await settle(pilot, "r")
        assert tree_of(app).chosen == "worker/102/40102"


async def test_a_mouse_sorts_at_the_header_and_opens_at_the_second_click() -> None:
    app = app_over(example_snapshot())
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot, "w")
        await pilot.click(WorkerTree, offset=(38, 0))
        await pilot.pause()
        assert tree_of(app).sorted_by.name == "cores"
        await pilot.click(WorkerTree, offset=(10, 3))
        await pilot.pause()
        assert tree_of(app).chosen == "worker/102/40102"
        await pilot.click(WorkerTree, offset=(10, 3))
        await pilot.pause()
        assert page_of(app).display


async def test_what_nobody_may_look_into_says_what_to_grant() -> None:
    app = app_over(closed_snapshot())
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot, "w")
        told = " ".join(screen_text(app).split())
        assert "inside 4 of 4 processes not readable: environment: no permission (grant CAP_SYS_PTRACE, or run" in told
        await settle(pilot, "j", "j", "enter")
        page = " ".join(" ".join(text(page_of(app))).split())
        assert "not readable inside environment: no permission (grant CAP_SYS_PTRACE" in page
        assert "unknown not readable: environment not readable" in page
        assert "cgroup not readable yet" in page
        assert "– PSS" in page


async def test_without_services_or_connection_the_screen_says_so() -> None:
    app = app_over(REFUSED)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot, "w", "s", "S", "j", "enter", "escape", "slash", "x", "escape")
        assert app.screen.query_one("#notice", Notice).headline == "No connection to http://127.0.0.1:9753"


async def test_foreign_names_neither_break_the_layout_nor_inject_styles() -> None:
    evil = "\x1b[31m[bold red]evil[/]\u202e\n" * 60
    example = example_snapshot()
    service = msgspec.structs.replace(example.services[0], name=evil, owner=evil, verdict=evil)
    workers = tuple(
        msgspec.structs.replace(one, command=evil, service=evil, missing=(evil,)) for one in example.workers
    )
    threads = tuple(msgspec.structs.replace(one, name=evil, thread_class=evil) for one in example_threads(101))
    known = {**worker_answers(), "workers/101/threads": threads}
    snapshot = msgspec.structs.replace(example, services=(service,), workers=workers)
    app = TopApp(FakeSource([snapshot], known=known), interval_seconds=3600.0)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot, *TO_WORKER, "right_square_bracket", "end")
        drawn = screen_text(app)
        assert "\x1b" not in drawn
        assert "\u202e" not in drawn
        assert "[bold red]" in drawn
        assert {len(line) for line in drawn.split("\n")} == {80}


async def test_sections_can_be_jumped_to_and_the_cpus_stay_in_sight() -> None:
    known = {**worker_answers(), "workers/101/threads": many_threads(101, 300)}
    app = TopApp(FakeSource([huge(8, 16)], known=known), interval_seconds=3600.0)
    async with app.run_test(size=NARROW) as pilot:
        await settle(pilot, *TO_WORKER[:1], "j", "enter")
        page = page_of(app)
        assert page.row is not None
        known[f"workers/{page.row.worker.pid}/threads"] = many_threads(101, 300)  # type: ignore[union-attr]
        await settle(pilot, "r")
        await settle(pilot, "right_square_bracket")
        assert page.scroll_offset.y > 0
        await settle(pilot, "end")
        assert "tid class" in screen_text(app)
        await settle(pilot, "left_square_bracket")
        assert page.scroll_offset.y < page.sticky.start


def many_threads(pid: int, count: int) -> tuple[ThreadStatus, ...]:
    one = example_threads(101)[0]
    return tuple(
        msgspec.structs.replace(
            one, tid=pid + number, name=f"pool-{number}", cores_used=(number % 9) / 10,
            allowed_cpus=f"{number % 100}-{number % 100 + number % 7}", cpus_seen=((number % 100, 0.7), (3, 0.3)),
        )
        for number in range(count)
    )  # fmt: skip


@lru_cache
def huge(workers: int = 128, cpus: int = 128) -> Snapshot:
    """Eight services with so many processes together, of 16 threads each."""
    example = example_snapshot()
    cores = tuple(
        CoreStatus(
            cpu=cpu, node=cpu * 2 // cpus, sibling_of=cpu - cpu % 2, busy_ratio=0.5, steal_ratio=0.0, iowait_ratio=0.0
        )
        for cpu in range(cpus)
    )
    services, members = [], []
    for number in range(8):
        pids = tuple(range(1000 + number * 100, 1000 + number * 100 + workers // 8))
        name = f"gunicorn/app{number}:{8000 + number}"
        services.append(msgspec.structs.replace(example.services[0], id=f"id{number}", name=name, pids=pids))
        members += [
            msgspec.structs.replace(
                example.workers[1], pid=pid, started=pid, service=name, threads=16, busiest=many_threads(pid, 8)
            )
            for pid in pids
        ]
    node = msgspec.structs.replace(example.node, cores=cores)
    return msgspec.structs.replace(example, node=node, services=tuple(services), workers=tuple(members))


async def test_of_128_workers_and_2000_threads_the_lines_in_sight_are_drawn() -> None:
    threads = many_threads(1000, 2000)
    app = TopApp(FakeSource([huge()], known={"workers/1000/threads": threads}), interval_seconds=3600.0)
    async with app.run_test(size=(200, 50)) as pilot:
        await settle(pilot, "w", "s", "home", "j", "enter")
        tree, page, picture = tree_of(app), page_of(app), app.state.picture
        assert picture is not None
        assert page.row is not None
        assert page.map is not None
        assert len(page.map.threads) == 2000
        page.scroll_to(y=1000, animate=False, immediate=True)

        for view in (tree, page):
            assert view.virtual_size.height > view.size.height
            assert any(view.render_line(y).text.strip() for y in range(view.size.height))


async def test_history_is_summed_by_step_and_a_step_of_which_a_part_is_unknown_stays_unknown() -> None:
    source = FakeSource([], known=worker_answers())
    worker = example_snapshot().workers[1]
    found = await ask_history(source.get, worker, ["main", "compute", "main"], "2026-11-20T10:00:00Z", "it")
    assert found.problem is None
    assert len(found.cores) == len(found.waiting) == len(found.resident_bytes) == 45
    assert found.cores[0] == pytest.approx(1.05)
    assert found.cores[12:16] == (None,) * 4
    assert found.waiting[10] == pytest.approx(0.2)
    assert found.resident_bytes[44] == 194 << 20
    assert all(f"end={END}" in name for name in source.got)


def test_the_overview_keeps_enter_for_its_advice() -> None:
    assert dict(OverviewScreen.KEYS)["enter"] == "to the advice for the service"
