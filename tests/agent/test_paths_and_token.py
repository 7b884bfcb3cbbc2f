"""Files lie where the environment says; the token is made once, for its user alone."""

import os
import stat
from pathlib import Path

import pytest

from agent.config import AgentSettings, Config, HttpSettings
from agent.errors import CliError
from agent.paths import find_paths, make_state_folders, runtime_folder, state_folder
from agent.token import ensure_token, read_token


@pytest.mark.parametrize(
    ("environ", "state", "runtime"),
    [
        ({"HOME": "/h"}, "/h/.local/state/nodewright", "/h/.local/state/nodewright/run"),
        ({"HOME": "/h", "XDG_STATE_HOME": "/s", "XDG_RUNTIME_DIR": "/r"}, "/s/nodewright", "/r/nodewright"),
        ({"HOME": "/h", "STATE_DIRECTORY": "/v/n", "RUNTIME_DIRECTORY": "/run/n"}, "/v/n", "/run/n"),
        ({"STATE_DIRECTORY": "/v/a:/v/b", "RUNTIME_DIRECTORY": "/run/a:/run/b"}, "/v/a", "/run/a"),
        ({"HOME": "/h", "XDG_STATE_HOME": "relative"}, "/h/.local/state/nodewright", "/h/.local/state/nodewright/run"),
    ],
)
def test_folders_follow_systemd_then_xdg_then_home(environ, state, runtime):
    assert str(state_folder(environ)) == state
    assert str(runtime_folder(environ)) == runtime


def test_db_names_the_database_and_leaves_the_token_in_the_state_folder():
    config = Config(agent=AgentSettings(db=Path("/data/state.db")))
    paths = find_paths(config, {"STATE_DIRECTORY": "/v"})
    assert (str(paths.db), str(paths.token)) == ("/data/state.db", "/v/token")
    config = Config(http=HttpSettings(token_file=Path("/secret/token")))
    assert str(find_paths(config, {"STATE_DIRECTORY": "/v"}).token) == "/secret/token"


def test_state_folders_are_made_for_this_user_alone(tmp_path):
    paths = find_paths(Config(), {"STATE_DIRECTORY": str(tmp_path / "a/b")})
    make_state_folders(paths)
    assert stat.S_IMODE((tmp_path / "a/b").stat().st_mode) == 0o700


def test_a_state_folder_that_cannot_be_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file/below"):
        with pytest.raises(CliError) as raised:
            make_state_folders(find_paths(Config(), {"STATE_DIRECTORY": str(folder)}))
        assert raised.value.key == "state.unwritable"
        assert raised.value.exit_status == 2
    with pytest.raises(CliError, match="is a folder"):
        make_state_folders(find_paths(Config(agent=AgentSettings(db=tmp_path)), {"STATE_DIRECTORY": str(tmp_path)}))


def test_the_token_is_made_once_and_is_private(tmp_path):
    path = tmp_path / "token"
    old = os.umask(0)
    try:
        token, exposed = ensure_token(path)
    finally:
        os.umask(old)
    assert len(token) >= 43
    assert not exposed
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert ensure_token(path) == (token, False)
    assert read_token(path) == token
    assert os.listdir(tmp_path) == ["token"], "no draft is left behind"


def test_a_token_that_others_could_read_is_tightened_and_reported(tmp_path):
    path = tmp_path / "token"
    path.write_text("a-token-of-forty-characters-or-thereabouts\n")
    path.chmod(0o644)
    assert ensure_token(path) == ("a-token-of-forty-characters-or-thereabouts", True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"", b"short", b"two words that are long enough", b"\xff" * 40, b"bell\x07" * 10])
def test_a_file_that_holds_no_token_is_refused_not_replaced(tmp_path, content):
    path = tmp_path / "token"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(CliError, match="holds no token"):
        ensure_token(path)
    assert path.read_bytes() == content


def test_what_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(CliError, match="not a plain file"):
        ensure_token(tmp_path / "fifo")
    with pytest.raises(CliError):
        ensure_token(tmp_path / "absent/token")
    assert read_token(tmp_path / "absent") is None


def test_two_agents_that_start_together_end_with_one_token(tmp_path, monkeypatch):
    path = tmp_path / "token"
    real_link = os.link

    def quicker(source, target):
        path.write_text("the-token-of-the-agent-that-was-quicker\n")
        path.chmod(0o600)
        real_link(source, target)

    monkeypatch.setattr(os, "link", quicker)
    assert ensure_token(path)[0] == "the-token-of-the-agent-that-was-quicker"
