"""Python: assignments of literals in the body of the module count; nothing is run."""

import pytest

from collectors.settings_formats.read import NotUnderstood, parser_of
from tests.collectors.settings_asking import ask, values


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


def test_a_long_row_of_elif_is_no_error_and_imports_are_told() -> None:
    text = "import os\nworkers = 2\nif a:\n x = 1\n" + "elif a:\n x = 1\n" * 1200
    parse = parser_of(b"gunicorn.conf.py")
    assert parse is not None
    with pytest.raises(NotUnderstood, match="nested too deep") as no:
        parse(text.encode())
    assert no.value.certain == {"import os": True}
