"""From where do settings come, and which source wins?

The file of `prices.file` < `/etc/nodewright/nodewright.toml` < `~/.config/nodewright/nodewright.toml` < `--config F` <
environment < flags.
"""

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from agent.config import FREE_SECTIONS, NAMED_SECTIONS, PLAIN_SECTIONS, LoadedConfig
from agent.config_draft import Draft, RuleThresholds, nearest
from agent.errors import CliError, reason_of
from agent.paths import home_folder
from agent.prices import check_prices
from agent.settings import SettingSpec, settings_of

SYSTEM_FILE = Path("/etc/nodewright/nodewright.toml")
ENVIRONMENT_PREFIX = "NODEWRIGHT_"
_FILE_LIMIT_BYTES = 1 << 20
_PRICED = ("prices", "devices")
_NO_SETTINGS = frozenset({"NODEWRIGHT_TOKEN", "NODEWRIGHT_URL"})
"""Read by clients of the agent."""
_SERVICE_LINK = re.compile(r"_SERVICE_(HOST|PORT(_\w+)?)$|_PORT(_\d+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?)?$")
"""What Kubernetes puts into every container's environment for a Service whose name begins with `nodewright`."""


def load_config(
    config_file: Path | None = None,
    *,
    environ: Mapping[str, str] = os.environ,
    flags: Mapping[str, object] | None = None,
    system_file: Path = SYSTEM_FILE,
    rule_thresholds: Callable[[], RuleThresholds] | None = None,
) -> LoadedConfig:
    """All sources merged. `flags` maps a dotted key (`agent.listen`) to what the command line says; None is not given.

    Raises CliError (exit status 2, one line) that names the source, the key and what to write instead.
    """
    draft = Draft(rule_thresholds or catalogue_thresholds)
    files = []
    for file, required in _files(config_file, environ, system_file):
        text = _read(file, required)
        if text is not None:
            _apply_file(draft, file, text)
            files.append(file)
    _apply_environment(draft, environ)
    _apply_flags(draft, flags or {})
    if (prices := draft.config().prices.file) is not None:
        _apply_price_file(draft, prices)
        files.append(prices)
    check_prices(draft.config().prices, draft.origins())
    if draft.config().notify:
        from agent.notify.targets import check_notify

        check_notify(draft.config().notify, draft.origins())
    if draft.config().devices:
        from agent.devices import prices as check_devices  # loads the catalogue

        check_devices(draft.config())
    return LoadedConfig(config=draft.config(), origins=draft.origins(), files=tuple(files))


def plain_settings() -> dict[str, SettingSpec]:
    """Dotted key to declaration, of the sections that are always there."""
    return {f"{name}.{key}": spec for name, kind in PLAIN_SECTIONS.items() for key, _, spec in settings_of(kind)}


def environment_name(key: str) -> str:
    """`store.size_cap` is overridden by `NODEWRIGHT_STORE_SIZE_CAP`."""
    return ENVIRONMENT_PREFIX + key.replace(".", "_").upper()


def catalogue_thresholds() -> RuleThresholds:
    """The thresholds of each rule; loads the rules, so it is asked only where a file has a section for one."""
    from advisor.catalogue import all_rules

    return {rule.id: frozenset(rule.thresholds) for rule in all_rules()}


def _files(config_file: Path | None, environ: Mapping[str, str], system_file: Path) -> list[tuple[Path, bool]]:
    files = [(system_file, False)]
    base = environ.get("XDG_CONFIG_HOME", "")
    home = home_folder(environ)
    if os.path.isabs(base):
        files.append((Path(base, "nodewright", "nodewright.toml"), False))
    elif home is not None:
        files.append((home / ".config" / "nodewright" / "nodewright.toml", False))
    return files + ([(config_file, True)] if config_file is not None else [])


def _read(file: Path, required: bool) -> str | None:
    try:
        with file.open("rb") as stream:
            content = stream.read(_FILE_LIMIT_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        if not required:
            return None
        raise CliError(
            "config.missing", f"{file}: {reason_of(error)}", "give an existing file with --config"
        ) from error
    except OSError as error:
        raise CliError("config.unreadable", f"{file}: {reason_of(error)}", "make it readable for this user") from error
    if len(content) > _FILE_LIMIT_BYTES:
        raise CliError("config.unreadable", f"{file} is larger than 1 MiB", "is it a configuration file?")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        message = f"{file}: byte {error.start} is not UTF-8"
        raise CliError("config.broken", message, "save the file as UTF-8") from error


def _apply_price_file(draft: Draft, file: Path) -> None:
    """What the file of `prices.file` says, below what the other sources say."""
    if not file.is_absolute():
        message = f"prices.file: {str(file)!r} depends on the folder in which the agent is started"
        raise CliError("config.bad-value", message, "write the whole path")
    document = _document(file, _read(file, True) or "")
    unknown = next((section for section in document if section not in _PRICED), None)
    if unknown is not None:
        raise CliError(
            "config.unknown-key", f"{file}: unknown key {unknown}", "only [prices] and [devices] belong in a price file"
        )
    below = Draft(dict)
    _apply_sections(below, file, document)
    if below.config().prices.file is not None:
        raise CliError("config.bad-value", f"{file}: prices.file names a further file", "leave it out there")
    draft.add_below(below)


def _apply_file(draft: Draft, file: Path, text: str) -> None:
    _apply_sections(draft, file, _document(file, text))


def _document(file: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # TOMLDecodeError, or a number of thousands of digits
        raise CliError("config.broken", f"{file}: not valid TOML: {error}", "correct that line") from error


def _apply_sections(draft: Draft, file: Path, document: Mapping[str, Any]) -> None:
    origin = f"file {file}"
    for section, table in document.items():
        sections = (*PLAIN_SECTIONS, *NAMED_SECTIONS, *FREE_SECTIONS)
        if section not in sections:
            raise _unknown(str(file), section, sections)
        if not isinstance(table, dict):
            raise CliError("config.bad-value", f"{file}: {section} is not a table", f"write [{section}]")
        draft.add_section(str(file), origin, section, table)


def _unknown(where: str, section: str, sections: tuple[str, ...]) -> CliError:
    meant = {key.partition(".")[2]: key for key in plain_settings()} | {name: name for name in sections}
    near = meant[nearest(section, meant)]
    return CliError("config.unknown-key", f"{where}: unknown key {section}", f"did you mean {near}?")


def _apply_environment(draft: Draft, environ: Mapping[str, str]) -> None:
    known = {environment_name(key): key for key in plain_settings()}
    for name in sorted(environ):
        if not name.startswith(ENVIRONMENT_PREFIX) or name in _NO_SETTINGS:
            continue
        if name in known:
            draft.set_text(known[name], environ[name], f"environment {name}", name)
        elif not _SERVICE_LINK.search(name):
            near = nearest(name, tuple(known))
            raise CliError("config.unknown-key", f"environment: unknown setting {name}", f"did you mean {near}?")


def _apply_flags(draft: Draft, flags: Mapping[str, object]) -> None:
    specs = plain_settings()
    for key, value in flags.items():
        flag = specs[key].flag or f"--{key.replace('.', '-')}"
        if isinstance(value, str):
            draft.set_text(key, value, f"flag {flag}", flag)
        elif value is not None:
            draft.set(key, value, f"flag {flag}", flag)
