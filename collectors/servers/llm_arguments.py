"""What do the options of a language model's server say: on its command line, and in the file that one of them names?"""

import re
from collections.abc import Iterable, Sequence
from os.path import basename
from typing import ClassVar

import msgspec

from collectors.command_line import option, parse_command
from collectors.entities import Model, Process, Role, Service
from collectors.facts import Facts
from collectors.framework import Framework, ModelRequest, SettingsRequest
from collectors.knobs import Knob, file, knob_places, knob_setting
from collectors.learned import environment_of, settings_files
from collectors.levers import Lever, Place, Setting, Value
from collectors.metric_map import Distribution, MetricMap
from collectors.model_file import ModelFile
from collectors.option_spelling import Spelling, spellings
from collectors.shared_levers import shared_places, shared_setting, whole_number

_HUB_NAME = re.compile(r"[\w.-]+(?:/[\w.-]+)?")
_QUANTISED = re.compile(r":[\w.-]+\Z")
_FILES = 64
_LAST_PORT = 65535


class LanguageModelServer(Framework):
    """A server that is set on its command line, and, where `config` names an option for it, in a file of options."""

    spelling: ClassVar[Spelling] = Spelling()
    config: ClassVar[str] = ""
    titles: ClassVar[bool] = True
    """Whether its first process may give itself a title. Without, a command line of one item is one without options."""
    runtime: ClassVar[str] = ""
    """What runs the model, as its models say it."""

    def arguments(self, process: Process) -> tuple[str, ...]:
        """The options of a command line, spelled as in the knobs; empty where a title took its place."""
        if len(process.argv) < 2:
            return ()
        return self.spelling_of(process).of(parse_command(process.argv).arguments)

    def spelling_of(self, process: Process) -> Spelling:
        """The spellings that count for one process."""
        return self.spelling

    def given(self, process: Process, facts: Facts, name: str) -> Value:
        """What the command line, else the file of options, says of one option; None if neither does."""
        text = option(self.arguments(process), name)
        if text is not None:
            return text
        key = name.lstrip("-")
        files = settings_files(process.key, facts, self.config) if self.config else ()
        held = (each.values.get(spelled) for each in files for spelled in (key, key.replace("-", "_")))
        return next((value for value in held if value is not None), None)

    def port_of(self, process: Process, facts: Facts, default: int | None, name: str = "--port") -> int | None:
        """The port that is given, or the default if nothing that could not be read may give another one."""
        given = self.given(process, facts, name)
        if given is not None:
            return port_number(given)
        return None if self.unread(process, facts) or len(process.argv) < 2 else default

    def unread(self, process: Process, facts: Facts) -> bool:
        """Whether a file of options is given that could not be read in full."""
        if not self.config or option(self.arguments(process), self.config) is None:
            return False
        files = settings_files(process.key, facts, self.config)
        return not files or any(each.problem for each in files)

    def settings_requests(self, process: Process) -> Sequence[SettingsRequest]:
        path = option(self.arguments(process), self.config) if self.config else None
        if not path:
            return ()
        names = {name.lstrip("-") for many in spellings(self.knobs) for name in many if name.startswith("--")}
        names |= {"model", "model-path", "served-model-name", "host", "port"}
        keys = sorted({spelled for name in names for spelled in (name, name.replace("-", "_"))})
        return (SettingsRequest(name=self.config, pattern=path, keys=tuple(keys)),)

    def setting(self, lever: Lever, service: Service, facts: Facts) -> Setting | None:
        knob, spelled = self.knob_of(lever, service), self.spelled(service)
        return knob_setting(knob, spelled, facts) if knob else shared_setting(lever, service, facts)

    def places(self, lever: Lever, value: Value, service: Service, facts: Facts) -> Sequence[Place]:
        knob, spelled = self.knob_of(lever, service), self.spelled(service)
        return knob_places(knob, value, spelled, facts) if knob else shared_places(lever, value, service, facts)

    def knob_of(self, lever: Lever, service: Service) -> Knob | None:
        """The knob that a service has for a lever."""
        knob = self.knob(lever)
        return self.with_config(knob, service) if knob else None

    def with_config(self, knob: Knob, service: Service) -> Knob:
        """The knob with the file of options among its sources, after the command line, where one is given."""
        if not self.config or option(self.arguments(front_of(service)), self.config) is None:
            return knob
        on_line = [source for source in knob.sources if source.kind in ("argument", "flag")]
        long = [name.lstrip("-") for source in on_line for name in source.names if name.startswith("--")]
        keys = dict.fromkeys(spelled for name in long for spelled in (name, name.replace("-", "_")))
        others = [source for source in knob.sources if source not in on_line]
        return msgspec.structs.replace(knob, sources=(*on_line, file(self.config, *keys), *others)) if keys else knob

    def spelled(self, service: Service) -> Service:
        """The service with the command line of its first process in one spelling."""
        front = front_of(service)
        arguments = parse_command(front.argv).arguments
        argv: tuple[str, ...]
        if len(front.argv) == 1 and not self.titles:
            argv = (*front.argv, "")  # one item alone is taken for a title
        elif len(front.argv) < 2 or not arguments:
            return service
        else:
            argv = (*front.argv[: len(front.argv) - len(arguments)], *self.spelling_of(front).of(arguments))
        changed = msgspec.structs.replace(front, argv=argv)
        workers = tuple(
            msgspec.structs.replace(each, process=changed) if each.process is front else each
            for each in service.workers
        )
        return msgspec.structs.replace(service, workers=workers)

    def model(self, name: str, location: str | None, processes: Iterable[Process], facts: Facts) -> Model:
        """The model that a server was told to load, with the headers that were read beside its processes."""
        files = model_files(processes, facts)
        return Model(name=name, path=location, runtime=self.runtime, format=_format(location, files), files=files)


def port_number(text: object) -> int | None:
    """A TCP port that can be asked; None for 0, which lets the kernel choose, and for what is no port."""
    number = whole_number(text)
    return number if number is not None and 0 < number <= _LAST_PORT else None


def front_of(service: Service) -> Process:
    """The process whose command line the server's options stand on."""
    return (service.front_end or service.workers[0]).process


def model_files(processes: Iterable[Process], facts: Facts) -> tuple[ModelFile, ...]:
    """The headers that were read beside these processes, each file once."""
    known = (facts.get(process.key) for process in processes)
    found = {file.path: file for each in known if each for file in each.models}
    return tuple(list(found.values())[:_FILES])


def _format(location: str | None, files: Sequence[ModelFile]) -> str | None:
    weights = [each.format for each in files if each.format != "hf-config"]
    if weights:
        return weights[0]
    return "gguf" if location and location.lower().endswith(".gguf") else None


def model_request(location: Value) -> tuple[ModelRequest, ...]:
    """The model behind what a command line names: a path, or a name of the Hugging Face hub (`org/name`,
    `hf://org/name`, `org/name:QUANTISATION`). Nothing for an object store, which has no files here."""
    text = location if isinstance(location, str) else ""
    text = text.removeprefix("hf://")
    if not text or "://" in text:
        return ()
    if text.startswith(("/", "./", "../", "~")) or text.endswith((".gguf", "/")):
        return (ModelRequest(location=text),)
    text = _QUANTISED.sub("", text)
    return (ModelRequest(location=text, hub=True),) if _HUB_NAME.fullmatch(text) else (ModelRequest(location=text),)


def short_name(location: str) -> str:
    """The last part of a path or of a hub's name, without the ending of a file: `Llama-3.1-8B` of `meta/Llama-3.1-8B`."""
    name = basename(location.rstrip("/"))
    return name[:-5] if name.lower().endswith(".gguf") else name


def variable(processes: Sequence[tuple[Process, Role]], facts: Facts, *names: str) -> str | None:
    """A variable of the server's environment; None if it is not set, or not readable."""
    values = environment_of((process for process, _ in processes), facts).values or {}
    return next((values[name] for name in names if values.get(name)), None)


def has_environment(processes: Sequence[tuple[Process, Role]], facts: Facts) -> bool:
    """Whether the environment could be read, so that what is not in it was not set."""
    return environment_of((process for process, _ in processes), facts).values is not None


def title_of(process: Process) -> str:
    """The title a process gave itself; its name, cut to 15 bytes, where there is no command line at all."""
    if len(process.argv) > 1:
        return ""
    return process.argv[0] if process.argv else process.comm


def together(model_label: str, *maps: MetricMap) -> MetricMap:
    """One map for a server that prints the series of one or another of several engines."""
    scalars = {
        name: tuple(s for one in maps for s in one.scalars.get(name, ())) for one in maps for name in one.scalars
    }
    distributions = {
        name: Distribution(of=tuple(s for one in maps if (d := one.distributions.get(name)) for s in d.of))
        for one in maps
        for name in one.distributions
    }
    marks = tuple(mark for one in maps for mark in one.marks)
    return msgspec.structs.replace(MetricMap(model_label=model_label, marks=marks), **scalars, **distributions)
