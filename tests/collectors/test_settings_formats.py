"""Each format gives the values that are plainly written in it, and a problem for all else; nothing is run."""

import textwrap
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.settings_formats.asked import Room, asked_for
from collectors.settings_formats.read import NotUnderstood, parser_of
from collectors.settings_formats.values import Scalar

Told = tuple[dict[str, Scalar], str | None]


def ask(name: str, text: str | bytes, *keys: str) -> Told:
    """What leaves the reader of a file of this name."""
    parse = parser_of(name.encode())
    assert parse is not None
    content = text if isinstance(text, bytes) else textwrap.dedent(text).encode()
    try:
        return asked_for(parse(content), keys, Room())
    except NotUnderstood as no:
        return {}, no.reason


def values(name: str, text: str | bytes, *keys: str) -> dict[str, Scalar]:
    """The values of a file without a problem."""
    found, problem = ask(name, text, *keys)
    assert problem is None
    return found


# --- keys


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


# --- TOML


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


# --- properties


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


# --- protobuf's text format

TRITON = """
    # a model
    name: "densenet" platform: 'onnxruntime_onnx'
    backend: "onnx" "runtime"
    max_batch_size: 0x8;
    input [ { name: "data_0", data_type: TYPE_FP32, dims: [ 3, 224, -1 ] } ]
    instance_group [
      { count: 2 kind: KIND_GPU gpus: [ 0, 1 ] },
      { count: 1 kind: KIND_CPU }
    ]
    dynamic_batching { }
    parameters { key: "intra_op_thread_count" value: { string_value: "4" } }
    parameters: < key: "flag" value < string_value: "\\"x\\"\\101\\303\\251" > >
    optimization { execution_accelerators { gpu_execution_accelerator : [ { name : "tensorrt"
      parameters { key: "precision_mode" value: "FP16" } } ] } }
    ensemble_scheduling { step [ { model_name: "a" model_version: -1 }, { model_name: "b" } ] }
    version_policy: { specific: { versions: [1, 3] } }
    response_cache { enable: true }
    ratio: 1.5e-1f
"""


def test_pbtxt_of_triton() -> None:
    keys = (
        "name", "platform", "backend", "max_batch_size", "instance_group.*.count", "instance_group.0.kind",
        "instance_group.0.gpus.1", "dynamic_batching", "dynamic_batching.max_queue_delay_microseconds", "parameters.*",
        "ensemble_scheduling.step.*.model_name", "ensemble_scheduling.step.0.model_version", "input.0.dims.2",
        "optimization.execution_accelerators.gpu_execution_accelerator.0.parameters.precision_mode",
        "version_policy.specific.versions.1", "response_cache.enable", "ratio",
    )  # fmt: skip
    assert values("config.pbtxt", TRITON, *keys) == {
        "name": "densenet", "platform": "onnxruntime_onnx", "backend": "onnxruntime", "max_batch_size": 8,
        "instance_group.0.count": 2, "instance_group.1.count": 1, "instance_group.0.kind": "KIND_GPU",
        "instance_group.0.gpus.1": 1, "dynamic_batching": True, "parameters.intra_op_thread_count": "4",
        "parameters.flag": '"x"Aé', "ensemble_scheduling.step.0.model_name": "a",
        "ensemble_scheduling.step.1.model_name": "b", "ensemble_scheduling.step.0.model_version": -1,
        "input.0.dims.2": -1, "version_policy.specific.versions.1": 3, "response_cache.enable": True, "ratio": 0.15,
        "optimization.execution_accelerators.gpu_execution_accelerator.0.parameters.precision_mode": "FP16",
    }  # fmt: skip


def test_a_message_with_fields_is_there_too() -> None:
    text = "dynamic_batching { preferred_batch_size: 4 preferred_batch_size: 8 max_queue_delay_microseconds: 100 }"
    assert values("c.pbtxt", text, "dynamic_batching", "dynamic_batching.*", "dynamic_batching.preferred_batch_size.*") == {
        "dynamic_batching": True,
        "dynamic_batching.preferred_batch_size.0": 4,
        "dynamic_batching.preferred_batch_size.1": 8,
        "dynamic_batching.max_queue_delay_microseconds": 100,
    }  # fmt: skip


def test_one_value_of_a_repeated_field_is_a_list_and_a_second_of_another_is_numbered() -> None:
    text = "instance_group { count: 3 } other: 1 other: 2 other { x: 3 } list: [7] none: []"
    keys = ("instance_group.0.count", "other", "other.1", "other.2.x", "list.0", "none")
    assert values("c.pbtxt", text, *keys) == {
        "instance_group.0.count": 3, "other": 1, "other.1": 2, "other.2.x": 3, "list.0": 7,
    }  # fmt: skip


def test_pbtxt_of_tensorflow_serving() -> None:
    batching = "max_batch_size { value: 128 }\nbatch_timeout_micros { value: 0 }\nallowed_batch_sizes : 8"
    assert values("batching.txt", batching, "max_batch_size.value", "batch_timeout_micros.value", "allowed_batch_sizes.0") == {
        "max_batch_size.value": 128, "batch_timeout_micros.value": 0, "allowed_batch_sizes.0": 8,
    }  # fmt: skip
    models = "model_config_list { config { name: 'a' base_path: '/m/a' } config { name: 'b' } }"
    assert values("models.config", models, "model_config_list.config.*.name") == {
        "model_config_list.config.0.name": "a", "model_config_list.config.1.name": "b",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a", "line 1: a value is missing"),
        ("a: 1\nb: {", "line 2: a name is missing"),
        ("a: {\n>", "line 2: a name is missing"),
        ("a: [1 2]", "line 1: `,` is missing"),
        ("a: 09", "line 1: a number is broken"),
        ("a: -x", "line 1: a number is missing"),
        ("a: 1\n[x]: 2", "line 2: a name is missing"),
        ('a: "x', "line 1: not protobuf's text format"),
        ("a: 1.2.3", "line 1: not protobuf's text format"),
        ('a: "\\q"', "line 1: an escape that is not read"),
        ("a{" * 50, "line 1: nested too deep"),
        ("a:1 " * 30_000, "more than 65536 words"),
        ("a: " + "1" * 100, "line 1: a number is too long"),
        ("}", "line 1: a name is missing"),
    ],
)
def test_pbtxt_that_is_not_read(text: str, problem: str) -> None:
    assert ask("c.pbtxt", text, "a") == ({}, problem)


# --- YAML


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


# --- Python


def test_python_assignments_of_literals() -> None:
    text = """
        import multiprocessing, os
        bind = "0.0.0.0:8000"
        workers = 4
        timeout: int = -1
        threads = graceful = 2
        preload_app = True
        reload: bool
        raw_env = ["A=1", "B=2"]
        pair = (1, 2.5)
        limits = {"soft": 3}
        workers = 5

        def post_fork(server, worker):
            workers = 99
            server.log.info(threads)
    """
    keys = (
        "bind", "workers", "timeout", "threads", "graceful", "preload_app", "reload", "raw_env.*", "pair.1",
        "limits.soft", "absent",
    )  # fmt: skip
    assert values("gunicorn.conf.py", text, *keys) == {
        "bind": "0.0.0.0:8000", "workers": 5, "timeout": -1, "threads": 2, "graceful": 2, "preload_app": True,
        "raw_env.0": "A=1", "raw_env.1": "B=2", "pair.1": 2.5, "limits.soft": 3,
    }  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [
        "workers = cpu_count() * 2 + 1",
        "workers = 2 * 2",
        "workers = int('4')",
        "workers = f'{4}'",
        "workers += 1",
        "if os.environ:\n    workers = 8",
        "for workers in range(3):\n    pass",
        "with open('x') as workers:\n    pass",
        "try:\n    pass\nexcept OSError as workers:\n    pass",
        "while (workers := 0):\n    pass",
        "import workers",
        "from settings import workers",
        "from settings import count as workers",
        "def workers():\n    pass",
        "class workers:\n    pass",
        "def f():\n    global workers\n    workers = 8",
        "workers, x = 1, 2",
        "(workers) = x = [1]",
        "del workers",
        "match x:\n    case [workers, *_]:\n        pass",
        "match x:\n    case {'a': 1, **workers}:\n        pass",
        "workers = 3.5j",
        "workers = b'4'",
        "workers = -True",
    ],
)
def test_a_name_that_is_bound_in_any_other_way_is_computed(line: str) -> None:
    text = f"workers = 4\nthreads = 2\n{line}\n"
    assert ask("gunicorn.conf.py", text, "workers", "threads") == ({"threads": 2}, "computes workers")


def test_a_list_that_is_used_again_may_have_changed() -> None:
    for use in ("raw_env.append('C=3')", "raw_env[0] = 'x'", "add(raw_env)", "other = raw_env"):
        found = ask("c.py", f"raw_env = ['A=1']\nworkers = 2\n{use}\n", "raw_env.*", "workers")
        assert found == ({"workers": 2}, "computes raw_env")
    assert ask("c.py", "a = b = []\nb.append(1)", "a.*", "b.*") == ({}, "computes a, b")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("exec(open('x').read())", "uses exec, which may set anything"),
        ("globals()['workers'] = 8", "uses globals, which may set anything"),
        ("sys.modules[__name__].workers = 8", "uses modules, which may set anything"),
        ("from base import *", "imports *, which may set anything"),
        ("workers = ", "not Python of this version"),
        ("x = " + "(" * 30, "brackets are nested deeper than 24"),
        ("x = " + "- " * 30_000 + "1", "more than 16384 lines and operators"),
        ("import a" + ".a" * 100, "more than 64 dots in a row"),
        ("# " + "x" * 70_000, "longer than 65536 bytes"),
        ("x = '\0'", "not Python of this version"),
    ],
    ids=range(10),
)
def test_where_the_code_may_set_anything_nothing_is_known(line: str, problem: str) -> None:
    assert ask("c.py", f"workers = 4\n{line}\n", "workers") == ({}, problem)


def test_nothing_is_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert ask("c.py", "print('run')\nworkers = print('run') or 4\n", "workers") == ({}, "computes workers")
    assert capsys.readouterr().out == ""


def test_what_a_script_imports_is_told_by_its_package() -> None:
    text = "def f():\n    import litserve.api as ls\nfrom os.path import join\nfrom . import local\nexec('x')"
    parse = parser_of(b"c.py")
    assert parse is not None
    with pytest.raises(NotUnderstood) as caught:
        parse(text.encode())
    assert caught.value.certain == {"import litserve": True, "import os": True}


# --- all of them


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
