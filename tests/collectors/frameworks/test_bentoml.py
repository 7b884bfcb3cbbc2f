"""BentoML as it was recorded: supervisor, workers in sessions of their own, metrics page, and its levers."""

import pytest

from collectors.entities import Process, Role, Service
from collectors.facts import ProcessFacts
from collectors.framework import Framework, Traits
from collectors.frameworks.bentoml import BentoMl
from collectors.levers import Lever
from tests.captures import FIXTURES, Recorded, facts, process, service_of
from tests.pages import sample_of_page, samples_of_page

FRONT, WORKER = Role.FRONT_END, Role.WORKER
PAGE = (FIXTURES / "metrics/bentoml_metrics.prom").read_text()


def bentoml(*arguments: str) -> Process:
    return process(10, "/opt/venv/bin/python3.11", "/opt/venv/bin/bentoml", *arguments, comm="bentoml")


def worker(pid: int, name: str, *arguments: str, target: str = "service:Gate") -> Process:
    argv = ("python", "-m", "_bentoml_impl.worker.service", target, "--fd", "3", "--service-name", name, *arguments)
    return process(pid, *argv, ppid=10)


def traits_of(one: Process, known: ProcessFacts, *others: tuple[Process, ProcessFacts]) -> Traits:
    everything = {one.key: known} | {each.key: inside for each, inside in others}
    return BentoMl().traits([(one, FRONT), *((each, WORKER) for each, _ in others)], everything)


def recorded_service() -> tuple[Service, Recorded]:
    recorded = Recorded(BentoMl(), "bentoml_tree")
    return recorded.service(), recorded


def test_workers_in_sessions_of_their_own_belong_to_the_supervisor() -> None:
    recorded = Recorded(BentoMl(), "bentoml_tree")
    assert recorded.roles == {2064: FRONT, 2071: WORKER, 2072: WORKER}
    traits = recorded.traits()
    assert (traits.application, traits.port, traits.calls, traits.request_threads) == ("Iris", 18100, None, None)
    assert traits.metrics_urls == ("http://127.0.0.1:18100/metrics",)
    assert [(model.name, model.runtime) for model in traits.models] == [("Iris", "bentoml")]


@pytest.mark.parametrize(
    ("argv", "role"),
    [
        (("bentoml", "serve", "."), FRONT),
        (("bentoml", "--verbose", "serve", "service:Iris", "--reload"), FRONT),
        (("python", "-m", "bentoml", "serve-http", "iris:latest"), FRONT),
        (("bentoml", "serve-grpc", "iris:latest"), FRONT),
        (("python", "-m", "_bentoml_impl.worker.service", ".", "--fd", "3"), WORKER),
        (("python", "-m", "bentoml_cli.worker.runner", "iris:latest", "--fd", "3"), WORKER),
        (("python", "-m", "bentoml_cli.worker.http_api_server", "iris:latest"), Role.GATEWAY),
        (("python", "-m", "bentoml_cli.worker.grpc_prometheus_server"), Role.SUPPORT),
        (("bentoml", "build"), None),
        (("bentoml", "containerize", "iris:latest"), None),
        (("bentoml", "list"), None),
        (("bentoml",), None),
        (("vim", "bentoml"), None),
        (("bash", "-c", "bentoml serve ."), None),
        (("pip", "install", "bentoml"), None),
    ],
)
def test_what_is_a_server(argv: tuple[str, ...], role: Role | None) -> None:
    assert BentoMl().recognise(process(1, *argv), None, None) is role


def test_a_worker_that_lost_its_supervisor_is_still_told_by_its_command_line() -> None:
    orphan = worker(20, "Iris", "--worker-id", "1")
    assert BentoMl().recognise(orphan, None, None) is WORKER


@pytest.mark.parametrize(
    ("target", "application"),
    [
        ("service:Iris", "Iris"),
        ("fraud.service:FraudModel", "FraudModel"),
        ("service:svc", "service"),
        ("fraud_detector:latest", "fraud_detector"),
        ("fraud_detector:4tht2icroji6zput3suqi5nl2", "fraud_detector"),
        ("./fraud_detector_bento", "fraud_detector_bento"),
        ("fraud.py:svc", "fraud"),
        (".", "shop"),
    ],
)
def test_the_application_is_the_service_the_bento_or_the_folder(target: str, application: str) -> None:
    one = bentoml("serve", target)
    assert traits_of(one, facts(one, environ={}, cwd="/srv/shop")).application == application


def test_without_an_argument_the_working_folder_names_it() -> None:
    one = bentoml("serve", "-p", "3001")
    traits = traits_of(one, facts(one, environ={}, cwd="/srv/shop"))
    assert (traits.application, traits.port) == ("shop", 3001)


def test_the_port_comes_from_option_variable_or_the_workers_socket_and_is_not_assumed() -> None:
    front, own = bentoml("serve", "."), worker(11, "Gate", "--backlog", "2048", target=".")
    inner = worker(12, "Model", target=".")
    control = facts(front, environ={}, ports=(43001, 43002, 3000))
    assert traits_of(front, facts(front, environ={"BENTOML_PORT": "3005"})).port == 3005
    assert traits_of(bentoml("serve", ".", "--port=3006"), facts(front, environ={"BENTOML_PORT": "3005"})).port == 3006
    looked = traits_of(front, control, (own, facts(own, environ={}, ports=(3000,))), (inner, facts(inner, environ={})))
    assert (looked.port, looked.metrics_urls) == (3000, ("http://127.0.0.1:3000/metrics",))
    unknown = traits_of(front, facts(front, environ={}))
    assert (unknown.port, unknown.metrics_urls) == (None, ())


def test_the_page_is_asked_where_the_server_listens() -> None:
    one = bentoml("serve", ".", "-p", "3000", "--host", "192.0.2.7")
    assert traits_of(one, facts(one, environ={})).metrics_urls == ("http://192.0.2.7:3000/metrics",)
    every = bentoml("serve", ".", "-p", "3000")
    found = traits_of(every, facts(every, environ={"BENTOML_HOST": "0.0.0.0"}))
    assert found.metrics_urls == ("http://127.0.0.1:3000/metrics",)


def test_the_recorded_page_counts_the_calls_of_the_model_and_not_the_probes() -> None:
    """Of 25 requests 20 were for the model; /livez, /readyz, /healthz and /docs.json are BentoML's own."""
    sample = sample_of_page(BentoMl(), PAGE)
    assert (sample.requests, sample.errors, sample.in_flight) == (20, 0, 0)
    assert (sample.latency_sum_us, sample.latency_count) == (374130, 20)
    assert (sample.queue, sample.queue_time_sum_us, sample.batch_size_sum, sample.tokens_in) == (None, None, None, None)


def test_latency_quantiles_lie_in_the_buckets_of_what_was_added() -> None:
    before = "\n".join(line.rsplit(" ", 1)[0] + " 0.0" if "{" in line else line for line in PAGE.splitlines())
    sample = sample_of_page(BentoMl(), PAGE, before)
    assert (sample.latency_p50_low_us, sample.latency_p50_high_us) == (10000, 25000)
    assert (sample.latency_p99_low_us, sample.latency_p99_high_us) == (25000, 50000)


def line(name: str, value: float, **labels: str) -> str:
    text = ",".join(f'{key}="{held}"' for key, held in labels.items())
    return f"bentoml_service_{name}{{{text}}} {value}\n"


COMPOSED = "# TYPE bentoml_service_request_total counter\n" + "".join(
    line("request_total", value, endpoint=path, http_response_code=status, runner_name=name, service_name="Gate")
    for name, path, status, value in (
        ("Gate", "/classify", "200", 10), ("Gate", "/classify", "429", 3), ("Gate", "/classify", "500", 1),
        ("Gate", "/classify", "400", 2), ("Gate", "/", "200", 5), ("Gate", "/static_content/a.js", "200", 7),
        ("Gate", "/wp-login.php", "404", 50), ("Model", "/predict", "200", 20), ("Model", "/livez", "200", 9),
    )
)  # fmt: skip


def test_errors_are_what_the_server_failed_at_and_not_what_a_client_did_wrong() -> None:
    sample = sample_of_page(BentoMl(), COMPOSED)
    assert (sample.requests, sample.errors) == (30, 4)


class OfOne(BentoMl):
    """BentoML as the collector asks it about one service."""

    def __init__(self, service: Service) -> None:
        type(self).metrics = BentoMl().metrics_of(service)


def test_a_service_that_calls_another_counts_only_what_its_clients_asked() -> None:
    """Both services print on one page; the calls from one to the other are no requests of a client."""
    members = (bentoml("serve", "service:Gate"), worker(11, "Model"), worker(12, "Gate", "--backlog", "2048"))
    several = service_of("bentoml", *zip(members, (FRONT, WORKER, WORKER), strict=True))
    made: Framework = OfOne(several)
    sample = sample_of_page(made, COMPOSED)
    assert (sample.requests, sample.errors) == (10, 4)
    alone, _ = recorded_service()
    assert BentoMl().metrics_of(alone) is BentoMl.metrics


def test_its_services_are_told_apart_on_the_page() -> None:
    samples = samples_of_page(BentoMl(), COMPOSED)
    assert {name: sample.requests for name, sample in samples.items()} == {
        "service:5e41ce": 30, "model:5e41ce/Gate": 10, "model:5e41ce/Model": 20,
    }  # fmt: skip


def test_services_are_its_models_the_one_that_clients_call_first() -> None:
    front, inner, own = bentoml("serve", "."), worker(11, "Model"), worker(12, "Gate", "--backlog", "2048")
    traits = traits_of(front, facts(front, environ={}), (inner, facts(inner)), (own, facts(own)))
    assert [model.name for model in traits.models] == ["Gate", "Model"]


def test_what_the_code_may_set_is_counted_or_unknown_and_never_the_default() -> None:
    service, recorded = recorded_service()
    reason = "the code, or the file of BENTOML_CONFIG, may set it"
    found = {lever: BentoMl().setting(lever, service, recorded.known) for lever in Lever}
    told = {lever: (one.value, one.origin) for lever, one in found.items() if one is not None}
    assert told == {
        Lever.WORKERS: (2, f"counted; {reason}"),
        Lever.REQUEST_THREADS: (None, f"{reason}; default 1"),
        Lever.MAX_REQUESTS_IN_FLIGHT: (None, f"{reason}; default no limit"),
        Lever.MAX_BATCH_SIZE: (None, f"{reason}; default 100"),
        Lever.COMPUTE_THREADS: ("unset", "default of openblas: one thread per allowed CPU"),
        Lever.THREAD_BINDING: (False, "default"),
    }


def test_the_file_wins_over_the_code_where_the_variable_names_one() -> None:
    service, recorded = recorded_service()
    unnamed = BentoMl().places(Lever.WORKERS, 4, service, recorded.known)
    assert [(p.kind, p.target, p.key, p.value, p.effective) for p in unnamed] == [
        ("file", "bentoml_configuration.yaml", "services.Iris.workers", 4, None),
        ("code", "bentoml", "@bentoml.service(workers=…)", 4, None),
    ]
    front = recorded.processes[0]
    known = {**recorded.known, front.key: facts(front, environ={"BENTOML_CONFIG": "/srv/bento.yaml"})}
    first = BentoMl().places(Lever.MAX_REQUESTS_IN_FLIGHT, 32, service, known)[0]
    assert (first.target, first.key, first.effective, first.because) == (
        "/srv/bento.yaml", "services.Iris.traffic.max_concurrency", True, "it wins over the code",
    )  # fmt: skip
    assert [p.key for p in BentoMl().places(Lever.REQUEST_THREADS, 4, service, known)] == [
        "@bentoml.service(threads=…)"
    ]
    assert BentoMl().places(Lever.PRELOAD, True, service, known) == ()
