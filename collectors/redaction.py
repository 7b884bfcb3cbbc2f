"""What of a command line may be stored and shown, and which names and values look like secrets?

Pure text work that errs towards hiding: a hidden port costs a line on a screen, a shown password costs more.
"""

import re
from collections.abc import Iterable, Iterator
from math import log2

REDACTED = "[redacted]"

_ITEM_LIMIT_CHARACTERS = 4096
_NESTED_LIMIT = 8

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_SECRET_WORDS = frozenset((
    "token", "key", "pass", "passwd", "pwd", "pw", "pat", "jwt", "auth", "authorization", "bearer", "cookie", "sig",
    "signature", "sas", "psk", "otp",
))  # fmt: skip
_SECRET_PART = re.compile(
    r"password|passwd|passphrase|secret|credential|(api|access|auth|private|master|license|account|encryption)key|token$",
    re.IGNORECASE,
)
_COUNT_OF_TOKENS = re.compile(r"\d{1,8}[kKmM]?")
"""`--max-num-batched-tokens 8192`: language models count tokens, so a small number after the plural is none."""

_QUOTED = r"\"(?:[^\"\\]|\\.)*+\"?|'(?:[^'\\]|\\.)*+'?"
_NAME = r"(?<![\w.-])(?P<name>[\w.-]++)"
_ASSIGNMENTS = tuple(
    re.compile(f"{_NAME}{between}(?P<value>{value})", re.DOTALL)
    for between, value in (
        (r"(?:[\"']?\s*+[=:]\s*+|\s++)", _QUOTED),
        (r"(?:\s++[=:]\s*+|[=:]\s++)", r"[^\s\"']+"),
        (r"[\"']?[=:]", r"[^\s\"'&]+"),
    )
)
"""`name = "a b"` and `--name "a b"`; `name = value`; `name=value` inside a longer word."""
_WHOLE_ASSIGNMENT = re.compile(r"(?P<name>[\"'({\[]*+[\w.-]++)(?P<between>=|:\s*)(?P<value>.+)", re.DOTALL)
_OPTION = re.compile(r"[\"'({\[]*+(?P<name>--?\w[\w.-]*+)")
_OPEN_NAME = re.compile(rf"{_NAME}[\"']?[=:][\"']?\Z")
_SCHEMES = frozenset(("bearer", "basic", "digest", "negotiate"))

_URL_USER = re.compile(r"((?<![\w+.-])[\w+.-]++://)(?:[^\s/'\"]*|[^\s/'\"@]*:[^\s'\"]*)@")
_AUTHORIZATION = re.compile(r"\b(bearer|basic)(\s++)[^\s\"',;]+", re.IGNORECASE)
_PEM = re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY.*?(?:-----END [A-Z ]*+-----|\Z)", re.DOTALL)
_KNOWN_SHAPE = re.compile(
    r"\b(?:sk-[\w-]{16,}|hf_\w{16,}|nvapi-[\w-]{16,}|gh[opsu]_\w{16,}|github_pat_\w{16,}|glpat-[\w-]{16,}"
    r"|xox[a-z]-[\w-]{10,}|A[KS]IA[A-Z0-9]{12,}|eyJ[\w-]{8,}\.[\w.-]+|AIza[\w-]{20,}|ya29\.[\w-]{10,})"
)
_SPACE = re.compile(r"(\s+)")
_HEX = re.compile(r"(?<![0-9a-zA-Z])[0-9a-fA-F]{32,}(?![0-9a-zA-Z])")
_OPAQUE = re.compile(r"[A-Za-z0-9]{20,}")
_DIGITS = re.compile(r"\d+")
_BLOB_NAME = re.compile(r"sha256[-:][0-9a-f]{64}")
_RANDOM_BITS_PER_CHARACTER = 3.5


def is_secret_name(name: str) -> bool:
    """Whether an option, key or variable of this name holds a secret: `--api-key`, `redis.password`, `accessToken`."""
    if name.startswith("-") and not name.startswith("--") and _names_secret(name[2:]):
        return True  # glued to a switch: -Dpassword, -eAPI_KEY
    return _names_secret(name)


def _names_secret(name: str) -> bool:
    words = [word.lower() for word in _WORD.findall(name)]
    return any(word.removesuffix("s") in _SECRET_WORDS for word in words) or any(
        _SECRET_PART.search(part) for part in (*words, "".join(words))
    )


def looks_secret(value: str) -> bool:
    """Whether a value by itself looks like a secret: credentials in a URL, a known token form, a long random word."""
    return (
        any(form.search(value) for form in (_URL_USER, _AUTHORIZATION, _PEM, _KNOWN_SHAPE))
        or bool(_HEX.search(_BLOB_NAME.sub("", value)))
        or any(_is_random(word) for word in _OPAQUE.findall(value))
        or REDACTED in _redact_item(value)
    )


def redact_argv(argv: Iterable[str]) -> tuple[str, ...]:
    """The command line with each secret replaced by `[redacted]`, the names of its options kept."""
    # cut after redaction: what is cut off a secret's end would keep the rest of it from being known as one
    limit = _ITEM_LIMIT_CHARACTERS
    return tuple(item[:limit] for item in _redact_items(item[: 2 * limit] for item in argv))


def _redact_items(items: Iterable[str]) -> Iterator[str]:
    asked_by: str | None = None
    for item in items:
        if asked_by is not None and _is_secret(asked_by, item):
            yield REDACTED
            asked_by = item if item.strip("\"'").lower() in _SCHEMES else None
            continue
        yield _redact_item(item)
        asked_by = _name_without_value(item)


def _is_secret(name: str, value: str) -> bool:
    """Whether `value` after `name` is to be hidden."""
    if name.lower().endswith("tokens") and _COUNT_OF_TOKENS.fullmatch(value):
        return False
    return is_secret_name(name)


def _name_without_value(item: str) -> str | None:
    """The name in an item whose value is the next item: `--api-key`, `Authorization:`, `Bearer`."""
    last = item.split()[-1:]
    if not last:
        return None
    if last[0].strip("\"'").lower() in _SCHEMES:
        return "bearer"
    match = _OPTION.fullmatch(last[0]) or _OPEN_NAME.fullmatch(last[0])
    return match["name"] if match else None


def _redact_item(item: str) -> str:
    begin = 0  # of the value in `--env=API_KEY=value`, name by name
    for _ in range(_NESTED_LIMIT):
        whole = _WHOLE_ASSIGNMENT.fullmatch(item, begin)
        if whole is None:
            break
        if _is_secret(whole["name"], whole["value"]):
            return f"{item[: whole.start('value')]}{REDACTED}"
        if whole["between"] != "=":
            break
        begin = whole.start("value")
    return item[:begin] + _redact_text(item[begin:])


def _redact_text(item: str) -> str:
    text = _URL_USER.sub(rf"\1{REDACTED}@", _PEM.sub(REDACTED, item))
    text = _AUTHORIZATION.sub(rf"\1\2{REDACTED}", text)
    for form in _ASSIGNMENTS:
        text = _hide_values(form, text)
    text = _KNOWN_SHAPE.sub(REDACTED, text)
    pieces = _SPACE.split(text)
    if len(pieces) == 1:
        return text
    words = _redact_items(pieces[::2])
    return "".join(f"{word}{space}" for word, space in zip(words, [*pieces[1::2], ""], strict=True))


def _hide_values(form: re.Pattern[str], text: str) -> str:
    """`text` with each value hidden whose name is that of a secret. A harmless value is searched for further names."""
    parts = []
    at = 0
    while match := form.search(text, at):
        secret = _is_secret(match["name"], match["value"].strip("\"'"))
        parts.append(f"{text[at : match.start('value')]}{REDACTED}" if secret else text[at : match.end("name")])
        at = match.end() if secret else match.end("name")
    return "".join((*parts, text[at:]))


def _is_random(word: str) -> bool:
    """Whether a long run of letters and digits is mixed as no name is."""
    mixed = any(letter.islower() for letter in word) and any(letter.isupper() for letter in word)
    return mixed and len(_DIGITS.findall(word)) >= 2 and _bits_per_character(word) >= _RANDOM_BITS_PER_CHARACTER


def _bits_per_character(word: str) -> float:
    shares = (word.count(letter) / len(word) for letter in set(word))
    return -sum(share * log2(share) for share in shares)
