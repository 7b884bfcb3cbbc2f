"""Nothing secret survives on a command line, and what is not secret does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.redaction import REDACTED, is_secret_name, looks_secret, redact_argv

SECRETS = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-!", min_size=5, max_size=40).map(
    lambda text: f"Zq9{text}"
)
NAMES = st.sampled_from(
    [
        "api-key",
        "api_key",
        "token",
        "hf-token",
        "password",
        "redis.password",
        "db_passwd",
        "client-secret",
        "accessToken",
        "AWS_SECRET_ACCESS_KEY",
        "credentials",
        "APIKEY",
        "auth-token",
        "private_key",
        "x-api-key",
        "passphrase",
        "key",
    ]
)
FORMS = st.sampled_from(
    [
        ("--{name}", "{secret}"),
        ("--{name}={secret}",),
        ("--{name}", "{secret} {secret}"),
        ("--{name}={secret} {secret}",),
        ("-D{name}={secret}",),
        ("{name}={secret}",),
        ("--env", "{name}={secret}"),
        ("--env={name}={secret}",),
        ("-e{name}={secret}",),
        ("-H", "{name}: {secret}"),
        ("-H", "Authorization: Bearer {secret}"),
        ("-H", "authorization: basic {secret}"),
        ("Authorization:", "Bearer", "{secret}"),
        ("--url", "redis://user:{secret}@db:6379/0"),
        ("postgresql+psycopg://u:a/{secret}@db/x",),
        ("https://{secret}@example.com/x",),
        ("http://example.com/x?{name}={secret}&page=2",),
        ('--config={{"port": 1, "{name}": "{secret} {secret}"}}',),
        ("sh", "-c", "export {name}='{secret} {secret}'; serve"),
        ("sh", "-c", 'serve --{name} "{secret} {secret}" --port 1'),
        ("sh", "-c", "curl -H 'Authorization: Bearer {secret}' http://h"),
        ("--worker=/bin/python x.py --{name}={secret} --port=1",),
        ("python serve.py --{name} {secret}",),
        ("python", "-c", "{name} = '{secret}'"),
        ("sk-{secret}0123456789abcdef",),
        ("hf_0123456789abcdef{secret}",),
    ]
)
PLAIN = st.lists(
    st.sampled_from(["serve", "--port", "8000", "--workers=2", "-m", "mlserver", "start", "."]), max_size=4
)


@given(NAMES, SECRETS, FORMS, PLAIN, PLAIN)
def test_a_planted_secret_never_survives(
    name: str, secret: str, form: tuple[str, ...], before: list[str], after: list[str]
) -> None:
    if form[0].startswith(("sk-", "hf_")):  # tokens of a known form hold letters, digits and lines alone
        secret = secret.replace("-", "_").replace("!", "_")
    planted = [item.format(name=name, secret=secret) for item in form]
    shown = redact_argv([*before, *planted, *after])
    assert len(shown) == len(before) + len(planted) + len(after)
    assert secret not in " ".join(shown)
    assert REDACTED in " ".join(shown)


@given(NAMES, st.text(max_size=60).map(lambda text: f"Zq9{text}"), st.integers(0, 4))
def test_a_value_of_its_own_is_hidden_whatever_it_is_made_of(name: str, secret: str, form: int) -> None:
    forms = [
        [f"--{name}", secret],
        [f"--{name}={secret}"],
        [f"{name}={secret}"],
        ["-e", f"{name}={secret}"],
        [f"--e={name}={secret}"],
    ]
    assert "Zq9" not in " ".join(redact_argv(forms[form]))


@given(st.lists(st.text(max_size=200), max_size=6))
def test_any_command_line_keeps_its_number_of_items(argv: list[str]) -> None:
    assert len(redact_argv(argv)) == len(argv)


@pytest.mark.parametrize(
    "argv",
    [
        ("/usr/bin/python3", "/usr/bin/mlserver", "start", "."),
        (
            "python",
            "-B",
            "-c",
            "from multiprocessing.spawn import spawn_main; spawn_main(tracker_fd=17, pipe_handle=23)",
        ),
        ("vllm", "serve", "m", "--max-num-batched-tokens", "8192", "--max-tokens=512", "--tokenizer", "x/y"),
        ("gunicorn: master [app:app]",),
        (
            "llama-server",
            "-m",
            "/models/blobs/sha256-" + "0a" * 32,
            "--threads",
            "4",
            "--keep",
            "1",
            "--ssl-key-file=/k",
        ),
        ("uvicorn", "app:app", "--host", "127.0.0.1", "--reload", "", "http://h/a@b"),
    ],
)
def test_a_harmless_command_line_is_shown_as_it_is(argv: tuple[str, ...]) -> None:
    kept = tuple(item for item in redact_argv(argv) if REDACTED not in item)
    assert kept == tuple(item for item in argv if not item.startswith("--ssl-key"))


def test_names_stay_and_values_go() -> None:
    assert redact_argv(["x", "--api-key", "abc", "-Dray.redis.password=pw", "redis://u:p@h:1/0", "--port=1"]) == (
        "x",
        "--api-key",
        "[redacted]",
        "-Dray.redis.password=[redacted]",
        "redis://[redacted]@h:1/0",
        "--port=1",
    )


def test_a_numeric_password_is_hidden_though_a_count_of_tokens_is_not() -> None:
    assert redact_argv(["--password", "123456", "--max-tokens", "123456"]) == (
        ("--password", "[redacted]", "--max-tokens", "123456")
    )


@pytest.mark.parametrize("name", ["--api-key", "accessToken", "HFTOKEN", "dbPassword", "AWS_SESSION_TOKEN", "x.sig"])
def test_names_of_secrets_are_known(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["--tokenizer", "keep_alive", "monkey", "parallel_workers", "compass", "author"])
def test_other_names_are_not_taken_for_secrets(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    "value",
    ["redis://u:p@h", "Bearer abcdef", "deadbeef" * 4, "aB3dE6gH9jK2mN5pQ8sT1vW4", "password=abc", "sk-" + "a1" * 12],
)
def test_values_that_look_secret_are_known(value: str) -> None:
    assert looks_secret(value)


@pytest.mark.parametrize(
    "value",
    [
        "4",
        "GPU-12345678-1234-1234-1234-123456789abc",
        "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2",
        "granularity=fine,1,0",
        "s3://bucket/Model-v2/Iris2024",
        "expandable_segments:True,max_split_size_mb:512",
        "mlserver_sklearn.SKLearnModel",
    ],
)
def test_values_of_settings_do_not_look_secret(value: str) -> None:
    assert not looks_secret(value)


@pytest.mark.parametrize(
    "unit", ["a", "-", "a://x:", 'a="\\', "a=", "'", "a:\n", " ", "key=a ", "-----BEGIN A PRIVATE "]
)
def test_a_hostile_item_is_cut_short(unit: str) -> None:
    (shown,) = redact_argv([unit * (1_000_000 // len(unit))])
    assert len(shown) <= 4096
