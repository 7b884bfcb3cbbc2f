"""Is the bad setting the same for the same seed, and possible on the machine?"""

import pytest

from agent.demo.faults import draw

FOUR = (0, 1, 2, 3)


def test_the_default_leaves_the_threads_of_a_worker_per_core_unset() -> None:
    fault = draw(None, FOUR)
    assert fault.name == "threads-unset"
    assert fault.launch.files == {"settings.json": {"parallel_workers": 4}}
    assert fault.launch.environment == {}
    assert fault.launch.cpus is None


@pytest.mark.parametrize("seed", [0, 1, 2, 3, 4, 17, 12345])
def test_a_seed_draws_the_same_fault_each_time(seed: int) -> None:
    assert draw(seed, FOUR) == draw(seed, FOUR)


def test_four_seeds_in_a_row_show_four_different_faults() -> None:
    assert {draw(seed, FOUR).name for seed in (1, 2, 3, 4)} == {
        "threads-unset",
        "workers-too-many",
        "workers-too-few",
        "narrow-mask",
    }


def test_too_many_workers_are_several_per_core_with_one_thread_each() -> None:
    fault = next(fault for seed in range(4) if (fault := draw(seed, FOUR)).name == "workers-too-many")
    assert fault.launch.files["settings.json"]["parallel_workers"] in (16, 20)
    assert fault.launch.environment["OMP_NUM_THREADS"] == "1"


def test_too_few_workers_are_one_on_several_cores() -> None:
    fault = next(fault for seed in range(4) if (fault := draw(seed, FOUR)).name == "workers-too-few")
    assert fault.launch.files["settings.json"]["parallel_workers"] == 1


def test_a_narrow_mask_is_the_first_of_the_cpus_that_there_are() -> None:
    fault = next(fault for seed in range(4) if (fault := draw(seed, (2, 5))).name == "narrow-mask")
    assert fault.launch.cpus == frozenset({2})
    assert fault.launch.files["settings.json"]["parallel_workers"] == 2


@pytest.mark.parametrize("seed", [None, 1, 2, 3, 4])
def test_one_core_can_only_have_too_many_workers(seed: int | None) -> None:
    assert draw(seed, (0,)).name == "workers-too-many"


def test_a_large_machine_gets_no_more_workers_than_its_memory_bears() -> None:
    cpus = tuple(range(128))
    workers = [draw(seed, cpus).launch.files["settings.json"]["parallel_workers"] for seed in (None, 1, 2, 3, 4)]
    assert max(int(str(count)) for count in workers) <= 32
