"""Each format gives the values that are plainly written in it, and a problem for all else; nothing is run."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.settings_formats.read import parser_of
from tests.collectors.settings_asking import ask, values


def test_a_star_stands_for_any_one_index_or_name() -> None:
    document = '{"a": [{"n": 1}, {"n": 2}, {"m": 3}], "b": {"x": {"n": 4}, "y": 5}}'
    assert values("f.json", document, "a.*.n", "b.*.n", "*.x.n", "a.1.n") == {
        "a.0.n": 1, "a.1.n": 2, "b.x.n": 4,
    }  # fmt: skip
    assert values("f.json", document, "a.7.n", "a.x.n", "b.y.z", "none") == {}


def test_at_most_64_matches_of_one_key_are_told() -> None:
    assert len(values("f.json", f'{{"a": {list(range(100))}}}', "a.*")) == 64


def test_names_may_hold_dots() -> None:
    assert values("f.json", '{"a.b": {"c.d": 1}, "a": {"x": 2}}', "a.b.c.d", "a.x") == {"a.b.c.d": 1, "a.x": 2}


def test_a_text_that_holds_an_object_is_looked_into() -> None:
    assert values("f.yaml", 'x: \'{"a": {"b": 1}}\'', "x.a.b", "x.*.b") == {"x.a.b": 1}
    assert values("f.yaml", "x: '{broken'", "x.a") == {}


def test_a_name_found_by_a_star_that_cannot_be_shown_is_left_out() -> None:
    assert values("f.json", '{"a": {"ok": 1, "\\u001b[31m": 2, "' + "x" * 200 + '": 3}}', "a.*") == {"a.ok": 1}


def test_secrets_stay_and_are_named() -> None:
    found, problem = ask("f.toml", 'port = 1\napi_key = "x"\nurl = "redis://u:pw@h"', "port", "api_key", "url")
    assert (found, problem) == ({"port": 1}, "withholds api_key, url")


def test_what_is_no_plain_value_is_a_problem_unless_its_parts_are_asked_for() -> None:
    assert ask("f.json", '{"bind": ["a", "b"]}', "bind") == ({}, "has no plain value at bind")
    assert ask("f.json", '{"bind": ["a", "b"]}', "bind", "bind.*") == ({"bind.0": "a", "bind.1": "b"}, None)
    assert ask("f.json", '{"bind": []}', "bind") == ({}, None)


def test_values_that_cannot_be_sent_on_are_made_so() -> None:
    found, problem = ask(
        "f.py", "a = 10 ** 2\nb = 99999999999999999999\nc = '\\ud800\\x1b'\nd = 1e999", "a", "b", "c", "d"
    )
    assert found == {"c": "\\ud800\\x1b", "d": "inf"}
    assert problem == "computes a; has too large a number at b"


def test_toml() -> None:
    text = 'a = 1\nt = 1.5\n[s."x.y"]\non = true\nwhen = 2024-01-01\nlist = [1, {n = 2}]'
    assert ask("f.toml", text, "a", "t", "s.x.y.on", "s.x.y.when", "s.x.y.list.1.n") == (
        {"a": 1, "t": 1.5, "s.x.y.on": True, "s.x.y.list.1.n": 2},
        "has a time at s.x.y.when",
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a = ", "not TOML"),
        ("a = " + "[" * 5000, "not TOML"),
        (b"a = '\xff'", "not UTF-8"),
        (".".join("a" * 30) + " = 1", "line 1: more than 24 dots"),
        ("#" + "x" * 70_000, "longer than 65536 bytes"),
    ],
)
def test_toml_that_is_not_read(text: str | bytes, problem: str) -> None:
    assert ask("f.toml", text, "a") == ({}, problem)


def test_properties() -> None:
    text = (
        "# comment\n! another\n\ninference_address=http://0.0.0.0:8080\n  job_queue_size : 100\n"
        "default_workers_per_model 4\nratio=0.5\nflag=true\nversion=1.2.3\nempty=\n"
        "long=a,\\\n   b,\\\n   c\nescaped\\ word\\:x=\\u0041\\tB\\\\\nwindows=x\r\nlast=1\nlast=2"
    )
    keys = (
        "inference_address", "job_queue_size", "default_workers_per_model", "ratio", "flag", "version", "empty", "long",
        "escaped word:x", "windows", "last",
    )  # fmt: skip
    assert values("config.properties", text, *keys) == {
        "inference_address": "http://0.0.0.0:8080", "job_queue_size": 100, "default_workers_per_model": 4,
        "ratio": 0.5, "flag": True, "version": "1.2.3", "empty": "", "long": "a,b,c",
        "escaped word:x": "A\\x09B\\", "windows": "x", "last": 2,
    }  # fmt: skip


def test_the_models_of_a_properties_file() -> None:
    text = 'models={\\\n  "noop": {\\\n    "1.0": {"minWorkers": 1, "batchSize": 4}\\\n  }\\\n}\n'
    assert values("config.properties", text, "models.*.*.minWorkers", "models.noop.1.0.batchSize") == {
        "models.noop.1.0.minWorkers": 1, "models.noop.1.0.batchSize": 4,
    }  # fmt: skip


def test_properties_that_are_broken() -> None:
    assert ask("f.properties", "a=\\u00zz", "a") == ({}, "a broken \\u escape")
    assert ask("f.properties", "\\\n" * 1000 + "a=1\\", "a") == ({"a": 1}, None)


@pytest.mark.parametrize("name", ["f", ".json", "f.ini", "f.json.bak", "f.", ""])
def test_other_endings_are_not_read(name: str) -> None:
    assert parser_of(name.encode()) is None


PIECES = st.sampled_from([
    "a", "b: ", "a = 1", ": ", "- ", "\n", "\n  ", "[", "]", "{", "}", '"', "'", "\\", "#", ",", "<", ">", "=", "1", "-",
    "|", "&", "*", "import x", "\t", "\0", "é", "\ud7ff", "if a:", "key: 1 value { }", "[[x]]",
])  # fmt: skip


@pytest.mark.parametrize("ending", ["json", "toml", "yaml", "properties", "pbtxt", "py"])
@settings(max_examples=200, deadline=None)
@given(pieces=st.lists(PIECES, max_size=12), tail=st.binary(max_size=8))
def test_whatever_is_in_a_file_it_is_values_or_a_problem(ending: str, pieces: Sequence[str], tail: bytes) -> None:
    found, problem = ask(f"f.{ending}", "".join(pieces).encode() + tail, "a", "a.*", "b", "*", "*.*")
    assert all(value is None or isinstance(value, bool | int | float | str) for value in found.values())
    assert problem is None or len(problem) < 2000
