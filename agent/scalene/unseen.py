"""Which programs does scalene not see into, and why?

It sees the process that it started and what that one forks. Workers that are spawned as new processes leave nothing in its
profile, and of a parent that forks and waits it shows mostly the waiting. (Measured with scalene 2.4.0.)
"""

import json
import re
from collections.abc import Callable, Mapping
from os.path import join, normpath

from agent.errors import CliError
from agent.scalene.program import Program
from collectors.command_line import option, positionals
from collectors.shared_levers import whole_number

_SEVERAL = "{name} serves from processes of its own, which scalene does not see"
_OTHERS = {
    "bentoml": "serve the runner's function with uvicorn and one worker",
    "celery": "start the worker with --pool solo in a script of your own",
    "deepspeed": "run the script of one rank alone",
    "mpirun": "run the script of one rank alone",
    "ray": "call the deployment's class in a script of your own",
    "serve": "call the deployment's class in a script of your own",
    "sglang": "profile its workers without a restart: nodewright profile PID",
    "sglang.launch_server": "profile its workers without a restart: nodewright profile PID",
    "torch.distributed.run": "run the script of one rank alone",
    "torchrun": "run the script of one rank alone",
    "vllm": "profile its workers without a restart: nodewright profile PID",
    "vllm.entrypoints.openai.api_server": "profile its workers without a restart: nodewright profile PID",
}
_FALSE = frozenset(("", "0", "f", "false", "n", "no", "off"))
_ENV_FILE_LINE = re.compile(r"^\s*(?:export\s+)?(?P<name>\w+)\s*=\s*['\"]?(?P<value>[^'\"\s#]*)", re.MULTILINE)
_FILE_BYTES = 1 << 16


def refuse_unseen(program: Program, environ: Mapping[str, str], folder: str) -> None:
    """CliError if `program`, started in `folder` with `environ`, would serve where scalene does not see it."""
    name = program.name
    check = _CHECKS.get(name)
    if check is not None:
        check(program, environ, folder)
    elif name in _OTHERS:
        raise _unseen(_SEVERAL.format(name=name), _OTHERS[name])


def is_server(program: Program) -> bool:
    """Whether it is known to listen once it is ready."""
    return program.name in _CHECKS


def _gunicorn(program: Program, environ: Mapping[str, str], folder: str) -> None:
    raise _unseen(
        "gunicorn forks its workers and waits; scalene shows the waiting",
        "run the application with a server of one process, such as uvicorn, or use nodewright profile PID",
    )


def _uvicorn(program: Program, environ: Mapping[str, str], folder: str) -> None:
    values = {**_env_file(option(program.arguments, "--env-file"), folder), **environ}
    words = program.arguments
    given = option(words, "--workers")
    if given is not None:
        _one_worker(given, f"--workers {given}", program)
    else:
        own = () if _is_fastapi(program) else ("UVICORN_WORKERS",)
        for variable in (*own, "WEB_CONCURRENCY"):
            if values.get(variable):
                _one_worker(values[variable], f"{variable}={values[variable]}", program)
                break
    # `fastapi dev` reloads unless it is told not to
    development = _is_fastapi(program) and positionals(words, ())[:1] == ["dev"] and "--no-reload" not in words
    variable_set = not _is_fastapi(program) and values.get("UVICORN_RELOAD", "").lower() not in _FALSE
    if "--reload" in words or development or variable_set:
        raise _unseen(f"with reload {program.name} serves from a spawned process", "leave reload out for this run")


def _one_worker(given: str, where: str, program: Program) -> None:
    number = whole_number(given)
    if number is not None and number > 1:
        raise _unseen(f"{where}: {program.name} spawns its workers, which scalene does not see", "use --workers 1")


def _is_fastapi(program: Program) -> bool:
    return program.name.startswith("fastapi")


def _hypercorn(program: Program, environ: Mapping[str, str], folder: str) -> None:
    if whole_number(option(program.arguments, "--workers", "-w")) != 0:
        raise _unseen("hypercorn spawns its workers, even a single one", "use --workers 0: it then serves itself")
    if "--reload" in program.arguments:
        raise _unseen("with --reload hypercorn serves from a new process", "leave --reload out for this run")


def _mlserver(program: Program, environ: Mapping[str, str], folder: str) -> None:
    words = positionals(program.arguments, ())
    models = join(folder, words[1] if len(words) > 1 else ".")
    settings = normpath(join(models, "settings.json"))
    values = _json(settings)
    number = values.get("parallel_workers", whole_number(environ.get("MLSERVER_PARALLEL_WORKERS")))
    if number != 0 or isinstance(number, bool):
        raise _unseen(
            "MLServer spawns parallel workers, which scalene does not see",
            f'set "parallel_workers": 0 in {settings} for this run',
        )


def _json(path: str) -> Mapping[str, object]:
    try:
        with open(path, encoding="utf-8") as stream:
            values = json.loads(stream.read(_FILE_BYTES))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def _env_file(name: str | None, folder: str) -> Mapping[str, str]:
    """What the file of --env-file sets; the environment wins over it."""
    if name is None:
        return {}
    try:
        with open(join(folder, name), encoding="utf-8") as stream:
            text = stream.read(_FILE_BYTES)
    except (OSError, ValueError):
        return {}
    return {match["name"]: match["value"] for match in _ENV_FILE_LINE.finditer(text)}


def _unseen(message: str, hint: str) -> CliError:
    return CliError("scalene.unseen", message, hint)


_CHECKS: Mapping[str, Callable[[Program, Mapping[str, str], str], None]] = {
    "fastapi": _uvicorn,
    "fastapi_cli": _uvicorn,
    "gunicorn": _gunicorn,
    "gunicorn.app.wsgiapp": _gunicorn,
    "hypercorn": _hypercorn,
    "mlserver": _mlserver,
    "mlserver.cli": _mlserver,
    "uvicorn": _uvicorn,
    "uvicorn.main": _uvicorn,
}
