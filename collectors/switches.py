"""Is an on/off option of a command line on?"""

from collections.abc import Sequence

_WORDS = {"true": True, "1": True, "on": True, "yes": True, "false": False, "0": False, "off": False, "no": False}


def truth(text: object) -> bool | None:
    """What a setting's value says, as true/false in any of the usual spellings; None if it is no such word."""
    return _WORDS.get(str(text).strip().lower())


def switch(arguments: Sequence[str], *names: str) -> bool | None:
    """The last one given of `--flag`, `--flag=false` and `--flag false`; None if it is absent or says neither."""
    found: bool | None = None
    for index, item in enumerate(arguments):
        name, equals, value = item.partition("=")
        if name not in names:
            continue
        if equals:
            found = truth(value)
        else:
            word = truth(arguments[index + 1]) if index + 1 < len(arguments) else None
            found = True if word is None else word
    return found
