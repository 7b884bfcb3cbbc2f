"""Two pages of one server become rates and means; what cannot be told from them stays unknown."""

import msgspec
import pytest

from advisor.history import History
from advisor.serving import STALE_SECONDS, load_of, rates
from advisor.serving_rates import ServingRates
from advisor.view import Load, PageView, View
from collectors.entities import Process, Role, Service, Worker, WorkerKey
from collectors.reading import Instant, Ok, Reading
from collectors.sources.serving import ServingSample

SECOND_NS = 1_000_000_000
PROCESS = Process(key=WorkerKey(101, 5), ppid=1, uid=0, comm="vllm", argv=("vllm", "serve"))
SERVICE = Service(
    id="s1", name="vllm/m:8000", framework="vllm", application="m", port=8000, owner=None, manager="bare", started=5,
    workers=(Worker(process=PROCESS, role=Role.FRONT_END, framework="vllm", service="vllm/m:8000", slot=0),),
)  # fmt: skip


def said(entity: str = "service:s1", **values: int | None) -> ServingSample:
    return ServingSample(entity=entity, **(dict.fromkeys(ServingSample.__struct_fields__[1:], None) | values))


BEFORE = said(
    requests=1000, errors=10, latency_sum_us=5_000_000, latency_count=1010, in_flight=1, queue_length_sum=40,
    queue_length_count=20, batch_size_sum=900, batch_size_count=300, tokens_in=50_000, tokens_out=9000,
    first_token_sum_us=700_000, first_token_count=900, inter_token_sum_us=4_000_000, inter_token_count=8000,
    preemptions=40, queue_time_sum_us=2_000_000, queue_time_count=1000, model_loads=7, model_evictions=2,
)  # fmt: skip
NOW = said(
    requests=1200, errors=15, latency_sum_us=15_250_000, latency_count=1215, latency_p50_us=40_000,
    latency_p99_us=None, in_flight=7, queue_length_sum=100, queue_length_count=32, batch_size_sum=1100,
    batch_size_count=350, tokens_in=70_000, tokens_out=10_000, first_token_sum_us=10_700_000, first_token_count=1100,
    inter_token_sum_us=14_000_000, inter_token_count=9000, kv_cache_ppm=625_000,
    queue_time_sum_us=4_000_000, queue_time_count=1200, model_loads=12, model_evictions=6,
    preemptions=43, model_bytes=6_000_000_000, model_gpu_bytes=5_000_000_000,
)  # fmt: skip


def test_counters_become_rates_and_sums_means() -> None:
    assert rates(NOW, BEFORE, 10.0) == ServingRates(
        requests_per_second=20.0,
        errors_per_second=0.5,
        latency_seconds=0.05,
        latency_p50_seconds=0.04,
        latency_p99_seconds=None,
        in_flight=7,
        server_queue=5.0,
        queue_seconds=0.01,
        batch_size=4.0,
        batches_per_second=5.0,
        tokens_in_per_second=2000.0,
        tokens_out_per_second=100.0,
        first_token_seconds=0.05,
        inter_token_seconds=0.01,
        kv_cache_ratio=0.625,
        preemptions_per_second=0.3,
        model_loads_per_second=0.5,
        model_evictions_per_second=0.4,
        model_bytes=6e9,
        model_gpu_bytes=5e9,
    )


def test_a_gauge_of_the_queue_is_nearer_than_the_mean_of_its_lengths() -> None:
    assert rates(msgspec.structs.replace(NOW, queue=9), BEFORE, 10.0).server_queue == 9
    assert rates(msgspec.structs.replace(NOW, queue=0), BEFORE, 10.0).server_queue == 0


@pytest.mark.parametrize(
    ("before", "seconds"), [(None, 0.0), (BEFORE, 0.0), (BEFORE, STALE_SECONDS + 1), (BEFORE, -5.0)]
)
def test_one_page_alone_or_one_too_old_gives_levels_only(before: ServingSample | None, seconds: float) -> None:
    assert rates(NOW, before, seconds) == ServingRates(
        in_flight=7, kv_cache_ratio=0.625, model_bytes=6e9, model_gpu_bytes=5e9
    )


def test_where_nothing_happened_there_is_no_mean() -> None:
    assert rates(BEFORE, BEFORE, 10.0) == ServingRates(
        requests_per_second=0.0, errors_per_second=0.0, tokens_in_per_second=0.0, tokens_out_per_second=0.0, in_flight=1,
        preemptions_per_second=0.0, batches_per_second=0.0, model_loads_per_second=0.0, model_evictions_per_second=0.0,
    )  # fmt: skip


def test_a_counter_that_went_back_has_no_rate_and_the_others_keep_theirs() -> None:
    found = rates(msgspec.structs.replace(NOW, requests=3, latency_count=4), BEFORE, 10.0)
    assert (found.requests_per_second, found.latency_seconds) == (None, None)
    assert (found.errors_per_second, found.tokens_in_per_second) == (0.5, 2000.0)
    missing = rates(msgspec.structs.replace(NOW, errors=None), msgspec.structs.replace(BEFORE, tokens_in=None), 10.0)
    assert (missing.errors_per_second, missing.tokens_in_per_second) == (None, None)


class Node:
    """A history that is told of pages at chosen seconds."""

    def __init__(self) -> None:
        self.history = History()

    def page(self, second: float, *samples: ServingSample) -> None:
        at = Instant(round(second * SECOND_NS), 0)
        self.history.add(
            Reading(collector="serving", at=at, duration_ns=0, cpu_ns=0, late_ns=0, outcome=Ok(tuple(samples)))
        )

    def view(self, second: float) -> View:
        self.history.end_tick([SERVICE], Instant(round(second * SECOND_NS), 0))
        return self.history.view(SERVICE)


def test_the_view_holds_what_the_last_two_pages_say_and_their_age() -> None:
    node = Node()
    assert (node.view(1).metrics_age_seconds, node.view(2).in_flight) == (None, None)
    node.page(2.5, BEFORE)
    first = node.view(3)
    assert (first.in_flight, first.requests_per_second, first.metrics_age_seconds) == (1, None, pytest.approx(0.5))
    node.page(12.5, NOW)
    second = node.view(14)
    assert (second.requests_per_second, second.errors_per_second, second.latency_seconds) == (20.0, 0.5, 0.05)
    assert (second.latency_p50_seconds, second.server_queue, second.batch_size) == (0.04, 5.0, 4.0)
    assert second.metrics_age_seconds == pytest.approx(1.5)


def test_what_an_old_page_said_is_not_the_present() -> None:
    node = Node()
    node.page(0, BEFORE)
    node.page(10, NOW)
    node.view(10)
    assert node.view(45).requests_per_second == 20.0
    late = node.view(46)
    assert (late.requests_per_second, late.in_flight, late.metrics_age_seconds) == (None, None, 36.0)


def test_a_restarted_server_has_rates_again_from_its_second_page_on() -> None:
    node = Node()
    node.page(0, NOW)
    node.page(10, said(requests=30))
    assert node.view(10).requests_per_second is None
    node.page(20, said(requests=80))
    assert node.view(20).requests_per_second == 5.0


def test_single_models_do_not_pass_for_the_service() -> None:
    node = Node()
    node.page(0, BEFORE, said("model:s1/a", requests=1))
    node.page(10, NOW, said("model:s1/a", requests=2))
    assert node.view(10).requests_per_second == 20.0
    assert set(node.history.tracks.services) == {"service:s1"}


def test_the_load_is_rate_times_latency_and_the_gauge_where_there_is_no_latency() -> None:
    both = ServingRates(requests_per_second=20.0, latency_seconds=0.05, in_flight=7)
    assert load_of(both) == Load(in_progress=1.0, per_second=20.0)
    assert load_of(msgspec.structs.replace(both, latency_seconds=None)) == Load(in_progress=7, per_second=20.0)


@pytest.mark.parametrize(
    "known", [ServingRates(), ServingRates(requests_per_second=0.0, in_flight=3), ServingRates(requests_per_second=5.0)]
)
def test_a_page_that_answered_nothing_or_tells_half_is_no_load(known: ServingRates) -> None:
    assert load_of(known) is None


def test_the_view_holds_the_loads_of_the_present_configuration_only() -> None:
    node = Node()
    for page in range(4):
        node.page(10 * page, said(requests=200 * page, latency_sum_us=10_000_000 * page, latency_count=200 * page))
    assert node.view(31).loads == (Load(1.0, 20.0),) * 3
    node.history.restart_window(SERVICE)
    node.page(40, said(requests=1800, latency_sum_us=50_000_000, latency_count=1000))
    assert node.view(41).loads == ()  # this page spans both configurations
    node.page(50, said(requests=1850, latency_sum_us=60_000_000, latency_count=1050))
    assert node.view(51).loads == (Load(pytest.approx(1.0), 5.0),)


def told(node: Node, second: float, preemptions: int | None, kv_cache_ppm: int = 970_000, source: str = "a") -> None:
    known = dict.fromkeys(ServingSample.__struct_fields__[1:], None)
    known |= {"preemptions": preemptions, "kv_cache_ppm": kv_cache_ppm, "source": source}
    node.page(second, ServingSample(entity="service:s1", **known))


def test_the_view_holds_what_the_pages_of_the_last_minutes_said() -> None:
    node = Node()
    for page in range(4):
        told(node, 10 * page, 3 * page)
    assert node.view(31).pages == tuple(
        PageView(age_seconds=pytest.approx(age), seconds=10.0, preempted=pytest.approx(3.0), kv_cache_ratio=0.97)
        for age in (21, 11, 1)
    )
    assert [page.age_seconds for page in node.view(315).pages] == [pytest.approx(295), pytest.approx(285)]


def test_pages_count_answers_and_tokens_beside_what_lost_its_place() -> None:
    node = Node()
    for page in range(2):
        node.page(10 * page, said(requests=20 * page, tokens_in=9000 * page, tokens_out=700 * page, preemptions=page))
    (page,) = node.view(11).pages
    assert (page.answered, page.tokens_in, page.tokens_out, page.preempted) == pytest.approx((20, 9000, 700, 1))


def test_pages_hold_the_batch_and_what_it_took_without_its_wait() -> None:
    node = Node()
    for page in range(2):
        node.page(
            10 * page,
            said(batch_size_sum=90 * page, batch_size_count=30 * page, latency_sum_us=4_000_000 * page,
                 latency_count=80 * page, queue_time_sum_us=1_600_000 * page, queue_time_count=80 * page),
        )  # fmt: skip
    (page,) = node.view(11).pages
    assert (page.batch_size, page.work_seconds) == pytest.approx((3.0, 0.03))


def test_pages_before_a_restart_or_another_configuration_are_not_held() -> None:
    node = Node()
    told(node, 0, 40)
    told(node, 10, 43)
    told(node, 20, 1, source="b")
    assert node.view(21).pages == ()
    told(node, 30, 2, source="b")
    assert [page.preempted for page in node.view(31).pages] == [pytest.approx(1.0)]
    node.history.restart_window(SERVICE)
    told(node, 40, 9, source="b")
    assert node.view(41).pages == ()  # it spans both configurations
    told(node, 50, 9, source="b")
    assert [page.preempted for page in node.view(51).pages] == [0.0]


def test_a_page_after_a_gap_tells_its_levels_only() -> None:
    node = Node()
    told(node, 0, 40)
    told(node, 60, 43)
    assert [(page.preempted, page.kv_cache_ratio) for page in node.view(61).pages] == [(None, 0.97)]


def test_the_view_holds_what_the_last_page_said_of_each_model() -> None:
    node = Node()
    node.page(0, said(requests=10), said("model:s1/a", requests=4), said("model:s1/b", requests=6))
    node.page(10, said(requests=40), said("model:s1/a", requests=24), said("model:s1/b", requests=16))
    found = {stage.name: stage.rates.requests_per_second for stage in node.view(11).stages}
    assert found == {"a": 2.0, "b": 1.0}
    assert node.view(50).stages == ()  # the page is no longer the present
