"""Does the configuration name only rules and thresholds that there are?"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from advisor.rule import Rule
from agent.config import Config
from agent.errors import CliError


def check_rules(config: Config, rules: Sequence[Rule]) -> None:
    """Raises CliError (2) that names the key and the nearest valid one."""
    known = {rule.id: rule for rule in rules}
    for name, settings in config.rule.items():
        if name not in known:
            raise _unknown(f'rule."{name}"', "rule", name, known)
        for threshold in settings.thresholds:
            if threshold not in known[name].thresholds:
                raise _unknown(f'rule."{name}".{threshold}', "threshold of it", threshold, known[name].thresholds)


def _unknown(key: str, what: str, name: str, valid: Iterable[str]) -> CliError:
    names = sorted(valid)
    nearest = get_close_matches(name, names, 1)
    hint = f"did you mean {nearest[0]}?" if nearest else f"known: {', '.join(names)}"
    return CliError("config.unknown-key", f"{key}: there is no such {what}", hint)
