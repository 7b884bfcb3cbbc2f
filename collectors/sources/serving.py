"""How many requests does a server itself say that it has handled, how long did they take, and how many wait?

Only pages of this node are asked, each within one second and 4 MiB; redirects are not followed. A server that hangs,
floods or answers something else gives no sample; `problems` says why, and the others are read all the same.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

from collectors.app_metrics import APP_METRICS
from collectors.collector import Collector
from collectors.entities import Service
from collectors.framework import Framework
from collectors.host import Host
from collectors.reading import Unreadable, Unsupported
from collectors.registry import framework_named
from collectors.sample import Sample, metric

if TYPE_CHECKING:
    from collectors.pages.served import Served


class ServingSample(Sample, frozen=True, kw_only=True, gc=False):
    """What one service counts itself, over all its models (`service:ID`), or one of its models (`model:ID/NAME`).

    Counters are as the page says, over all label sets. Quantiles are of what came since the page before: the bounds of
    the bucket that holds one (no upper bound: the last bucket), and where between them it lies if they fill it evenly.
    """

    kind: ClassVar[str] = "serving"
    doc: ClassVar[str] = "Requests, times, queues and tokens as the server's own metrics page counts them."

    requests: Annotated[int | None, metric("requests", "Requests answered well.", counter=True)]
    errors: Annotated[int | None, metric("requests", "Requests that failed.", counter=True)]
    latency_sum_us: Annotated[int | None, metric("seconds", "Time spent in requests.", counter=True, scale=1e-6)]
    latency_count: Annotated[int | None, metric("requests", "Requests whose time is in the sum.", counter=True)]
    latency_p50_us: Annotated[int | None, metric("seconds", "Median time of a request.", scale=1e-6)]
    latency_p50_low_us: Annotated[int | None, metric("seconds", "Lower bound of the median.", scale=1e-6)]
    latency_p50_high_us: Annotated[int | None, metric("seconds", "Upper bound of the median.", scale=1e-6)]
    latency_p99_us: Annotated[int | None, metric("seconds", "99th percentile of the time of a request.", scale=1e-6)]
    latency_p99_low_us: Annotated[int | None, metric("seconds", "Lower bound of the 99th percentile.", scale=1e-6)]
    latency_p99_high_us: Annotated[int | None, metric("seconds", "Upper bound of the 99th percentile.", scale=1e-6)]
    in_flight: Annotated[int | None, metric("requests", "Requests that are being handled now.")]
    queue: Annotated[int | None, metric("requests", "Requests that wait inside the server now.")]
    queue_length_sum: Annotated[int | None, metric("requests", "Queue lengths seen, added up.", counter=True)]
    queue_length_count: Annotated[int | None, metric("observations", "How often the queue was seen.", counter=True)]
    queue_time_sum_us: Annotated[
        int | None, metric("seconds", "Time that requests waited inside the server.", counter=True, scale=1e-6)
    ]
    queue_time_count: Annotated[int | None, metric("requests", "Requests whose wait is in the sum.", counter=True)]
    batch_size_sum: Annotated[int | None, metric("requests", "Batch sizes seen, added up.", counter=True)]
    batch_size_count: Annotated[int | None, metric("batches", "How many batches were seen.", counter=True)]
    tokens_in: Annotated[int | None, metric("tokens", "Tokens of prompts.", counter=True)]
    tokens_out: Annotated[int | None, metric("tokens", "Tokens generated.", counter=True)]
    first_token_sum_us: Annotated[int | None, metric("seconds", "Times to first token.", counter=True, scale=1e-6)]
    first_token_count: Annotated[int | None, metric("requests", "Requests with a first token.", counter=True)]
    first_token_p50_us: Annotated[int | None, metric("seconds", "Median time to first token.", scale=1e-6)]
    first_token_p99_us: Annotated[int | None, metric("seconds", "99th percentile to first token.", scale=1e-6)]
    inter_token_sum_us: Annotated[int | None, metric("seconds", "Times between tokens.", counter=True, scale=1e-6)]
    inter_token_count: Annotated[int | None, metric("tokens", "Tokens whose time is in the sum.", counter=True)]
    inter_token_p50_us: Annotated[int | None, metric("seconds", "Median time between tokens.", scale=1e-6)]
    inter_token_p99_us: Annotated[int | None, metric("seconds", "99th percentile between tokens.", scale=1e-6)]
    kv_cache_ppm: Annotated[int | None, metric("ratio", "Share of the KV cache in use.", scale=1e-6)]
    preemptions: Annotated[
        int | None, metric("requests", "Running requests that lost their place in the KV cache.", counter=True)
    ]
    model_bytes: Annotated[int | None, metric("bytes", "Memory of loaded models.")]
    model_gpu_bytes: Annotated[int | None, metric("bytes", "What of that is on GPUs, where models are split.")]
    model_loads: Annotated[int | None, metric("models", "Models loaded, again or anew.", counter=True)] = None
    model_evictions: Annotated[
        int | None, metric("models", "Models taken out of memory to make room for others.", counter=True)
    ] = None
    source: Annotated[str | None, metric("", "Who printed the page: counters go on only within one source.")] = None


class ServingCollector(Collector):
    samples: ClassVar[tuple[type[Sample], ...]] = (ServingSample,)
    cadence_seconds: ClassVar[float] = 10.0
    cost: ClassVar[str] = "one HTTP request per service that has a metrics page; about 4 ms of CPU for one of 200 kB"
    own_thread: ClassVar[bool] = True
    needs: ClassVar[str] = "a metrics page of the server on this node"

    def __init__(self) -> None:
        self.problems: dict[str, Unsupported] = {}
        """Id of a service -> why its page gave nothing the last time."""
        self._served: dict[str, Served] = {}

    def collect(self, host: Host, services: Sequence[Service]) -> Iterable[Sample]:
        found: list[Sample] = []
        problems: dict[str, Unsupported] = {}
        for service in services:
            framework = framework_named(service.framework)
            if not service.metrics_urls or framework is None:
                continue
            try:
                found += self._of(service, framework, host.clock.now().mono_ns)
            except Unreadable as problem:
                problems[service.id] = Unsupported(problem.reason, problem.hint)
        gone = self._served.keys() - {service.id for service in services}
        for each in gone:
            del self._served[each]
        self.problems = problems
        return found

    def _of(self, service: Service, framework: Framework, now_ns: int) -> list[ServingSample]:
        # a server without metrics of its own has an address only where the configuration names its application's page
        names = framework.metrics_of(service) or APP_METRICS
        served = self._served.get(service.id)
        if served is None:
            from collectors.pages.served import Served  # it loads an HTTP client

            served = self._served[service.id] = Served()
        return served.samples(service, framework, names, now_ns)
