"""Which options do several commands share, and how do flags become settings?"""

import pwd
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from agent.config import LoadedConfig
from agent.config_sources import load_config, plain_settings
from agent.logs import configure_logging
from collectors.units import parse_duration

F = TypeVar("F", bound=Callable[..., Any])


class User(click.ParamType[int]):
    """A user of this node, by number or by name."""

    name = "user"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        text = str(value)
        if text.isdecimal():
            return int(text)
        try:
            return pwd.getpwnam(text).pw_uid
        except (KeyError, ValueError):
            self.fail(f"there is no user {text!r} on this node", param, ctx)


class Seconds(click.ParamType[float]):
    """A span: plain seconds (`20`) or a duration (`2min`)."""

    name = "seconds"

    def __init__(self, least: float = 1.0, most: float = 86400.0) -> None:
        self._least = least
        self._most = most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        text = str(value)
        try:
            seconds = float(text)
        except ValueError:
            try:
                seconds = parse_duration(text)
            except ValueError as error:
                self.fail(str(error), param, ctx)
        if not self._least <= seconds <= self._most:
            self.fail(f"{text} is not between {self._least:g} and {self._most:g} seconds", param, ctx)
        return seconds


def config_option(command: F) -> F:
    """`--config F`."""
    kind = click.Path(path_type=Path, dir_okay=False)
    text = "Another configuration file; it overrides the usual ones."
    return click.option("--config", "config_file", type=kind, help=text)(command)


def setting_option(key: str) -> Callable[[F], F]:
    """A flag that overrides a setting; its name and help are those of the setting."""
    spec = plain_settings()[key]
    assert spec.flag is not None
    name = key.partition(".")[2]
    if spec.flag.startswith("--no-"):
        text = f"Do not {spec.doc[0].lower()}{spec.doc[1:]}"
        return click.option(spec.flag, name, flag_value="false", default=None, help=text)
    return click.option(spec.flag, name, help=spec.doc)


def load(config_file: Path | None, **flags: str | None) -> LoadedConfig:
    """The settings with the flags of section `agent` over them."""
    return load_config(config_file, flags={f"agent.{name}": value for name, value in flags.items()})


def load_and_log(config_file: Path | None, **flags: str | None) -> LoadedConfig:
    """As `load`, for what runs on: its messages go to the log."""
    loaded = load(config_file, **flags)
    configure_logging(loaded.config.agent.log_level)
    return loaded
