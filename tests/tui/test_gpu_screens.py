"""Do overview and GPU screen show devices, processes and readers, and take no space where there are none?"""

import msgspec
import pytest
from textual.geometry import Size
from textual.widget import Widget
from textual.widgets import ContentSwitcher

from advisor.documents import Snapshot
from tests.fakes_tui import REFUSED, app_with, press
from tests.snapshots import (
    L40S,
    empty_snapshot,
    example_gpus,
    example_snapshot,
    gpu_snapshot,
    gpuless_snapshot,
    unreadable_gpu_snapshot,
)
from tui.app import TopApp
from tui.screens.gpus import GpusScreen
from tui.screens.overview import OverviewScreen
from tui.widgets.core_strip import CoreStrip
from tui.widgets.gpu_block import GpuBlock
from tui.widgets.gpu_fact_list import GpuFactList
from tui.widgets.gpu_head import GpuHead
from tui.widgets.gpu_list import GpuList
from tui.widgets.gpu_meters import GpuMeters
from tui.widgets.gpu_page import GpuPage
from tui.widgets.gpu_process_table import GpuProcessTable
from tui.widgets.notice import Notice
from tui.widgets.service_list import ServiceList, numbers
from tui.widgets.trouble_list import TroubleList
from tui.widgets.worker_table import WorkerTable

SIZES = pytest.mark.parametrize("size", [(80, 24), (160, 48)], ids=["80x24", "160x48"])


def told(app: TopApp, kind: type[Widget]) -> str:
    """What the widget of this kind draws."""
    widget = app.screen.query_one(kind)
    text: str = widget.render().plain  # type: ignore[union-attr]
    assert widget.size.height >= 1
    return text


def fits(app: TopApp, kind: type[Widget]) -> bool:
    """Whether nothing of it is cut off at the right."""
    return max(map(len, told(app, kind).split("\n"))) <= app.screen.query_one(kind).size.width


def many(count: int) -> Snapshot:
    """The example on a node with so many devices, the last of them lost."""
    snapshot = gpu_snapshot()
    gpus = tuple(msgspec.structs.replace(example_gpus()[0], uuid=f"GPU-{n}", index=n) for n in range(count))
    gpus = (*gpus[:-1], msgspec.structs.replace(gpus[-1], state="lost"))
    return msgspec.structs.replace(snapshot, node=msgspec.structs.replace(snapshot.node, gpus=gpus))


@SIZES
@pytest.mark.parametrize("snapshot", [example_snapshot(), gpuless_snapshot()], ids=["no readers", "readers absent"])
async def test_a_node_without_gpus_gives_them_no_line_of_the_overview(
    snapshot: Snapshot, size: tuple[int, int]
) -> None:
    app = app_with(snapshot)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        assert app.screen.query_one(GpuBlock).size == Size(0, 0)
        assert app.screen.query_one(CoreStrip).region.y <= app.screen.query_one(ServiceList).region.bottom + 1


@SIZES
async def test_the_overview_has_a_line_for_each_device_and_each_reader_in_trouble(size: tuple[int, int]) -> None:
    app = app_with(gpu_snapshot())
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        lines = told(app, GpuBlock).split("\n")
        assert fits(app, GpuBlock)
        assert lines[0] == "gpus · 1 lost"
        assert [line.split()[0] for line in lines[1:7]] == ["0", "1", "2", "MIG", "MIG", "3"]
        assert lines[7] == "     amd permission: /dev/kfd: add the agent to group render"


async def test_what_helps_an_unreadable_gpu_is_told_whole_on_the_overview() -> None:
    app = app_with(unreadable_gpu_snapshot())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert " ".join(told(app, GpuBlock).split()).endswith("the old kernel module is loaded: reboot, or reload it")
        assert told(app, GpuBlock).split("\n")[1].startswith("  nvidia driver mismatch: the driver's libraries")


@pytest.mark.parametrize(("size", "shown"), [((80, 24), 8), ((160, 48), 16)])
async def test_of_many_devices_the_overview_shows_a_few_and_counts_the_lost(size: tuple[int, int], shown: int) -> None:
    app = app_with(many(40))
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        lines = told(app, GpuBlock).split("\n")
        assert lines[0] == "gpus · 1 lost"
        assert lines[1 + shown] == f"    and {40 - shown} more: g"


async def test_what_does_not_fit_below_the_services_can_be_scrolled_to() -> None:
    app = app_with(gpu_snapshot())
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, *"JJJJJ")
        node = app.screen.query_one("#node")
        assert node.scroll_offset.y == 5
        assert app.screen.query_one(ServiceList).highlighted == 0
        await press(pilot, *"KK")
        assert node.scroll_offset.y == 3


@pytest.mark.parametrize("key", ["4", "g"])
async def test_four_or_g_shows_the_gpus(key: str) -> None:
    app = app_with(gpu_snapshot())
    async with app.run_test() as pilot:
        await press(pilot, key)
        assert isinstance(app.screen, GpusScreen)
        await press(pilot, "1")
        assert isinstance(app.screen, OverviewScreen)


@SIZES
async def test_the_chosen_device_is_shown_with_its_numbers_and_processes(size: tuple[int, int]) -> None:
    app = app_with(gpu_snapshot())
    async with app.run_test(size=size) as pilot:
        await press(pilot, "g")
        assert told(app, GpuHead) == "GPU 0  NVIDIA H100 80GB HBM3 · GPU-7b1c4d5e"
        meters = told(app, GpuMeters)
        assert "24 GiB of 80 GiB used" in meters
        assert "480 MiB reserved · 55 GiB free · 1.0 GiB of no known process" in meters
        assert [line.split()[0] for line in meters.split("\n")[3:]] == ["SM", "occupancy", "busy-time"]
        assert "97 %  anything ran, not how much" in meters
        table = [line.split("  ") for line in told(app, GpuProcessTable).split("\n")[2:]]
        assert [row[-1].strip() for row in table] == ["35 %", "31 %", "–", "0 %"]
        assert [row[0].strip() or row[1].strip() for row in table] == ["101", "102", "31337", "777"]
        assert "sent 1.0 GiB/s (4 %)" in told(app, GpuFactList)
        assert all(fits(app, kind) for kind in (GpuHead, GpuMeters, GpuProcessTable, GpuFactList))
        assert told(app, TroubleList).startswith("     amd permission")


@SIZES
async def test_a_device_that_counts_no_activity_shows_busy_time_alone(size: tuple[int, int]) -> None:
    app = app_with(gpu_snapshot())
    async with app.run_test(size=size) as pilot:
        await press(pilot, "g", "j")
        meters = told(app, GpuMeters)
        assert "activity · not counted on this device" in meters
        assert "98 %  anything ran, not how much" in meters
        assert "SM" not in meters
        assert "not given by this device: GpmSupport" in told(app, GpuFactList)
        assert told(app, GpuProcessTable).split("\n")[2].split() == [
            "201",
            "mlserver/iris:8080",
            "0",
            "compute",
            "?",
            "–",
        ]
        assert fits(app, GpuMeters)


async def test_a_lost_device_says_so_and_shows_no_zero() -> None:
    app = app_with(gpu_snapshot())
    async with app.run_test() as pilot:
        await press(pilot, "g", "k")
        assert "lost: it does not answer any more" in told(app, GpuHead)
        assert "– used" in told(app, GpuMeters)
        assert told(app, GpuProcessTable) == "processes · this device does not list its processes"
        assert app.screen.query_one(GpuFactList).instances == 0


async def test_an_instance_refers_to_its_device_and_that_counts_it() -> None:
    app = app_with(gpu_snapshot())
    async with app.run_test() as pilot:
        await press(pilot, "g", "j", "j")
        assert "MIG: 2 instances" in told(app, GpuFactList)
        await press(pilot, "j")
        assert "see also GPU 2: PCIe, clock" in told(app, GpuFactList)
        assert told(app, GpuProcessTable) == "processes · none"


async def test_the_page_is_entered_scrolled_and_left() -> None:
    app = app_with(gpu_snapshot())
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "g", "enter")
        page = app.screen.query_one(GpuPage)
        assert app.screen.focused is page
        assert page.max_scroll_y > 0
        await press(pilot, "h")
        assert app.screen.focused is app.screen.query_one(GpuList)


async def test_the_highlight_stays_on_its_device_when_another_goes() -> None:
    first = gpu_snapshot()
    node = msgspec.structs.replace(first.node, gpus=first.node.gpus[1:])
    app = app_with(first, msgspec.structs.replace(first, node=node))
    async with app.run_test() as pilot:
        await press(pilot, "g", "j", "r")
        gpus = app.screen.query_one(GpuList)
        assert gpus.option_count == 5
        assert gpus.chosen == L40S
        assert gpus.highlighted == 0


async def test_gpus_are_shown_where_no_model_server_runs_and_the_overview_points_to_them() -> None:
    node = gpu_snapshot().node
    app = app_with(msgspec.structs.replace(empty_snapshot(), node=node))
    async with app.run_test() as pilot:
        await pilot.pause()
        assert app.screen.query_one("#notice", Notice).sentences[-1] == "It has 6 GPUs: press g."
        await press(pilot, "g")
        assert app.screen.query_one(ContentSwitcher).current == "body"


@SIZES
async def test_without_gpus_the_screen_says_what_was_looked_for(size: tuple[int, int]) -> None:
    app = app_with(gpuless_snapshot())
    async with app.run_test(size=size) as pilot:
        await press(pilot, "g")
        notice = app.screen.query_one("#notice", Notice)
        assert app.screen.query_one(ContentSwitcher).current == "notice"
        assert notice.headline == "No GPU on node-1"
        assert notice.sentences[0] == "Looked for: NVIDIA GPUs, AMD GPUs."


@SIZES
async def test_gpus_that_cannot_be_read_come_with_state_and_hint(size: tuple[int, int]) -> None:
    app = app_with(unreadable_gpu_snapshot())
    async with app.run_test(size=size) as pilot:
        await press(pilot, "g")
        notice = app.screen.query_one("#notice", Notice)
        assert notice.headline == "No GPU can be read on node-1"
        assert "driver mismatch, for 3 min" in notice.sentences[0]
        assert "reboot, or reload it" in notice.sentences[1]


async def test_without_a_connection_the_gpu_screen_says_so_and_keeps_what_it_had() -> None:
    app = app_with(REFUSED, gpu_snapshot(), REFUSED)
    async with app.run_test() as pilot:
        await press(pilot, "g")
        assert app.screen.query_one("#notice", Notice).headline == "No connection to http://127.0.0.1:9753"
        await press(pilot, "r")
        assert app.screen.query_one(ContentSwitcher).current == "body"
        await press(pilot, "r")
        assert app.state.problem is not None
        assert app.screen.query_one(ContentSwitcher).current == "body"


async def test_vram_is_a_column_of_services_on_a_gpu_alone() -> None:
    app = app_with(gpu_snapshot())
    async with app.run_test(size=(160, 48)) as pilot:
        await pilot.pause()
        lines = told(app, WorkerTable).split("\n")
        assert lines[2].split()[5:7] == ["memory", "VRAM"]
        assert [" 12 GiB " in line for line in lines[3:6]] == [False, True, False]
        assert lines[3].split()[5:8] == ["170", "MiB", "4"]  # on no device: neither a number nor a dash
        await press(pilot, "j")
        assert told(app, WorkerTable).split("\n")[3].split()[5:9] == ["170", "MiB", "?", "4"]
    app = app_with(example_snapshot())
    async with app.run_test(size=(160, 48)) as pilot:
        await pilot.pause()
        assert "VRAM" not in told(app, WorkerTable)


def test_vram_is_told_of_services_on_a_gpu_alone() -> None:
    loaded, healthy = gpu_snapshot().services
    assert "1.90 waiting · VRAM 21 GiB · 41.5 /s" in numbers(loaded, 100).plain
    assert numbers(healthy, 100).plain.endswith("– waiting · VRAM ?")
    assert "VRAM" not in numbers(example_snapshot().services[0], 100).plain
