"""What scalene cannot see is refused with the reason, before anything is started."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from agent.errors import CliError
from agent.scalene.program import Program
from agent.scalene.unseen import is_server, refuse_unseen


def refuse(command: str, folder: Path, environ: Mapping[str, str] | None = None) -> None:
    words = command.split()
    module = words[0] == "-m"
    program = Program(
        python="python",
        module=words[1] if module else None,
        script=None if module else f"/x/bin/{words[0]}",
        arguments=tuple(words[2 if module else 1 :]),
    )
    refuse_unseen(program, environ or {}, str(folder))


@pytest.mark.parametrize(
    ("command", "environ", "says"),
    [
        ("gunicorn -w 1 app:app", {}, "gunicorn forks its workers"),
        ("-m gunicorn app:app", {}, "gunicorn forks its workers"),
        ("uvicorn app:app --workers 2", {}, "--workers 2: uvicorn spawns its workers"),
        ("-m uvicorn app:app --workers=4", {}, "--workers 4"),
        ("uvicorn app:app", {"WEB_CONCURRENCY": "3"}, "WEB_CONCURRENCY=3: uvicorn spawns"),
        ("uvicorn app:app", {"UVICORN_WORKERS": "2", "WEB_CONCURRENCY": "1"}, "UVICORN_WORKERS=2"),
        ("uvicorn app:app --env-file my.env", {}, "WEB_CONCURRENCY=5"),
        ("uvicorn app:app --reload", {}, "with reload uvicorn serves from a spawned process"),
        ("uvicorn app:app", {"UVICORN_RELOAD": "true"}, "with reload"),
        ("fastapi run main.py --workers 2", {}, "--workers 2: fastapi"),
        ("fastapi run main.py", {"WEB_CONCURRENCY": "2"}, "WEB_CONCURRENCY=2"),
        ("fastapi dev main.py", {}, "with reload fastapi"),
        ("hypercorn app:app", {}, "hypercorn spawns its workers, even a single one"),
        ("hypercorn -w 1 app:app", {}, "even a single one"),
        ("hypercorn -w 0 --reload app:app", {}, "with --reload"),
        ("mlserver start .", {}, "MLServer spawns parallel workers"),
        ("mlserver start two", {"MLSERVER_PARALLEL_WORKERS": "0"}, "two/settings.json"),
        ("mlserver start broken", {}, "MLServer spawns parallel workers"),
        ("mlserver start .", {"MLSERVER_PARALLEL_WORKERS": "1"}, "MLServer spawns parallel workers"),
        ("vllm serve m", {}, "vllm serves from processes of its own"),
        ("torchrun x.py", {}, "torchrun serves from processes of its own"),
    ],
)
def test_workers_in_processes_of_their_own_are_refused(
    tmp_path: Path, command: str, environ: Mapping[str, str], says: str
) -> None:
    _settings(tmp_path)
    with pytest.raises(CliError) as error:
        refuse(command, tmp_path, environ)
    assert says in str(error.value)
    assert (error.value.key, error.value.exit_status) == ("scalene.unseen", 2)
    assert error.value.hint


@pytest.mark.parametrize(
    ("command", "environ"),
    [
        ("uvicorn app:app", {}),
        ("uvicorn app:app --workers 1", {"WEB_CONCURRENCY": "4"}),
        ("uvicorn app:app", {"UVICORN_WORKERS": "1", "WEB_CONCURRENCY": "4"}),
        ("uvicorn app:app --env-file my.env", {"WEB_CONCURRENCY": "1"}),
        ("uvicorn app:app --env-file absent.env", {"UVICORN_RELOAD": "0"}),
        ("fastapi run main.py", {"UVICORN_WORKERS": "4", "UVICORN_RELOAD": "1"}),
        ("fastapi dev main.py --no-reload", {}),
        ("hypercorn --workers 0 app:app", {}),
        ("mlserver start none", {"MLSERVER_PARALLEL_WORKERS": "2"}),
        ("mlserver start .", {"MLSERVER_PARALLEL_WORKERS": "0"}),
        ("serve.py --workers 4", {"WEB_CONCURRENCY": "4"}),
    ],
)
def test_one_process_is_allowed(tmp_path: Path, command: str, environ: Mapping[str, str]) -> None:
    _settings(tmp_path)
    refuse(command, tmp_path, environ)


def test_servers_are_known_to_listen_once_they_are_ready() -> None:
    assert is_server(Program(python="p", module="uvicorn"))
    assert not is_server(Program(python="p", script="train.py"))


def _settings(folder: Path) -> None:
    (folder / "my.env").write_text("A=1\nexport WEB_CONCURRENCY='5' # many\n")
    for name, text in (("none", '{"parallel_workers": 0}'), ("two", '{"parallel_workers": 2}'), ("broken", "[")):
        (folder / name).mkdir()
        (folder / name / "settings.json").write_text(text)
    assert json.loads((folder / "none" / "settings.json").read_text()) == {"parallel_workers": 0}
