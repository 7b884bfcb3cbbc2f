"""An MLServer's front-end and its settings files, for tests."""

from collectors.entities import Process
from collectors.facts import SettingsFile
from collectors.levers import Value
from tests.captures import process


def mlserver(folder: str = ".") -> Process:
    return process(10, "/opt/venv/bin/python3.11", "/opt/venv/bin/mlserver", "start", folder, comm="mlserver")


def settings(**values: bool | int | float | str | None) -> SettingsFile:
    return SettingsFile("settings.json", "/srv/app/settings.json", True, values)


def model(folder: str, **values: Value) -> SettingsFile:
    return SettingsFile("model-settings.json", f"/srv/app/{folder}/model-settings.json", True, values)


ABSENT = SettingsFile("settings.json", "/srv/app/settings.json", False)
