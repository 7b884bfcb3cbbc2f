"""Source lines are shown without secrets, and otherwise as they are."""

import pytest

from agent.scalene.source_text import source_text


@pytest.mark.parametrize(
    "line",
    [
        "token = tokenizer.encode(text)",
        "key, rest = jax.random.split(key)",
        "n += len(json.loads(TEXT))",
        'data["name"] = row["id"] or "none"',
        "os.environ['API_KEY']",
        'password = ""',
        "d['it''s'] = \"open",
    ],
)
def test_code_is_kept(line: str) -> None:
    assert source_text(f"    {line}\n") == line


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('PASSWORD = "hunter2"', 'PASSWORD = "[redacted]"'),
        ("api_key: str = 'abc'", "api_key: str = '[redacted]'"),
        ('connect(user="me", password=b"abc")', 'connect(user="me", password=b"[redacted]")'),
        ('{"token": "abc", "port": "80"}', '{"token": "[redacted]", "port": "80"}'),
        ('config["secret"] = "abc"', 'config["secret"] = "[redacted]"'),
        ('get("https://me:abc@host/x")', 'get("[redacted]")'),
        ('login("hf_abcdefghijklmnopqrst")', 'login("[redacted]")'),
    ],
)
def test_literals_that_are_secrets_are_hidden(line: str, shown: str) -> None:
    assert source_text(line) == shown


def test_a_long_line_is_cut() -> None:
    assert source_text("x" * 5000) == "x" * 200
