"""Tools by their program's name, and names that only look like one."""

import pytest

from collectors.command_line import may_serve
from collectors.no_servers import is_no_server
from tests.captures import process


@pytest.mark.parametrize(
    ("program", "tool"),
    [
        ("ipykernel_launcher", True),
        ("ipykernel_launcher.py", True),
        ("jupyter-notebook", True),
        ("jupyterhub-singleuser", True),
        ("torch.distributed.run", True),
        ("IPython", True),
        ("pydevd.py", True),
        ("airflow scheduler", True),
        ("torchserve_wrapper", False),
        ("dask_serve.py", False),
        ("jupyter_proxy.py", False),
        ("mlflow.py", False),
        ("serve", False),
        ("", False),
        ("-", False),
    ],
)
def test_a_tool_is_told_by_the_first_word_of_its_name(program: str, tool: bool) -> None:
    assert is_no_server(program) is tool


def test_a_tool_is_not_worth_a_look() -> None:
    assert not may_serve(process(1, "python", "/opt/venv/bin/torchrun", "train.py"))
    assert may_serve(process(1, "python", "torch_server.py"))
