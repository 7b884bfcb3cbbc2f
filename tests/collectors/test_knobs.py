"""A knob's present value comes from the place that wins; a place that cannot be read makes it unknown, never the default."""

import pytest

from collectors.entities import Role, Service
from collectors.facts import Facts, ProcessFacts, SettingsFile
from collectors.knobs import Knob, argument, code, env, file, flag, knob_places, knob_setting
from collectors.levers import Lever
from tests.captures import facts, process, service_of

KNOB = Knob(
    lever=Lever.MAX_BATCH_SIZE,
    sources=(argument("--batch", "-b"), env("SERVER_BATCH"), file("server.toml", "batch.size")),
    default=8,
)


def made(*argv: str, environ: dict[str, str] | None = None, held: SettingsFile | None = None) -> tuple[Service, Facts]:
    front = process(10, *argv)
    known: dict[object, ProcessFacts] = {front.key: facts(front, environ=environ, files=(held,) if held else ())}
    return service_of("server", (front, Role.FRONT_END)), known  # type: ignore[return-value]


def settings(size: int | None = None, present: bool = True, problem: str | None = None) -> SettingsFile:
    values = {} if size is None else {"batch.size": size}
    return SettingsFile("server.toml", "/srv/server.toml", present, values, problem)


SILENT = settings(present=False)


@pytest.mark.parametrize(
    ("argv", "environ", "held", "value", "origin"),
    [
        (("server", "--batch", "4"), {"SERVER_BATCH": "5"}, settings(size=6), 4, "argument --batch"),
        (("server", "-b4"), {}, SILENT, 4, "argument --batch"),
        (("server", "x"), {"SERVER_BATCH": "5"}, settings(size=6), 5, "env SERVER_BATCH"),
        (("server", "x"), {"SERVER_BATCH": ""}, settings(size=6), None, "env SERVER_BATCH is set to nothing"),
        (("server", "--batch=4"), {"SERVER_BATCH": ""}, SILENT, 4, "argument --batch"),
        (("server", "x"), {}, settings(size=6), 6, "file server.toml"),
        (("server", "x"), {}, SILENT, 8, "default"),
        (("/usr/bin/server",), {}, SILENT, 8, "default"),
        (("server", "--batch", "auto"), {}, SILENT, "auto", "argument --batch"),
        (("server: master [app]",), {}, settings(size=6), None, "its title replaced the command line"),
        (("python", "-c", "import server"), {}, SILENT, None, "its command line is code and holds no options"),
        (("server", "x"), {}, None, None, "server.toml is not readable"),
        (("server", "x"), {}, settings(problem="computes size"), None, "server.toml: computes size"),
    ],
)
def test_the_place_that_wins_tells_the_value(argv, environ, held, value, origin) -> None:
    found = knob_setting(KNOB, *made(*argv, environ=environ, held=held))
    assert (found.value, found.origin) == (value, origin)


def test_an_erased_environment_is_unknown_and_not_unset() -> None:
    found = knob_setting(KNOB, *made("server", "x", environ=None, held=settings(size=6)))
    assert found.value is None
    assert found.origin.startswith("environment not readable")


def test_what_code_may_set_is_never_said_to_be_the_default() -> None:
    knob = Knob(lever=Lever.WORKERS, sources=(argument("--workers"), code("run(workers=…)")), default=1)
    found = knob_setting(knob, *made("server", "x", environ={}))
    assert (found.value, found.origin) == (None, "run(workers=…) may set it; default 1")


def test_a_flag_is_true_where_it_is_given_and_proposed_without_a_value() -> None:
    knob = Knob(lever=Lever.METRICS, sources=(flag("--metrics"),), default=False)
    assert knob_setting(knob, *made("server", "--metrics", environ={})).value is True
    assert knob_setting(knob, *made("server", "x", environ={})).value is False
    (place,) = knob_places(knob, True, *made("server", "x", environ={}))
    assert (place.kind, place.key, place.value) == ("argument", "--metrics", None)


def effects(service: Service, known: Facts) -> list[tuple[str, bool | None]]:
    return [(place.kind, place.effective) for place in knob_places(KNOB, 16, service, known)]


@pytest.mark.parametrize(
    ("argv", "environ", "held", "expected"),
    [
        (("server", "x"), {}, SILENT, [("argument", True), ("env", True), ("file", True)]),
        (("server", "-b", "4"), {}, SILENT, [("argument", True), ("env", False), ("file", False)]),
        (("server", "x"), {"SERVER_BATCH": "5"}, SILENT, [("env", True), ("argument", True), ("file", False)]),
        (("server", "x"), {}, settings(size=6), [("file", True), ("argument", True), ("env", True)]),
        (("server", "x"), None, settings(size=6), [("file", None), ("argument", True), ("env", True)]),
        (("server: master",), {}, SILENT, [("argument", True), ("env", None), ("file", None)]),
    ],
)
def test_places_name_the_present_one_first_and_say_which_are_overruled(argv, environ, held, expected) -> None:
    assert effects(*made(*argv, environ=environ, held=held)) == expected


def test_a_place_that_is_overruled_says_by_what() -> None:
    places = knob_places(KNOB, 16, *made("server", "--batch=4", environ={}, held=SILENT))
    assert [(p.target, p.key, p.value, p.because) for p in places] == [
        ("server", "--batch", "16", "nothing that wins over it sets it"),
        ("server", "SERVER_BATCH", "16", "argument --batch sets 4 and wins"),
        ("/srv/server.toml", "batch.size", 16, "argument --batch sets 4 and wins"),
    ]
