"""Whether one more process gets onto the devices at all."""

import msgspec
import pytest

from advisor.contention import copies_that_fit
from advisor.gpu.room import NO_LIMIT, admits, copies_on_gpus, is_starting
from advisor.view import View
from tests.advisor.built import thread, view, worker
from tests.advisor.gpu_services import on_gpu
from tests.advisor.gpus_built import GIB, gpu, on_gpus, process


@pytest.mark.parametrize(
    ("mode", "mps", "enters"),
    [
        (None, None, True), ("default", False, True), ("exclusive-process", False, False),
        ("exclusive-process", None, False), ("exclusive-process", True, True), ("prohibited", True, False),
    ],
)  # fmt: skip
def test_an_exclusive_device_lets_no_second_process_in(mode: str | None, mps: bool | None, enters: bool) -> None:
    seen = on_gpu(compute_mode=mode, mps=mps)
    assert admits(seen.gpus[0].gpu) is enters
    assert (copies_on_gpus(seen) > 0) is enters
    assert copies_on_gpus(seen, inside=True) == 10
    assert copies_that_fit(seen, inside=True) == 10


def test_one_exclusive_device_of_two_is_enough() -> None:
    each = [worker(pid, [thread(pid, 0.5)]) for pid in (101, 102)]
    free, taken = gpu([process(each[0], 2 * GIB)]), gpu([process(each[1], 2 * GIB)], uuid="GPU-2",
                                                        compute_mode="exclusive-process")  # fmt: skip
    assert copies_on_gpus(on_gpus(view(each), free, taken)) == 0


def starting(drivers: tuple[str, ...] | None) -> View:
    seen = view([worker(101, [thread(101, 1.0)])])
    workers = tuple(msgspec.structs.replace(w, drivers=drivers) for w in seen.service.workers)
    return on_gpus(msgspec.structs.replace(seen, service=msgspec.structs.replace(seen.service, workers=workers)), gpu())


def test_workers_that_have_a_driver_and_no_device_yet_leave_open_what_one_takes() -> None:
    for kind in ("cuda", "rocm"):
        assert is_starting(starting((kind,)))
        assert copies_that_fit(starting((kind,))) == 0
    for drivers in ((), None):
        assert not is_starting(starting(drivers))
        assert copies_on_gpus(starting(drivers)) == NO_LIMIT
    alone = msgspec.structs.replace(starting(("cuda",)), node_gpus=())
    assert copies_on_gpus(alone) == NO_LIMIT
