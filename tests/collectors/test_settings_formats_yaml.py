"""YAML: maps, lists and values of one line; what is more is a problem."""

import pytest

from collectors.settings_formats.values import Scalar
from tests.collectors.settings_asking import ask, values


def test_yaml() -> None:
    text = """
        ---
        # serve config
        model: org/name   # comment
        host: "127.0.0.1"
        port: 8000
        tensor-parallel-size: 2
        enabled: yes
        off: null
        quoted: 'it''s'
        escaped: "a\\tb\\x41"
        applications:
        - name: one
          options: {num_cpus: 0.5, "gpu": [1, x y], last: }
          deployments:
            - num_replicas: 2
            - num_replicas: auto
        -   name: two
            route: /x#y
        - plain
        -
          name: three
        after: -3
        nested:
            deep:
              deeper: 1.5
        next:
          word
    """
    keys = (
        "model", "host", "port", "tensor-parallel-size", "enabled", "off", "quoted", "escaped", "applications.*.name",
        "applications.0.options.num_cpus", "applications.0.options.gpu.1", "applications.0.options.last",
        "applications.0.deployments.*.num_replicas", "applications.1.route", "applications.2", "after",
        "nested.deep.deeper", "next",
    )  # fmt: skip
    assert values("c.yaml", text, *keys) == {
        "model": "org/name", "host": "127.0.0.1", "port": 8000, "tensor-parallel-size": 2, "enabled": True, "off": None,
        "quoted": "it's", "escaped": "a\\x09bA", "applications.0.name": "one", "applications.1.name": "two",
        "applications.3.name": "three", "applications.0.options.num_cpus": 0.5, "applications.0.options.gpu.1": "x y",
        "applications.0.options.last": None, "applications.0.deployments.0.num_replicas": 2,
        "applications.0.deployments.1.num_replicas": "auto", "applications.1.route": "/x#y", "applications.2": "plain",
        "after": -3, "nested.deep.deeper": 1.5, "next": "word",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1", 1), ("-1", -1), ("+1", 1), ("0x1F", 31), ("1.5", 1.5), ("1.", 1.0), (".5", 0.5), ("1.0e+3", 1000.0),
        ("1e3", "1e3"), ("true", True), ("On", True), ("no", False), ("y", "y"), ("~", None), ("null", None),
        (".inf", "inf"), ("-.Inf", "-inf"), (".nan", "nan"), ("1.2.3", "1.2.3"), ("10.0.0.1", "10.0.0.1"),
        ("1-2", "1-2"), ('"1"', "1"), ("'no'", "no"), ("a # b", "a"), ("a#b", "a#b"), ("", None),
    ],
)  # fmt: skip
def test_yaml_values_are_those_of_version_1_1(written: str, value: Scalar) -> None:
    assert values("c.yaml", f"k: {written}", "k") == {"k": value}


@pytest.mark.parametrize(
    "written", ["010", "1_000", "1:30", "2024-01-01", "2024-01-01 10:00:00", "0o17", "08", "0b1", "="]
)
def test_yaml_that_readers_take_in_different_ways_is_not_told(written: str) -> None:
    assert ask("c.yaml", f"k: {written}", "k") == ({}, "has an unclear number or time at k")


def test_a_block_text_is_left_out_and_the_rest_is_read() -> None:
    text = "a: |\n  key: value\n\n   # more\nb: 2\nc: >-\n  x\nd: 3\n"
    assert ask("c.yaml", text, "a", "b", "d") == ({"b": 2, "d": 3}, "has a block text at a")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: &x 1", "line 1: an anchor, an alias, a tag, or a value that is not read"),
        ("a: *x", "line 1: an anchor, an alias, a tag, or a value that is not read"),
        ("a: !!python/object:os.system x", "line 1: an anchor, an alias, a tag, or a value that is not read"),
        ("a: 1\n<<: {b: 1}", "line 2: a key twice, or a merge"),
        ("a: 1\na: 2", "line 2: a key twice, or a merge"),
        ("a: b: c", "line 1: two keys in one line"),
        ("a: x\n  y", "line 2: a value over several lines"),
        ('a: "x\n  y"', "line 2: a quoted text over several lines"),
        ("a: [1,\n  2]", "line 2: a collection over several lines, or none that is read"),
        ("a: {b}", "line 1: a map without values, or with a key twice"),
        ("a: [1] x", "line 1: a value that is not read"),
        ("a:\n\tb: 1", "line 2: a tab"),
        ("a: 1\n---\nb: 2", "line 2: several documents"),
        ("%YAML 1.1\n---\na: 1", "line 1: no map and no list"),
        ("a:\n    b: 1\n  c: 2", "line 3: not indented as what is before it"),
        ("- a\nb: 1", "line 2: not indented as what is before it"),
        ("just text", "line 1: no map and no list"),
        ("? a\n: b", "line 1: no map and no list"),
        ('a: "\\q"', "line 1: a broken escape"),
        ("a: " + "[" * 50, "line 1: nested too deep"),
        ("\n".join(" " * n + "a:" for n in range(60)), "line 34: nested too deep"),
        ("a: \x00", "it has control characters"),
        ("\n" * 40_000, "more than 32768 lines"),
        (b"a: \xff", "not UTF-8"),
    ],
    ids=range(24),
)
def test_yaml_that_is_not_read(text: str | bytes, problem: str) -> None:
    found = ask("c.yaml", text, "a")
    assert found[0] == {}
    assert found[1] is not None
    assert found[1].partition(": ")[2:] == problem.partition(": ")[2:]


def test_an_empty_yaml_file_has_no_values() -> None:
    assert (values("c.yaml", "", "a"), values("c.yml", "# nothing\n---\n", "a")) == ({}, {})
