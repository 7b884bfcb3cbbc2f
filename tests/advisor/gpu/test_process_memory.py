"""What is remembered of a process's memory on a device: a point each ten seconds, over five minutes."""

from advisor.gpu.tracks import GpuTracks
from advisor.gpu.view import GpuProcessView
from advisor.gpu.window import gpu_views
from collectors.gpu.samples import GpuProcessSample, GpuSample, nothing_known

MIB = 1 << 20


def watched(*held: int | None) -> GpuProcessView:
    """The process after one reading a second, in MiB; None: the driver did not tell."""
    tracks = GpuTracks()
    for tick, amount in enumerate(held):
        device = nothing_known(GpuSample, "gpu:GPU-1", processes=1)
        known = {"memory_bytes": None if amount is None else amount * MIB, "worker": "worker:101:1101"}
        process = nothing_known(GpuProcessSample, "gpu-process:GPU-1/101", **known)
        assert isinstance(device, GpuSample)
        assert isinstance(process, GpuProcessSample)
        tracks.add_device(device, tick, float(tick))
        tracks.add_process(process, tick, float(tick))
    (view,) = gpu_views(tracks, float(len(held) - 1)).values()
    (found,) = view.processes
    return found


def test_a_point_each_ten_seconds_with_its_age():
    assert watched(*range(1000, 1026)).memory_seen == ((25.0, 1000 * MIB), (15.0, 1010 * MIB), (5.0, 1020 * MIB))


def test_no_more_than_five_minutes_are_kept():
    seen = watched(*range(1000, 1900)).memory_seen
    assert len(seen) == 32
    assert seen[0][0] == 319.0
    assert seen[-1] == (9.0, 1890 * MIB)


def test_what_the_driver_does_not_tell_is_no_point():
    seen = watched(1000, *[None] * 14, 1015, *[None] * 5).memory_seen
    assert seen == ((20.0, 1000 * MIB), (5.0, 1015 * MIB))
    assert watched(*[None] * 30).memory_seen == ()
