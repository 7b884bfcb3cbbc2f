"""What does `nodewright top` accept, and how does it refuse?"""

import subprocess
import sys
from pathlib import Path

import click
import pytest

from tui.cli import find_token, login_name, open_source, state_folder

ROOT = Path(__file__).resolve().parents[2]


def top(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "nodewright.py"), "top", *arguments]
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)


def test_help_names_every_option() -> None:
    answer = top("--help")
    assert answer.returncode == 0
    for option in ("--url", "--node", "--token-file", "--recording", "--config"):
        assert option in answer.stdout


def test_without_a_terminal_it_says_what_to_use_instead() -> None:
    answer = top()
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr == "nodewright: top: needs a terminal (without one: nodewright advise)\n"


def test_a_wrong_option_is_one_line_and_status_two() -> None:
    answer = top("--colour")
    assert answer.returncode == 2
    assert answer.stderr.startswith("nodewright: usage: ")
    assert answer.stderr.count("\n") == 1


def test_a_recording_that_is_not_there_is_one_line() -> None:
    answer = top("--recording", "/nonexistent/node.db")
    assert answer.returncode == 2
    assert "/nonexistent/node.db" in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_a_token_file_wins_over_the_environment_and_that_over_the_state_folder(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("of the agent\n")
    chosen = tmp_path / "chosen"
    chosen.write_text("of the file\n")
    environ = {"STATE_DIRECTORY": str(tmp_path), "NODEWRIGHT_TOKEN": "of the environment"}
    assert find_token(environ, chosen, local=True) == "of the file"
    assert find_token(environ, None, local=True) == "of the environment"
    assert find_token({"STATE_DIRECTORY": str(tmp_path)}, None, local=True) == "of the agent"


def test_who_acknowledges_is_the_person_behind_sudo_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "root")
    assert login_name({"SUDO_USER": "ada"}) == "ada"
    assert login_name({}) == "root"


def test_the_agents_token_never_goes_to_another_machine(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("of the agent\n")
    assert find_token({"STATE_DIRECTORY": str(tmp_path)}, None, local=False) is None


def test_no_token_is_normal_and_an_unreadable_one_is_told(tmp_path: Path) -> None:
    assert find_token({"STATE_DIRECTORY": str(tmp_path)}, None, local=True) is None
    with pytest.raises(click.ClickException, match="cannot read"):
        find_token({}, tmp_path / "none", local=True)


def test_the_state_folder_is_the_units_then_the_users() -> None:
    assert state_folder({"STATE_DIRECTORY": "/var/lib/nodewright"}) == Path("/var/lib/nodewright")
    assert state_folder({"XDG_STATE_HOME": "/s", "HOME": "/h"}) == Path("/s/nodewright")
    assert state_folder({"HOME": "/h"}) == Path("/h/.local/state/nodewright")


def test_a_bad_address_is_refused_before_the_screen_opens() -> None:
    with pytest.raises(click.ClickException, match="not an agent's address"):
        open_source("127.0.0.1:9753", None, None)
