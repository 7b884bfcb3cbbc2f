"""Settings files are found inside the process's root, cut to asked keys, and nothing else is opened."""

import json
import os
from pathlib import Path

import pytest

from collectors.facts import SettingsFile
from collectors.framework import SettingsRequest
from collectors.inside.folder import ProcessFolder
from collectors.inside.settings import settings_files
from collectors.model_headers import Budget
from tests.collectors.process_tree import host_of, key_of, make_process

STRANGER = "Uid:\t999999\t999999\t999999\t999999\nGid:\t999999\t999999\t999999\t999999\nGroups:\t999999\n"
"""The status of a process that owns none of the files."""


def ask(root: Path, pattern: str, *keys: str) -> tuple[SettingsFile, ...]:
    """With a clock that stands still: what is told does not depend on how busy this machine is."""
    request = SettingsRequest(name="settings", pattern=pattern, keys=keys)
    with ProcessFolder(host_of(root), key_of()) as folder:
        return settings_files(folder, [request], Budget(clock=lambda: 0.0))


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """The working folder of a process below `tmp_path`."""
    return make_process(tmp_path) / "root" / "app"


def test_only_the_asked_keys_leave(tmp_path: Path, app: Path) -> None:
    document = {
        "parallel_workers": 2,
        "debug": False,
        "parameters": {"uri": "./m.joblib", "n": 1.5},
        "list": [1],
        "x": None,
    }
    (app / "settings.json").write_text(json.dumps(document))
    (file,) = ask(
        tmp_path, "settings.json", "parallel_workers", "parameters.uri", "list", "parameters", "x", "absent.y"
    )
    assert file == SettingsFile(
        "settings",
        "/app/settings.json",
        True,
        {"parallel_workers": 2, "parameters.uri": "./m.joblib", "x": None},
        "has no plain value at list",
    )


def test_values_that_look_secret_stay_even_if_asked_for(tmp_path: Path, app: Path) -> None:
    document = {"api_key": "abc", "kafka": "redis://u:pw@h", "a": {"password": 1}, "long": "x" * 2000, "workers": 2}
    (app / "settings.json").write_text(json.dumps(document))
    (file,) = ask(tmp_path, "settings.json", *document, "a.password")
    assert file.values == {"workers": 2}
    assert file.problem == "withholds api_key, kafka, long, a.password"


def test_a_missing_file_is_not_present(tmp_path: Path, app: Path) -> None:
    assert ask(tmp_path, "settings.json", "a") == (SettingsFile("settings", "/app/settings.json", False),)
    assert ask(tmp_path, "none/settings.json", "a")[0].present is False


def test_a_star_stands_for_one_part_and_finds_only_what_is_there(tmp_path: Path, app: Path) -> None:
    for name in ("b", "a", ".hidden", "deep/er"):
        (app / name).mkdir(parents=True)
        (app / name / "model-settings.json").write_text(json.dumps({"name": name}))
    found = ask(tmp_path, "*/model-settings.json", "name")
    assert [(file.path, file.values) for file in found] == [
        ("/app/a/model-settings.json", {"name": "a"}),
        ("/app/b/model-settings.json", {"name": "b"}),
    ]


def test_at_most_32_files_are_read(tmp_path: Path, app: Path) -> None:
    for number in range(40):
        (app / f"m{number:02}").mkdir()
        (app / f"m{number:02}" / "model-settings.json").write_text("{}")
    assert len(ask(tmp_path, "*/model-settings.json", "name")) == 32


def test_an_absolute_pattern_is_taken_inside_the_root(tmp_path: Path, app: Path) -> None:
    (app.parent / "mnt").mkdir()
    (app.parent / "mnt" / "settings.json").write_text('{"a": 1}')
    assert ask(tmp_path, "/mnt/settings.json", "a")[0].values == {"a": 1}
    assert ask(tmp_path, "../mnt/./settings.json", "a")[0].values == {"a": 1}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "not JSON"),
        (b"{broken", "not JSON"),
        (b"[1, 2]", "no JSON object"),
        (b'"text"', "no JSON object"),
        (b"[" * 20000, "not JSON"),
        (b"\xff\xfe{}", "not JSON"),
        (b'{"a": {}}', None),
        (b'{"a": {"b": 1}}', "has no plain value at a"),
    ],
    ids=range(8),
)
def test_a_broken_file_is_present_without_values(
    tmp_path: Path, app: Path, content: bytes, problem: str | None
) -> None:
    (app / "settings.json").write_bytes(content)
    assert ask(tmp_path, "settings.json", "a") == (SettingsFile("settings", "/app/settings.json", True, {}, problem),)


def test_a_file_over_the_limit_is_not_read(tmp_path: Path, app: Path) -> None:
    (app / "settings.json").write_text('{"a": 1}' + " " * 256 * 1024)
    (file,) = ask(tmp_path, "settings.json", "a")
    assert (file.values, file.problem) == ({}, "longer than 262144 bytes")


def test_a_fifo_does_not_hang_the_reader(tmp_path: Path, app: Path) -> None:
    os.mkfifo(app / "settings.json")
    (file,) = ask(tmp_path, "settings.json", "a")
    assert (file.present, file.values, file.problem) == (True, {}, "not a plain file")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.toml", "[server]\nworkers = 3"),
        ("a.yaml", "server:\n  workers: 3"),
        ("a.yml", "server: {workers: 3}"),
        ("a.properties", "server.workers = 3"),
        ("a.pbtxt", "server { workers: 3 }"),
        ("models.config", "server < workers: 3 >"),
        ("batching.txt", "server { workers: 0x3 }"),
        ("a.py", "server = {'workers': 3}"),
    ],
)
def test_the_ending_says_how_a_file_is_read(tmp_path: Path, app: Path, name: str, text: str) -> None:
    (app / name).write_text(text)
    assert ask(tmp_path, name, "server.workers") == (
        SettingsFile("settings", f"/app/{name}", True, {"server.workers": 3}),
    )


def test_files_for_which_no_time_is_left_say_so(tmp_path: Path, app: Path) -> None:
    for name in ("a", "b", "c"):
        (app / f"{name}.json").write_text('{"x": 1}')
    times = iter((0.0, 0.1, 0.4, 0.6))
    request = SettingsRequest(name="settings", pattern="*.json", keys=("x",))
    with ProcessFolder(host_of(tmp_path), key_of()) as folder:
        files = settings_files(folder, [request], Budget(seconds=0.5, clock=lambda: next(times)))
    assert [(file.values, file.problem) for file in files] == [({"x": 1}, None)] * 2 + [({}, "not read: budget")]


def test_all_files_together_tell_no_more_than_fits_into_an_answer(tmp_path: Path, app: Path) -> None:
    document = {"names": {f"n{number}": "word " * 200 for number in range(60)}}
    for number in range(10):
        (app / f"{number}.json").write_text(json.dumps(document))
    files = ask(tmp_path, "*.json", "names.*")
    told = sum(len(key) + len(str(value)) for file in files for key, value in file.values.items())
    assert 200_000 < told <= 256 * 1024
    assert [file.problem for file in files] == [None] * 4 + ["more is asked for than may be told"] * 6


def test_a_folder_in_the_files_place_is_not_read(tmp_path: Path, app: Path) -> None:
    (app / "settings.json").mkdir()
    assert ask(tmp_path, "settings.json", "a")[0].values == {}


def test_links_are_resolved_as_the_process_sees_them(tmp_path: Path, app: Path) -> None:
    data = app / "..2024"
    data.mkdir()
    (data / "settings.json").write_text('{"a": 3}')
    (app / "..data").symlink_to("..2024")
    (app / "settings.json").symlink_to("..data/settings.json")
    assert ask(tmp_path, "settings.json", "a")[0].values == {"a": 3}


@pytest.mark.parametrize("target", ["{outside}", "../../../../../../../../../../{outside}", "/../..{outside}"])
def test_no_link_leads_out_of_the_root(tmp_path: Path, app: Path, target: str) -> None:
    outside = tmp_path / "outside.json"
    outside.write_text('{"a": "escaped"}')
    (app / "settings.json").symlink_to(target.format(outside=outside))
    assert ask(tmp_path, "settings.json", "a") == (SettingsFile("settings", "/app/settings.json", False),)
    inside = app.parent / str(outside).lstrip("/")
    inside.parent.mkdir(parents=True)
    inside.write_text('{"a": "inside"}')
    assert ask(tmp_path, "settings.json", "a")[0].values == {"a": "inside"}


def test_a_folder_that_links_out_is_not_left_either(tmp_path: Path, app: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "settings.json").write_text('{"a": "escaped"}')
    (app / "models").symlink_to(tmp_path / "secret")
    assert ask(tmp_path, "models/settings.json", "a")[0].present is False
    assert ask(tmp_path, "*/settings.json", "a") == ()


def test_links_in_a_circle_are_left_out(tmp_path: Path, app: Path) -> None:
    (app / "a").symlink_to("b")
    (app / "b").symlink_to("a")
    (app / "settings.json").symlink_to("a")
    assert ask(tmp_path, "settings.json", "a") == ()


@pytest.mark.parametrize("pattern", ["settings.ini", ".env", ".docker/config.json", "", "/", "a/.hidden.json", "json"])
def test_other_files_are_not_looked_for(tmp_path: Path, app: Path, pattern: str) -> None:
    assert ask(tmp_path, pattern, "a") == ()


def test_a_file_that_the_process_could_not_read_is_not_read_for_it(tmp_path: Path, app: Path) -> None:
    (app / "settings.json").write_text('{"a": 1}')
    os.chmod(app / "settings.json", 0o600)
    (tmp_path / "proc/4242/status").write_text(STRANGER)
    assert ask(tmp_path, "settings.json", "a") == ()


def test_a_group_of_the_process_may_open_a_file(tmp_path: Path, app: Path) -> None:
    (app / "settings.json").write_text('{"a": 1}')
    os.chmod(app / "settings.json", 0o040)
    gid = (app / "settings.json").stat().st_gid
    (tmp_path / "proc/4242/status").write_text(f"Uid:\t99\t99\t99\t99\nGid:\t9\t9\t9\t9\nGroups:\t8 {gid}\n")
    readable = os.access(app / "settings.json", os.R_OK)
    assert [file.values for file in ask(tmp_path, "settings.json", "a")] == ([{"a": 1}] if readable else [])


def test_the_working_folder_is_cut_where_a_chroot_shows_in_it(tmp_path: Path) -> None:
    folder = make_process(tmp_path, cwd="/srv/jail/app")
    jail = tmp_path / "jail"
    (jail / "app").mkdir(parents=True)
    (jail / "app" / "settings.json").write_text('{"a": 1}')
    for path in sorted((folder / "root").rglob("*"), reverse=True):
        path.rmdir()
    (folder / "root").rmdir()
    (folder / "root").symlink_to(jail)
    (folder / "cwd").unlink()
    (folder / "cwd").symlink_to(jail / "app")
    assert ask(tmp_path, "settings.json", "a")[0] == SettingsFile("settings", "/app/settings.json", True, {"a": 1})


@pytest.mark.parametrize("pattern", ["a\0b.json", "a\0b/*/x.json"])
def test_a_path_with_a_nul_names_no_file(tmp_path: Path, app: Path, pattern: str) -> None:
    (app / "a").write_text("{}")
    assert ask(tmp_path, pattern, "a") == ()


def test_a_file_in_a_folder_that_the_process_could_not_enter_is_not_read_for_it(tmp_path: Path, app: Path) -> None:
    private = app.parent / "home" / "alice"
    private.mkdir(parents=True)
    (private / "x.json").write_text('{"a": 1}')
    (app / "link.json").symlink_to("/home/alice/x.json")
    (tmp_path / "proc/4242/status").write_text(STRANGER)
    private.chmod(0o700)
    assert ask(tmp_path, "/home/alice/x.json", "a") == ()
    assert ask(tmp_path, "/home/alice/*.json", "a") == ()
    assert ask(tmp_path, "link.json", "a") == ()
    private.chmod(0o711)
    assert ask(tmp_path, "link.json", "a")[0].values == {"a": 1}


def test_what_is_above_the_working_folder_need_not_be_entered(tmp_path: Path) -> None:
    folder = make_process(tmp_path, cwd="/root/app") / "root" / "root"
    (folder / "app" / "x.json").write_text('{"a": 1}')
    (folder / "x.json").write_text('{"a": 2}')
    (tmp_path / "proc/4242/status").write_text(STRANGER)
    folder.chmod(0o700)
    assert ask(tmp_path, "x.json", "a")[0].values == {"a": 1}
    assert ask(tmp_path, "../x.json", "a") == ()


def test_names_that_look_secret_do_not_leave_by_a_star(tmp_path: Path, app: Path) -> None:
    document = {name: {"hf_abcdefghijklmnopqrstuvwxyz0123": [], "ok": 2} for name in ("h", "tokens")}
    (app / "settings.json").write_text(json.dumps(document))
    (file,) = ask(tmp_path, "settings.json", "*.*", "h.*.0")
    assert (file.values, file.problem) == ({"h.ok": 2}, "withholds tokens.ok")
