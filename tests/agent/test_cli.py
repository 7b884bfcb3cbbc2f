"""Every command ends with its status, and what goes wrong is one line on standard error."""

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from agent.cli import cli, run_command
from nodewright import __version__

LAUNCHER = Path(__file__).parents[2] / "nodewright.py"
COMMANDS = (
    "run", "advise", "top", "profile", "sidecar", "explain", "doctor", "config", "record", "replay", "demo",
    "ack", "snooze", "reopen", "history", "loadtest", "verify", "outcomes", "migrate", "fleet",
)  # fmt: skip
FLAGS = {
    "run": {"--config", "--db", "--listen", "--no-sidecar", "--interval"},
    "advise": {"--seconds", "--service", "--format", "--fail-on", "--recording", "--baseline", "--url"},
    "profile": {"--seconds", "--rate", "--native", "--gil", "--idle", "--format", "--output", "--scalene", "--memory"},
    "sidecar": {"--socket"},
    "doctor": {"--format"},
    "record": {"--output", "--seconds"},
    "replay": {"--listen"},
    "ack": {"--reason", "--owner", "--for", "--url"},
    "snooze": {"--for", "--reason", "--owner", "--url"},
    "reopen": {"--reason", "--owner", "--url"},
    "migrate": {"--device", "--price", "--what-if", "--probe", "--format", "--url"},
    "fleet": {"--prometheus", "--token-file", "--user", "--tenant", "--since", "--format"},
    "history": {"--since", "--limit", "--format", "--url"},
}


@pytest.fixture(autouse=True)
def own_environment(tmp_path, monkeypatch):
    for name in ("STATE_DIRECTORY", "RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(LAUNCHER), *arguments],
        capture_output=True, text=True, env=os.environ | environ, timeout=60, check=False,
    )  # fmt: skip


def one_line(capsys) -> str:
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("nodewright: ")
    return captured.err


def test_the_commands_are_those_of_the_contract():
    assert {name for name, command in cli.commands.items() if not command.hidden} == set(COMMANDS)


@pytest.mark.parametrize("name", FLAGS)
def test_each_command_has_the_flags_of_the_contract(name):
    flags = {option for parameter in cli.commands[name].params for option in parameter.opts}
    assert flags >= FLAGS[name]


def test_every_command_and_option_has_help():
    for command in cli.commands.values():
        assert command.get_short_help_str(limit=200)
        for parameter in command.params:
            if isinstance(parameter, click.Option) and parameter.name not in {"form"}:
                assert parameter.help, f"{command.name} {parameter.name}"


@pytest.mark.parametrize(
    ("arguments", "status", "key"),
    [
        (["nope"], 2, "usage"),
        (["run", "--nope"], 2, "usage"),
        (["advise", "--fail-on", "worst"], 2, "usage"),
        (["advise", "--seconds", "0"], 2, "usage"),
        (["advise", "--seconds", "nan"], 2, "usage"),
        (["advise", "--url", "http://h", "--recording", "f"], 2, "usage"),
        (["record"], 2, "usage"),
        (["profile", "4194304"], 2, "profile.no-target"),
        (["profile"], 2, "usage"),
        (["profile", "--scalene"], 2, "usage"),
        (["migrate", "--probe", "--device", "L4"], 2, "usage"),
        (["migrate", "app", "--probe"], 2, "usage"),
        (["top"], 2, "top.order"),
        (["explain", "nothing-like-it"], 2, "rule.unknown"),
        (["run", "--interval", "5"], 2, "config.bad-value"),
        (["run", "--listen", "9753"], 2, "config.bad-value"),
        (["run", "--config", "/nonexistent.toml"], 2, "config.missing"),
        (["config", "check", "--config", "/nonexistent.toml"], 2, "config.missing"),
    ],
)
def test_a_wrong_command_ends_with_its_status_and_one_line(arguments, status, key, capsys):
    assert run_command(arguments) == status
    assert one_line(capsys).startswith(f"nodewright: {key}: ")


def test_profile_says_what_it_could_look_at(capsys):
    assert run_command(["profile", "4194304"]) == 2
    assert "there is no process 4194304 (name one that runs)" in one_line(capsys)


def test_config_show_names_the_origin_of_a_flagless_environment_setting(monkeypatch):
    monkeypatch.setenv("NODEWRIGHT_STORE_SIZE_CAP", "1GiB")
    result = CliRunner().invoke(cli, ["config", "show", "--format", "json"])
    rows = {row["key"]: row for row in json.loads(result.stdout)["data"]}
    assert rows["store.size_cap"] == {
        "key": "store.size_cap", "value": "1GiB", "origin": "environment NODEWRIGHT_STORE_SIZE_CAP",
    }  # fmt: skip


def test_config_check_and_schema(tmp_path):
    file = tmp_path / "a.toml"
    file.write_text('[agent]\ninterval = "2s"\n')
    result = CliRunner().invoke(cli, ["config", "check", "--config", str(file)])
    assert (result.exit_code, result.stdout) == (0, f"valid: {file}\n")
    assert json.loads(CliRunner().invoke(cli, ["config", "schema"]).stdout)["type"] == "object"


def test_the_launcher_prints_its_version_and_help():
    assert run("--version").stdout == f"nodewright {__version__}\n"
    helped = run("--help")
    assert helped.returncode == 0
    assert all(command in helped.stdout for command in COMMANDS)
    assert run().returncode == 2


def test_the_launcher_ends_errors_in_one_line():
    failed = run("run", "--interval", "5")
    assert (failed.returncode, failed.stdout) == (2, "")
    assert failed.stderr.count("\n") == 1
    assert "has no unit" in failed.stderr


def test_a_closed_pipe_is_no_error_message():
    with subprocess.Popen(
        [sys.executable, str(LAUNCHER), "config", "schema"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as program:
        program.stdout.close()
        assert program.stderr.read() == b""
        assert program.wait(60) == 141


def test_a_full_disk_behind_the_output_is_one_line():
    with open("/dev/full", "w") as full:
        failed = subprocess.run(
            [sys.executable, str(LAUNCHER), "config", "schema"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60,
            check=False,
        )  # fmt: skip
    assert failed.returncode == 2
    assert failed.stderr == "nodewright: system: No space left on device (see nodewright doctor)\n"


def test_names_that_ascii_cannot_hold_do_not_end_a_command(tmp_path):
    file = tmp_path / "a.toml"
    file.write_text('[agent]\nnode = "knoten-ü"\n', "utf-8")
    shown = run("config", "show", "--config", str(file), PYTHONIOENCODING="ascii")
    assert shown.returncode == 0
    assert 'agent.node = "knoten-' in shown.stdout


def test_importing_the_command_line_loads_neither_http_nor_store_nor_screens():
    code = (
        "import sys; import agent.cli; "
        "print([m for m in ('aiohttp', 'asyncio', 'sqlite_utils', 'textual', 'prometheus_client', 'advisor.finding') "
        "if m in sys.modules])"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=LAUNCHER.parent, timeout=60, check=True
    )
    assert loaded.stdout == "[]\n"
