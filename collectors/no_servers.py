"""Which Python programs listen and load numeric libraries, and are no model servers all the same?"""

import re

_TOOLS = frozenset((
    # notebooks and shells
    "colab_kernel_launcher", "ipython", "ipython3", "notebook", "nbclassic", "nbconvert", "papermill", "voila",
    "marimo", "spyder",
    # launchers and frameworks of training
    "torch", "torchrun", "torchx", "deepspeed", "accelerate", "horovod", "horovodrun", "lightning", "composer",
    "wandb", "tensorboard", "optuna", "aim",
    # data processing and schedulers
    "dask", "distributed", "pyspark", "spark", "celery", "flower", "airflow", "prefect", "dagster", "luigi", "luigid",
    "rq", "huey", "dramatiq", "apache_beam", "mlflow", "dbt",
    # debuggers, language servers, tests, installers, load generators
    "debugpy", "pydevd", "pdb", "pylsp", "pyls", "jedi", "pyright", "basedpyright", "ruff", "mypy", "dmypy", "pytest",
    "unittest", "tox", "nox", "pip", "uv", "poetry", "conda", "locust", "supervisord", "circusd", "nodewright",
))  # fmt: skip
"""By the first word of a program's or a module's name: `jupyter` of `jupyter-lab`, `torch` of `torch.distributed.run`."""

_SCRIPTS = frozenset(("ipykernel_launcher.py", "colab_kernel_launcher.py", "pydevd.py", "pydevconsole.py"))
_STARTS = ("ipykernel", "jupyter")
_FIRST_WORD = re.compile(r"\w*")


def is_no_server(program: str) -> bool:
    """Whether a program, as `parse_command` names it, is a tool that may look like a model server. A script of one's
    own is none, whatever its name: `dask_serve.py`."""
    if program.endswith((".py", ".pyc", ".pyz")):
        return program in _SCRIPTS
    first = _FIRST_WORD.match(program)
    return first is not None and (first[0].lower() in _TOOLS or first[0].startswith(_STARTS))
