"""SGLang: which processes are its server, schedulers and tokenisers, and what do its options and its metrics say?

The first process keeps its command line and takes requests; it spawns one scheduler for each GPU, which runs the model,
and processes that turn text into tokens and back (gateways). Nothing but /metrics is ever asked: /health_generate runs a
request of its own.
"""

from collections.abc import Sequence
from typing import ClassVar, Literal

from collectors.addresses import local_urls
from collectors.command_line import helper_role, option, parse_command
from collectors.entities import Process, Role, Service
from collectors.facts import ProcessFacts
from collectors.framework import Facts, Gap, ModelRequest, Traits
from collectors.knobs import Knob
from collectors.learned import listening_port
from collectors.metric_map import MetricMap
from collectors.option_spelling import Spelling
from collectors.servers.llm_arguments import LanguageModelServer, front_of, model_request, short_name
from collectors.servers.sglang_engine import KNOBS, METRICS, SPELLING, scheduler_role

_MODULES = frozenset(("sglang.launch_server", "sglang.srt.entrypoints.http_server"))
_COMMANDS = frozenset(("sglang", "sglang.cli.main"))


class SgLang(LanguageModelServer):
    evidence: ClassVar[Literal["live", "captured", "documented"]] = "documented"
    versions: ClassVar[str] = "sglang 0.5.23"
    recognised_by: ClassVar[str] = (
        "`sglang serve`, `python -m sglang.launch_server`, or a title such as `sglang::scheduler_TP0`"
    )
    metrics: ClassVar[MetricMap | None] = METRICS
    knobs: ClassVar[tuple[Knob, ...]] = KNOBS
    spelling: ClassVar[Spelling] = SPELLING
    config: ClassVar[str] = "--config"
    runtime: ClassVar[str] = "sglang"

    def recognise(self, process: Process, parent: Role | None, facts: ProcessFacts | None) -> Role | None:
        command = parse_command(process.argv)
        if command.program in _MODULES or (command.program in _COMMANDS and command.arguments[:1] == ("serve",)):
            return Role.FRONT_END if parent is None else Role.WORKER
        return scheduler_role(process) or helper_role(command, parent)

    def model_requests(self, process: Process, facts: ProcessFacts | None) -> Sequence[ModelRequest]:
        return model_request(self._model(process, {process.key: facts} if facts else {}))

    def traits(self, processes: Sequence[tuple[Process, Role]], facts: Facts) -> Traits:
        process = processes[0][0]
        model = self._model(process, facts)
        served = self.given(process, facts, "--served-model-name")
        name = str(served) if served else None
        members = [each for each, _ in processes]
        models = (self.model(name or str(model), model, members, facts),) if model or name else ()
        arguments = self.arguments(process)
        application = name or (short_name(model) if model else "") or ("sglang" if arguments else "engine")
        if (option(arguments, "--node-rank") or "0") != "0":
            return Traits(application=application, models=models)
        port = self.port_of(process, facts, 30000) or listening_port(process.key, facts)
        host = self.given(process, facts, "--host")
        hidden = option(arguments, "--ssl-keyfile") is not None or self._prints_nothing(process, facts)
        urls = () if hidden else local_urls(port, host=str(host) if host else None)
        return Traits(application=application, port=port, models=models, metrics_urls=urls)

    def gaps(self, service: Service, facts: Facts) -> Sequence[Gap]:
        if not self._prints_nothing(front_of(service), facts):
            return ()
        return (
            Gap(
                missing="the metrics page: requests, latency, queue, tokens, KV cache",
                turn_on="--enable-metrics",
                where="the command line of sglang",
            ),
        )

    def _prints_nothing(self, process: Process, facts: Facts) -> bool:
        """Whether its metrics are known to be off; not where a title or an unread file hides the option."""
        arguments = self.arguments(process)
        if not arguments or "--enable-metrics" in arguments or self.unread(process, facts):
            return False
        return not self.given(process, facts, "--enable-metrics")

    def _model(self, process: Process, facts: Facts) -> str | None:
        """What is served: the word after `serve`, `--model-path`, or the file of options."""
        arguments = self.arguments(process)
        if arguments[:1] == ("serve",) and len(arguments) > 1 and not arguments[1].startswith("-"):
            return arguments[1]
        given = self.given(process, facts, "--model-path")
        return None if given is None else str(given)
