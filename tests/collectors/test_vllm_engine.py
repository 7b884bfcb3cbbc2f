"""vLLM's engine: which of its processes is which by title, and what does its page say?"""

import pytest

from collectors.entities import Role
from collectors.frameworks.vllm import Vllm
from collectors.servers.vllm_engine import engine_role, settled_engines
from tests.captures import process
from tests.llm_servers import page, title, zeroed
from tests.pages import sample_of_page

FRONT, WORKER, GATEWAY, SUPPORT = Role.FRONT_END, Role.WORKER, Role.GATEWAY, Role.SUPPORT
VLLM = Vllm()


@pytest.mark.parametrize(
    ("name", "alone", "below"),
    [
        ("VLLM::EngineCore", WORKER, WORKER), ("VLLM::EngineCore_DP1", WORKER, WORKER),
        ("mine::EngineCore_DP0", WORKER, WORKER), ("VLLM::Worker", WORKER, WORKER),
        ("VLLM::Worker_DP0_PP1_TP3_EP3", WORKER, WORKER), ("VLLM::Worker_PCP0_TP1_DCP1", WORKER, WORKER),
        ("mine::Worker_TP0", None, WORKER), ("VLLM::DPCoordinator", SUPPORT, SUPPORT),
        ("VLLM::APIServer_3", FRONT, GATEWAY), ("VLLM::APIServer_DP1", FRONT, GATEWAY), ("mine::APIServer_0", None, GATEWAY),
    ],
)  # fmt: skip
def test_titles_tell_the_processes_apart(name: str, alone: Role | None, below: Role) -> None:
    assert engine_role(title(11, name), None) is alone
    assert engine_role(title(11, name), FRONT) is below


@pytest.mark.parametrize(
    ("comm", "role"),
    [
        ("VLLM::EngineCor", WORKER),
        ("VLLM::Worker_TP", WORKER),
        ("VLLM::DPCoordin", SUPPORT),
        ("VLLM::APIServer", FRONT),
    ],
)
def test_a_name_cut_to_fifteen_bytes_is_enough_where_there_is_no_command_line(comm: str, role: Role) -> None:
    assert engine_role(process(11, comm=comm), None) is role


def test_only_an_engine_with_workers_of_its_own_runs_no_model() -> None:
    engines = [title(20, "VLLM::EngineCore_DP0"), title(30, "VLLM::EngineCore_DP1")]
    members = [(process(10, "vllm", "serve", "m"), FRONT), *((engine, WORKER) for engine in engines)]
    assert settled_engines(members) == [FRONT, WORKER, WORKER]
    members.append((title(31, "VLLM::Worker_DP1_TP0", ppid=30), WORKER))
    assert settled_engines(members) == [FRONT, WORKER, GATEWAY, WORKER]


def test_its_page() -> None:
    text = page("vllm.prom")
    sample = sample_of_page(VLLM, text, zeroed(text))
    assert (sample.requests, sample.errors) == (180 + 15 + 1 + 90 + 8, 2 + 1 + 4)
    assert (sample.in_flight, sample.queue, sample.kv_cache_ppm) == (21, 5, 937_500)
    assert (sample.tokens_in, sample.tokens_out) == (200_000, 60_000)
    assert sample.preemptions == 7
    assert (sample.latency_sum_us, sample.latency_count) == (720_000_000, 304)
    assert (sample.queue_time_sum_us, sample.queue_time_count) == (33_000_000, 304)
    assert (sample.first_token_sum_us, sample.first_token_count) == (35_000_000, 300)
    assert (sample.inter_token_sum_us, sample.inter_token_count) == (1_230_750_000, 59_694)
    assert (sample.latency_p50_low_us, sample.latency_p50_us, sample.latency_p50_high_us) == (
        1_000_000,
        1_300_000,
        2_500_000,
    )
    assert (sample.latency_p99_low_us, sample.latency_p99_us, sample.latency_p99_high_us) == (10_000_000, None, None)
    assert (sample.first_token_p50_us, sample.first_token_p99_us) == (70_000, 892_857)
    assert sample.batch_size_sum is sample.queue_length_sum is sample.model_bytes is None


def test_the_page_of_an_older_release() -> None:
    text = page("vllm.prom").replace("kv_cache_usage_perc", "gpu_cache_usage_perc")
    text = text.replace("vllm:inter_token_latency", "vllm:time_per_output_token").replace("vllm:admission_", "vllm:x_")
    sample = sample_of_page(VLLM, text)
    assert (sample.kv_cache_ppm, sample.inter_token_count, sample.errors) == (937_500, 59_694, 3)
    assert sample.latency_p50_us is None
